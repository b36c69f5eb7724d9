"""What the tuning service suggests."""

import math
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from statistics import median

import pytest

from include.stages.tuning.experiment import best

pytestmark = pytest.mark.integration


def test_every_kind_of_parameter(tuning):
    parameters = [
        {"name": "d", "type": "double", "bounds": {"min": 0.02, "max": 0.3}, "transformation": "log"},
        {"name": "i", "type": "int", "bounds": {"min": 3, "max": 5}},
        {"name": "g", "type": "double", "grid": [0.1, 1.0, 7.3], "transformation": "log"},
        {"name": "c", "type": "categorical", "categorical_values": ["u", "v"], "conditions": {"k": ["one"]}},
        {"name": "p", "type": "double", "bounds": {"min": 0.4, "max": 1.0}, "conditions": {"k": ["two"]}},
    ]
    made = tuning.make(parameters=parameters, conditionals=[{"name": "k", "values": ["one", "two"]}], budget=12)
    seen = []
    while len(seen) < 12:
        point = dict((suggestion := tuning.ask(made)).assignments)
        assert 0.02 <= point["d"] <= 0.3
        assert point["i"] in (3, 4, 5)
        assert isinstance(point["i"], int)
        assert point["g"] in (0.1, 1.0, 7.3)
        assert set(point) == {"d", "i", "g", "k"} | ({"c"} if point["k"] == "one" else {"p"})
        tuning.tell(made, suggestion, point["d"] + point["i"] if len(seen) % 4 else None)
        seen.append(point)
    assert {point["k"] for point in seen} == {"one", "two"}


@pytest.mark.long
def test_priors_constraints_and_two_metrics(tuning, client):
    parameters = [{**tuning.box[0], "prior": {"name": "normal", "mean": 2, "scale": 1}}, tuning.box[1]]
    assert -5 <= tuning.ask(tuning.make(parameters=parameters)).assignments["x"] <= 10
    terms = [{"name": "x", "weight": 1}, {"name": "y", "weight": 1}]
    line = [{"type": "less_than", "threshold": 3, "terms": terms}]
    metrics = [{"name": "f"}, {"name": "g", "objective": "minimize"}]
    made = tuning.make(linear_constraints=line, metrics=metrics, budget=9)
    own = client.experiments(made.id)
    for _ in range(9):
        suggestion = own.suggestions().create()
        point = suggestion.assignments
        assert point["x"] + point["y"] <= 3 + 1e-9
        values = [{"name": "f", "value": point["x"]}, {"name": "g", "value": point["x"] ** 2}]
        own.observations().create(suggestion=suggestion.id, values=values)
    front = [
        {each.name: each.value for each in found.values} for found in own.best_assignments().fetch().iterate_pages()
    ]
    assert front == sorted(front, key=lambda each: -each["f"])
    assert all(a["g"] > b["g"] for a, b in pairwise(front))


@pytest.mark.long
def test_constraint_metrics_and_tasks(tuning, client):
    metrics = [*tuning.loss, {"name": "size", "strategy": "constraint", "objective": "minimize", "threshold": 5}]
    made = tuning.make(metrics=metrics, budget=8)
    own = client.experiments(made.id)
    for _ in range(8):
        suggestion = own.suggestions().create()
        point = suggestion.assignments
        values = [{"name": "size", "value": point["y"]}, {"name": "loss", "value": tuning.branin(point)}]
        own.observations().create(suggestion=suggestion.id, values=values)
    assert all(found.values[1].value <= 5 for found in own.best_assignments().fetch().iterate_pages())

    tasks = [{"name": "small", "cost": 0.25}, {"name": "full", "cost": 1}]
    made = tuning.make(tasks=tasks, budget=5)
    used = []
    while client.experiments(made.id).fetch().progress.observation_budget_consumed < 5:
        suggestion = tuning.ask(made)
        used.append(suggestion.task.name)
        tuning.tell(made, suggestion, tuning.branin(suggestion.assignments) + (suggestion.task.name == "small"))
    assert set(used) == {"small", "full"}


def test_random_experiments_and_small_domains(tuning):
    values = [{"name": "c", "type": "categorical", "categorical_values": ["u", "v", "w"]}]
    for kind in ("offline", "random"):
        made = tuning.make(parameters=values, type=kind, budget=5)
        seen = [tuning.ask(made).assignments["c"] for _ in range(5)]  # more than there are: repeats are allowed
        assert set(seen) == {"u", "v", "w"}


def test_workers_at_once_get_different_suggestions(tuning, client):
    made = tuning.make(seed=5)
    tuning.add(made, *({"x": x, "y": y} for x in (-5, 2, 9) for y in (1, 8)))
    with ThreadPoolExecutor(6) as pool:
        asked = [pool.submit(tuning.ask, made) for _ in range(6)]
        fetched = client.experiments(made.id).fetch()  # others are answered meanwhile
        assert not all(each.done() for each in asked)
    assert fetched.id == made.id
    points = [(each.result().assignments["x"], each.result().assignments["y"]) for each in asked]
    apart = min(math.dist(a, b) for a in points for b in points if a is not b)
    assert apart > 0.01, points


@pytest.mark.long
def test_what_is_suggested_follows_from_what_is_stored(own_tuning):
    """Replay: a service that is killed now and then suggests the same as one that is not."""
    tuning = own_tuning()

    def drive(*, runs, steps):
        with tuning.run():
            made, points = tuning.make(seed=11), []
        for _ in range(runs):
            with tuning.run() as process:
                for _ in range(steps):
                    pair = [tuning.ask(made), tuning.ask(made)]
                    points.extend(dict(each.assignments) for each in pair)
                    tuning.tell(made, pair[0], tuning.branin(points[-2]) if len(points) != 6 else None)
                process.kill()
        return points

    points = drive(runs=1, steps=5)
    assert drive(runs=2, steps=3)[:10] == points
    assert len({tuple(point.values()) for point in points}) == 10


def test_branin(tuning):
    """One experiment of those that are measured below; as many random points find about 2 in the median.

    With twenty, what is found depends on the processor, whose last bits differ: 0.5 to 5.8 by seed.
    """
    assert tune(tuning, budget=24, workers=4, seed=1) < 1


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("budget", "workers", "target"), [(30, 1, 0.42), (32, 4, 0.556)])
def test_branin_in_full(tuning, budget, workers, target):
    found = [tune(tuning, budget=budget, workers=workers, seed=seed) for seed in range(5)]
    print(f"Branin, {budget} evaluations by {workers}: {sorted(found)}, median {median(found):.4f}")
    assert median(found) <= target


def tune(tuning, *, budget, workers, seed) -> float:
    """The least Branin value found by workers of which all have a trial, and the one that began first ends first."""
    made = tuning.make(budget=budget, seed=seed, parallel_bandwidth=workers)
    held = deque(tuning.ask(made) for _ in range(workers))
    for asked in range(workers, budget + workers):
        suggestion = held.popleft()
        tuning.tell(made, suggestion, tuning.branin(suggestion.assignments))
        if asked < budget:
            held.append(tuning.ask(made))
    return best(tuning.client(), made.id)[1]
