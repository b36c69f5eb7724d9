"""What the tuning service refuses, and how it says so."""

import pytest

from include.services.tuning.records import Experiment
from include.services.tuning.refusal import Refusal
from include.services.tuning.validation import (
    check_assignments,
    check_batch,
    check_experiment,
    check_observation,
    check_suggestion,
    check_task,
    check_update,
)

X = {"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}}
N = {"name": "n", "type": "int"}
C = {"name": "c", "type": "categorical"}
LINEAR = {"type": "less_than", "threshold": 1, "terms": [{"name": "x", "weight": 2}, {"name": "y", "weight": 0.5}]}
MANY = [f"value {number}" for number in range(120)]


def body(**changes):
    return {"name": "e", "parameters": [X], "metrics": [{"name": "f"}], **changes}


def experiment(**changes):
    spec = check_experiment(body(**changes))
    given = {"state": "active", "name": "e", "project": None, "budget": None, "parallel_bandwidth": None}
    return Experiment(id=1, metadata=None, spec=spec, created=0, updated=0, observations=0, consumed=0, **given)


def test_experiment_is_completed():
    values = ["b", {"name": "a", "enum_index": 7}]
    parameters = [
        {"name": "c", "type": "categorical", "categorical_values": values, "bounds": None},
        {"name": "n", "type": "int", "bounds": {"min": 1.0, "max": 9.0}, "transformation": "none"},
    ]
    checked = check_experiment(body(parameters=parameters, metrics=["f"], metadata=None))
    assert checked["metrics"] == [{"name": "f", "objective": "maximize", "strategy": "optimize", "threshold": None}]
    choice, number = checked["parameters"]
    assert choice["categorical_values"] == [{"name": "a", "enum_index": 1}, {"name": "b", "enum_index": 2}]
    assert number == {"name": "n", "type": "int", "bounds": {"min": 1, "max": 9}}
    assert isinstance(number["bounds"]["min"], int)
    assert checked["type"] == "offline"
    assert "metadata" not in checked


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"name": ""}, "name: "),
        ({"nmae": "e"}, "'nmae' was unexpected"),
        ({"parameters": []}, "parameters: "),
        ({"parameters": [{**X, "type": "float"}]}, r"parameters\[0\].type: 'float' is not one of"),
        ({"parameters": [{**X, "bounds": {"min": "0", "max": 1}}]}, r"parameters\[0\].bounds.min: '0' is not of type"),
        ({"parameters": [{**X, "bounds": {"min": 2, "max": 2}}]}, "parameters: x has bounds from 2 to 2"),
        ({"parameters": [{"name": "x", "type": "double"}]}, "parameters: x is of type double and needs"),
        ({"parameters": [{**X, "grid": [1, 2]}]}, "parameters: x is of type double and needs either"),
        ({"parameters": [{**X, "type": "int", "bounds": {"min": 0, "max": 1.5}}]}, "parameters: x is of type int, 1.5"),
        ({"parameters": [{"name": "x", "type": "categorical"}]}, "parameters: x needs categorical_values"),
        ({"parameters": [{**N, "bounds": {"min": 0, "max": 2**63}}]}, "parameters: n is of type int, 9223.* is beyond"),
        (
            {"parameters": [{**N, "bounds": {"min": -(2**62), "max": 2**62}}]},
            "parameters: n is of type int, -46.* beyond",
        ),
        ({"parameters": [{**N, "bounds": {"min": 0, "max": 1e300}}]}, "parameters: n is of type int, 1e.300 is beyond"),
        ({"parameters": [{**N, "grid": [1, 2**70]}]}, "parameters: n is of type int, 1180.* is beyond"),
        (
            {"parameters": [{**X, "bounds": {"min": -1e308, "max": 1e308}}]},
            "parameters: x is of type double, -1e.308 is",
        ),
        (
            {"parameters": [{"name": "x", "type": "double", "grid": [1, 1e200]}]},
            "parameters: x is of type double, 1e.200",
        ),
        ({"parameters": [{"name": "x", "type": "double", "grid": [*range(1001)]}]}, "parameters: x has a grid of 1001"),
        (
            {"parameters": [{**X, "prior": {"name": "beta", "shape_a": 1, "shape_b": 5e-324}}]},
            "parameters: x has a prior with a shape of less",
        ),
        (
            {"parameters": [{**C, "categorical_values": MANY}], "conditionals": [{"name": "k", "values": MANY[:81]}]},
            "they have 201 categorical values, 120 of them c",
        ),
        (
            {"parameters": [X], "conditionals": [{"name": "x", "values": ["a", "b"]}]},
            "conditionals: x is the name of a",
        ),
        ({"linear_constraints": [LINEAR] * 101}, "linear_constraints: .* is too long"),
        ({"metrics": [{"name": "f", "objective": "best"}]}, "metrics"),
        ({"metrics": [{"name": f"f{n}", "strategy": "constraint", "threshold": 1} for n in range(5)]}, "at most 4"),
        ({"metrics": ["f", {"name": "g", "strategy": "store", "threshold": 1}]}, "metrics: g is only stored"),
        ({"observation_budget": 0}, "observation_budget: 0 is less than"),
        ({"observation_budget": 2.5}, "observation_budget: 2.5 is not of type"),
        ({"budget": 3}, "'budget' was unexpected"),
        ({"num_solutions": 2}, "num_solutions: "),
        ({"type": "grid"}, "type: 'grid' is not one of"),
        ({"metadata": {"a": [1]}}, "metadata.a: "),
        ({"metadata": {str(n): n for n in range(101)}}, "metadata: "),
        ({"tasks": [{"name": "a", "cost": 2}, {"name": "b", "cost": 1}]}, r"tasks\[0\].cost: 2 is greater than"),
    ],
)
def test_faulty_experiment_is_refused_by_field(changes, fault):
    with pytest.raises(Refusal, match=fault) as refused:
        check_experiment(body(**changes))
    assert refused.value.status == 400


