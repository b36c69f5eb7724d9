"""What LightGBM does not know and what ONNX cannot say is refused before anything is fitted."""

import pytest

from include.foundation.errors import InvalidInput
from include.models.boosting.limits import check, rounds


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"num_leafs": 4}, r"LightGBM has no parameter num_leafs \(did you mean num_leaves\?\)"),
        ({"n_estimator": 4}, r"no parameter n_estimator \(did you mean num_iterations\?\)"),
        ({"zero_as_missing": True}, "zero_as_missing=True cannot be exported"),
        ({"boosting": "rf", "bagging_freq": 1}, "boosting=rf cannot be exported"),
        ({"boosting_type": "random_forest"}, "boosting_type=random_forest cannot be exported"),
        ({"sigmoid": 2.0}, "sigmoid=2.0 cannot be exported"),
        ({"linear_tree": True}, "linear_tree=True cannot be exported"),
        ({"use_missing": "false"}, "use_missing=false cannot be exported"),
        ({"objective": "cross_entropy"}, "objective is set by the platform"),
        ({"random_state": 1}, "random_state is set by the platform"),
        ({"reg_lambda": 1, "lambda_l2": 2}, "reg_lambda and lambda_l2 are one parameter"),
        ({"num_boost_round": 5}, "call num_boost_round n_estimators"),
        ({"num_leafs": 4, "sigmoid": 2}, "num_leafs .*; sigmoid"),
    ],
)
def test_a_parameter_that_would_fail_later_is_refused_by_name(params, said):
    with pytest.raises(InvalidInput, match=said):
        check(params)


def test_what_lightgbm_takes_and_onnx_can_say_is_taken():
    check({"n_estimators": 5, "learning_rate": 0.1, "boosting": "dart", "sigmoid": 1.0, "zero_as_missing": False})
    check({"num_threads": 2, "device": "cpu", "reg_lambda": 0.1, "monotone_constraints": (1, 0)})


@pytest.mark.parametrize(("value", "trees"), [(7, 7), (1e2, 100), ("1e2", 100), ("30", 30)])
def test_the_number_of_trees_is_a_whole_number(value, trees):
    assert rounds({"n_estimators": value}) == trees


@pytest.mark.parametrize("value", [0, -3, 1.5, "many", None, float("nan"), float("inf")])
def test_another_number_of_trees_is_refused(value):
    with pytest.raises(InvalidInput, match=r"n_estimators is .*: it must be a whole number above 0"):
        rounds({"n_estimators": value})
