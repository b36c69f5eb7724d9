"""Suggestions are a function of what is stored, lie in the domain, and differ. Asked in the service's environment."""

import json
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.supervisor.service import REPO, python

ASKED = """
import dataclasses, json, os, sys
os.environ["OPENBLAS_NUM_THREADS"] = "1"
from include.services.tuning import optimizer
from include.services.tuning.records import Experiment, Observation, Suggestion
for line in sys.stdin:
    asked = json.loads(line)
    print(json.dumps(optimizer.suggest(
        Experiment(**asked["experiment"]),
        [Observation(**each) for each in asked["observations"]],
        [Suggestion(**each) for each in asked["held"]],
        number=asked["number"],
    )), flush=True)
"""


class Optimizer:
    """A process that answers for `include.services.tuning.optimizer.suggest`."""

    def __init__(self):
        words = [str(python("tuning")), "-c", ASKED]
        self.process = subprocess.Popen(
            words, cwd=REPO, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    def suggest(self, **asked):
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()


@pytest.fixture(scope="module")
def optimizers():
    pair = (Optimizer(), Optimizer())
    yield pair
    for each in pair:
        each.close()


def experiment(parameters, *, seed, budget):
    metric = {"name": "f", "objective": "maximize", "strategy": "optimize", "threshold": None}
    spec = {"parameters": parameters, "metrics": [metric], "type": "offline"}
    plain = {"id": 1, "state": "active", "name": "e", "project": None, "parallel_bandwidth": None}
    counts = {"created": 0, "updated": 0, "observations": 0, "consumed": 0}
    return {**plain, **counts, "budget": budget, "metadata": {"seed": seed}, "spec": spec}


def allowed(parameter, value):
    match parameter["type"]:
        case "categorical":
            return value in [each["name"] for each in parameter["categorical_values"]]
        case "int":
            return isinstance(value, int) and parameter["bounds"]["min"] <= value <= parameter["bounds"]["max"]
        case _ if "grid" in parameter:
            return value in parameter["grid"]
        case _:
            return parameter["bounds"]["min"] <= value <= parameter["bounds"]["max"]


KINDS = (
    {"type": "double", "bounds": {"min": -1e3, "max": 7.5}},
    {"type": "double", "bounds": {"min": 1e-5, "max": 0.3}, "transformation": "log"},
    {"type": "int", "bounds": {"min": -2, "max": 400}},
    {"type": "double", "grid": [0.3, 1.1, 7.0]},
    {"type": "double", "grid": [0.3, 1.1, 7.0], "transformation": "log"},
    {
        "type": "categorical",
        "categorical_values": [{"name": name, "enum_index": n + 1} for n, name in enumerate("abc")],
    },
)
OUTCOMES = st.lists(st.one_of(st.floats(-1e6, 1e6), st.none(), st.just("open")), min_size=1, max_size=8)


@settings(max_examples=10, deadline=None)
@given(
    kinds=st.lists(st.sampled_from(KINDS), max_size=3),
    outcomes=OUTCOMES,
    seed=st.integers(0, 2**31 - 1),
    budget=st.sampled_from([None, 6, 40]),
)
def test_suggestions_follow_from_what_is_stored(optimizers, kinds, outcomes, seed, budget):
    parameters = [{"name": f"p{n}", **kind} for n, kind in enumerate((KINDS[0], *kinds))]
    asked = {"experiment": experiment(parameters, seed=seed, budget=budget), "observations": [], "held": []}
    seen = []
    for number, outcome in enumerate(outcomes, 1):
        answers = [each.suggest(number=number, **asked) for each in optimizers]
        assert answers[0] == answers[1]
        (assignments, task), _ = answers
        assert task is None
        assert list(assignments) == [parameter["name"] for parameter in parameters]
        assert all(allowed(parameter, assignments[parameter["name"]]) for parameter in parameters), assignments
        assert assignments not in seen
        seen.append(assignments)
        made = {"id": number, "experiment": 1, "assignments": assignments, "task": None, "metadata": None, "created": 0}
        if outcome == "open":
            asked["held"].append({**made, "number": number, "open": True})
        else:
            values = None if outcome is None else [{"name": "f", "value": outcome, "value_stddev": None}]
            asked["observations"].append({**made, "suggestion": number, "values": values, "failed": values is None})


def test_seeds_differ(optimizers):
    points = []
    for seed in range(4):
        asked = {"experiment": experiment([{"name": "x", **KINDS[0]}], seed=seed, budget=None)}
        points.append(optimizers[0].suggest(number=1, observations=[], held=[], **asked)[0]["x"])
    assert len(set(points)) == 4


def test_values_that_no_model_bears_do_not_stop_it(optimizers):
    asked = {"experiment": experiment([{"name": "x", **KINDS[0]}], seed=1, budget=None), "held": []}
    for values in ([1e308, -1e308], [5.0, 5.0], [0.0, 5e-324]):
        observations = [
            {
                "id": n,
                "experiment": 1,
                "suggestion": None,
                "assignments": {"x": float(n)},
                "task": None,
                "values": [{"name": "f", "value": values[n % 2], "value_stddev": None}],
                "failed": False,
                "metadata": None,
                "created": 0,
            }
            for n in range(6)
        ]
        (assignments, _) = optimizers[0].suggest(number=7, observations=observations, **asked)
        assert allowed(KINDS[0], assignments["x"])