def test_the_largest_experiment_passes():
    whole = {**N, "bounds": {"min": -(2**53), "max": 2**53}}
    wide = {**X, "bounds": {"min": -1e150, "max": 1e150}}
    grid = {"name": "g", "type": "double", "grid": [*range(1000)]}
    choice = {**C, "categorical_values": MANY}
    conditional = {"name": "k", "values": MANY[:80]}
    checked = check_experiment(body(parameters=[whole, wide, grid, choice], conditionals=[conditional]))
    assert checked["parameters"][0]["bounds"] == {"min": -(2**53), "max": 2**53}


def test_a_long_value_is_not_repeated():
    with pytest.raises(Refusal, match=r"name: 'nnn.* is too long") as refused:
        check_experiment(body(name="n" * 100_000))
    assert len(str(refused.value)) < 500


def test_what_cannot_change_is_refused():
    with pytest.raises(Refusal, match="metrics, parameters: cannot be updated"):
        check_update({"parameters": [], "metrics": []})
    with pytest.raises(Refusal, match="name: cannot be null"):
        check_update({"name": None})
    assert check_update({"observation_budget": None, "name": "n"}) == {"observation_budget": None, "name": "n"}


@pytest.mark.parametrize(
    ("observation", "fault"),
    [
        ({}, "suggestion, assignments: exactly one"),
        ({"suggestion": "1", "assignments": {"x": 0}, "failed": True}, "suggestion, assignments: exactly one"),
        ({"suggestion": "one", "failed": True}, "suggestion: 'one' does not match"),
        ({"suggestion": "1"}, "values: missing"),
        ({"suggestion": "1", "failed": True, "values": [{"value": 1}]}, "values: a failed observation has none"),
        ({"suggestion": "1", "values": [{"value": "1"}]}, r"values\[0\].value: '1' is not of type 'number'"),
        ({"suggestion": "1", "values": [{"value": True}]}, r"values\[0\].value: True is not of type 'number'"),
        ({"suggestion": "1", "values": [{"name": "g", "value": 1}]}, "values: want one for each of the metrics f"),
        ({"suggestion": "1", "values": [{"value": 1, "value_stddev": -1}]}, "value_stddev: -1 is less than"),
        ({"suggestion": "1", "values": [{"value": 1, "value_stddev": 1e200}]}, "value_stddev: 1e.200 is greater than"),
        ({"suggestion": "1", "values": [{"value": 1}, {"value": 2}]}, "values: want one for each"),
        ({"suggestion": "1", "value": 1}, "'value' was unexpected"),
    ],
)
def test_faulty_observation_is_refused_by_field(observation, fault):
    with pytest.raises(Refusal, match=fault):
        check_observation(observation, experiment())


