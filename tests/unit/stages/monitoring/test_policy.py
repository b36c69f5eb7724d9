from datetime import date, timedelta

import pytest

from include.foundation.problem.bootstrap import Interval
from include.foundation.spec.monitoring import Retraining
from include.stages.monitoring.observation import Observation
from include.stages.monitoring.policy import decide

TODAY = date(2026, 7, 1)
RULES = Retraining(windows=3, signals=2, pause_days=28, per_year=2, margin=0.01)
LONG_AGO = TODAY - timedelta(days=100)


def seen(*signals: str) -> list[Observation]:
    return [
        Observation(
            start=TODAY, end=TODAY, rows=9, labelled=9, value=0.7, drifted=(), answers=0.1,
            signals=(signal,) if signal else (),
        )
        for signal in signals
    ]  # fmt: skip


def better(low: float = 0.02) -> Interval:
    return Interval(value=0.03, low=low, high=0.04)


def not_asked() -> Interval:
    raise AssertionError("the challenger is fitted for nothing")


@pytest.mark.parametrize(
    ("signals", "says"),
    [
        ((), "0 of the last 0 windows show a signal, none was looked at"),
        (("", "", "performance"), "1 of the last 3 windows show a signal, the newest too"),
        (("performance", "performance", ""), "2 of the last 3 windows show a signal, not the newest"),
        (("performance", "", "", "features"), "1 of the last 3 windows"),
    ],
)
def test_signals_must_last(signals: tuple[str, ...], says: str) -> None:
    decision = decide(RULES, seen(*signals), today=TODAY, trained=[LONG_AGO], challenge=not_asked)
    assert not decision.train
    assert says in decision.reason


@pytest.mark.parametrize(
    ("trained", "says"),
    [
        ([TODAY - timedelta(days=27)], "the last training was 27 days ago, the pause is 28"),
        ([LONG_AGO, LONG_AGO - timedelta(days=30)], "2 trainings in 365 days, the budget is 2"),
    ],
)
def test_pause_and_budget_hold_it_back(trained: list[date], says: str) -> None:
    decision = decide(RULES, seen("age", "", "features"), today=TODAY, trained=trained, challenge=not_asked)
    assert not decision.train
    assert says in decision.reason


def test_trainings_of_last_year_are_not_of_this_budget() -> None:
    old = [TODAY - timedelta(days=365), TODAY - timedelta(days=400), LONG_AGO]
    assert decide(RULES, seen("age", "age"), today=TODAY, trained=old, challenge=better).train


def test_the_challenger_must_be_better_by_the_margin() -> None:
    yes = decide(RULES, seen("age", "", "features"), today=TODAY, trained=[LONG_AGO], challenge=better)
    assert yes.train
    assert yes.reason == "age, features in 2 of the last 3 windows; a challenger gains +0.0300 (+0.0200 to +0.0400)"
    for low in (0.01, -0.02, float("nan")):
        no = decide(RULES, seen("age", "age"), today=TODAY, trained=[LONG_AGO], challenge=lambda low=low: better(low))
        assert not no.train
        assert "not above 0.01: training would not help" in no.reason
