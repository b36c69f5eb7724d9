import lightgbm
import numpy as np
import pytest

from include.foundation.errors import InvalidInput
from include.models.boosting.objectives import EARLY_STOPPING, OBJECTIVES, goal

ALL = [(problem, objective) for problem, known in OBJECTIVES.items() for objective in (None, *known)]


@pytest.mark.parametrize(("problem", "objective"), ALL)
def test_lightgbm_knows_each_goal(problem, objective):
    """It refuses an unknown objective or metric, and labels that do not fit it."""
    settings = goal(problem, objective, classes=3)
    rng = np.random.default_rng(0)
    labels = (
        rng.random(60) + 0.1 if problem == "regression" else rng.permutation(60) % (3 if problem == "multiclass" else 2)
    )
    data = lightgbm.Dataset(rng.random((60, 2)), labels)
    told = {}
    lightgbm.train(
        {**settings, "verbosity": -1, "num_threads": 1, "num_leaves": 3},
        data,
        num_boost_round=2,
        valid_sets=[data],
        callbacks=[lightgbm.record_evaluation(told)],
    )
    (values,) = told["training"].values()
    assert len(values) == 2


@pytest.mark.parametrize("problem", OBJECTIVES)
def test_no_objective_is_the_first_and_stops_early_by_the_problem_s_metric(problem):
    assert goal(problem, None, classes=3) == goal(problem, OBJECTIVES[problem][0], classes=3)
    assert goal(problem, None, classes=3)["metric"] == EARLY_STOPPING[problem]
    assert ("num_class" in goal(problem, None, classes=3)) is (problem == "multiclass")


@pytest.mark.parametrize(("problem", "objective"), [("binary", "huber"), ("ranking", None), ("regression", "l3")])
def test_an_objective_of_another_kind_is_refused_with_those_that_there_are(problem, objective):
    with pytest.raises(InvalidInput, match=f"no objective {objective!r} for a {problem} problem") as told:
        goal(problem, objective, classes=0)
    assert all(known in str(told.value) for known in OBJECTIVES.get(problem, ()))
