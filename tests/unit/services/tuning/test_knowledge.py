"""Suggestion `n` knows what is fixed by its number, in whatever order outcomes arrive."""

import random

import pytest

from include.services.tuning.knowledge import LOST_SECONDS, known, lag
from include.services.tuning.records import Experiment, Observation, Suggestion
from include.services.tuning.refusal import Refusal


def _experiment(workers: int | None) -> Experiment:
    counts = {"created": 0, "updated": 0, "observations": 0, "consumed": 0}
    plain = {"id": 1, "state": "active", "name": "e", "project": None, "budget": 20, "metadata": None, "spec": {}}
    return Experiment(**plain, **counts, parallel_bandwidth=workers)


def _suggestion(number: int, *, running: bool, created: int = 0) -> Suggestion:
    plain = {"experiment": 1, "assignments": {"x": number}, "task": None, "metadata": None}
    return Suggestion(id=100 + number, number=number, open=running, created=created, **plain)


def _observation(key: int, number: int | None, *, created: int = 0) -> Observation:
    plain = {"experiment": 1, "assignments": {}, "task": None, "values": [], "failed": False, "metadata": None}
    return Observation(id=key, suggestion=None if number is None else 100 + number, created=created, **plain)


def _known(workers, suggestions, observations, *, number, now=0.0):
    found = known(_experiment(workers), suggestions, observations, number=number, start=4, now=now)
    return [each.suggestion for each in found[0]], [each.number for each in found[1]]


def test_one_worker_knows_all_and_four_leave_room():
    assert [lag(workers) for workers in (1, 2, 4, 8)] == [1, 3, 6, 12]


def test_the_order_of_arrival_changes_nothing():
    suggestions = [_suggestion(number, running=number > 11) for number in range(1, 13)]
    arrivals = list(range(1, 12))
    seen = []
    for seed in range(5):
        random.Random(seed).shuffle(arrivals)
        seen.append(_known(4, suggestions, [_observation(key, n) for key, n in enumerate(arrivals)], number=13))
    assert seen == [([101, 102, 103, 104, 105, 106, 107], [8, 9, 10, 11, 12])] * 5


def test_an_outcome_that_must_be_known_is_waited_for():
    suggestions = [_suggestion(number, running=number == 3) for number in range(1, 9)]
    observations = [_observation(n, n) for n in range(1, 9) if n != 3]
    assert _known(4, suggestions, observations, number=8) == ([101, 102], [3, 4, 5, 6, 7, 8])
    with pytest.raises(Refusal, match="waits for the observation of suggestion 103, number 3") as caught:
        _known(4, suggestions, observations, number=9)
    assert caught.value.status == 425
    late = _known(4, suggestions, observations, number=9, now=LOST_SECONDS + 1)
    assert late == ([101, 102], [4, 5, 6, 7, 8])


def test_long_trials_are_waited_for_longer():
    suggestions = [_suggestion(1, running=False), _suggestion(2, running=True)]
    observations = [_observation(1, 1, created=1000)]
    with pytest.raises(Refusal, match="waits"):
        _known(1, [*suggestions, *(_suggestion(n, running=False) for n in (3, 4))], observations, number=5, now=3999)


def test_the_first_suggestions_know_no_trial_and_wait_for_none():
    suggestions = [_suggestion(number, running=True) for number in (1, 2, 3)]
    assert _known(1, suggestions, [_observation(9, None)], number=4) == ([None], [1, 2, 3])


def test_without_a_number_of_workers_everything_is_known_at_once():
    suggestions = [_suggestion(1, running=False), _suggestion(2, running=True)]
    assert _known(None, suggestions, [_observation(1, 1)], number=9) == ([101], [2])