def test_values_follow_the_order_of_the_metrics():
    given = [{"name": "g", "value": 2, "value_stddev": 0.5}, {"name": "f", "value": 1}]
    checked = check_observation({"suggestion": 4, "values": given}, experiment(metrics=["f", "g"]))
    assert checked["values"] == [
        {"name": "f", "value": 1, "value_stddev": None},
        {"name": "g", "value": 2, "value_stddev": 0.5},
    ]


def test_batch_is_limited():
    with pytest.raises(Refusal, match="observations: "):
        check_batch({"observations": [{}] * 2501})
    with pytest.raises(Refusal, match="'observations' is a required property"):
        check_batch({})


MIXED = {
    "parameters": [
        X,
        {"name": "n", "type": "int", "bounds": {"min": 1, "max": 9}},
        {"name": "g", "type": "double", "grid": [0.1, 0.2]},
        {"name": "l", "type": "double", "bounds": {"min": 0.1, "max": 9}, "transformation": "log"},
        {"name": "c", "type": "categorical", "categorical_values": ["u", "v"], "conditions": {"k": ["one"]}},
    ],
    "conditionals": [{"name": "k", "values": ["one", "two"]}],
    "linear_constraints": [
        {"type": "less_than", "threshold": 5, "terms": [{"name": "x", "weight": 1}, {"name": "n", "weight": 1}]}
    ],
}
GOOD = {"x": 0.5, "n": 3, "g": 0.1, "l": 1, "c": "u", "k": "one"}


def test_good_assignments_pass():
    check_assignments(GOOD, experiment(**MIXED))
    check_assignments({key: value for key, value in GOOD.items() if key != "c"} | {"k": "two"}, experiment(**MIXED))
    check_assignments({**GOOD, "x": 1, "l": 9}, experiment(**MIXED))


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"x": None}, "assignments.x: want a value of type double"),
        ({"x": "0.5"}, "assignments.x: want a value of type double"),
        ({"x": True}, "assignments.x: want a value of type double"),
        ({"n": 3.5}, "assignments.n: want a value of type int"),
        ({"n": 2**60}, "assignments.n: want a value within 9007199254740992"),
        ({"l": 1e200}, "assignments.l: want a value within 1e.150"),
        ({"g": 0.15}, r"assignments.g: want one of \[0.1, 0.2\]"),
        ({"l": 0}, "assignments.l: want a value from 0.1 to 9, got 0"),
        ({"x": 1.5}, "assignments.x: want a value from 0 to 1, got 1.5"),
        ({"c": "w"}, r"assignments.c: want one of \['u', 'v'\]"),
        ({"k": "two"}, "assignments.c: its conditions do not hold"),
        ({"k": "three"}, "assignments.k: want one of"),
        ({"y": 1}, "assignments: unknown parameters y"),
        ({"n": 5}, "assignments: 5.5 is not less_than 5"),
    ],
)
def test_faulty_assignments_are_refused_by_name(changes, fault):
    with pytest.raises(Refusal, match=fault):
        check_assignments({**GOOD, **changes}, experiment(**MIXED))


def test_large_weights_are_added_up():
    wide = {**X, "bounds": {"min": -(10**100), "max": 1}}
    two = experiment(parameters=[wide, {**X, "name": "y"}], linear_constraints=[{**LINEAR, "threshold": 0}])
    heavy = {**LINEAR, "terms": [{"name": "x", "weight": 10**300}, {"name": "y", "weight": 0.5}]}
    two.spec["linear_constraints"].append(heavy)
    check_assignments({"x": -(10**100), "y": 1}, two)


def test_missing_assignment_is_named():
    with pytest.raises(Refusal, match=r"assignments\.x: missing"):
        check_assignments({"k": "two"}, experiment(**MIXED))


def test_tasks():
    tasks = [{"name": "small", "cost": 0.1}, {"name": "full", "cost": 1}]
    assert check_task("small", experiment(tasks=tasks)) == {"name": "small", "cost": 0.1}
    assert check_task({"name": "full"}, experiment(tasks=tasks)) == {"name": "full", "cost": 1}
    with pytest.raises(Refusal, match="task: want one of small, full"):
        check_task(None, experiment(tasks=tasks))
    with pytest.raises(Refusal, match="task: this experiment has no tasks"):
        check_task("small", experiment())


def test_suggestion_takes_only_what_it_knows():
    assert check_suggestion({"metadata": {"a": None, "b": 1}}) == {"metadata": {"b": 1}}
    with pytest.raises(Refusal, match="'assignment' was unexpected"):
        check_suggestion({"assignment": {}})
