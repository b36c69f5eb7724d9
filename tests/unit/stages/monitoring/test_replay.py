from collections.abc import Callable
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from include.foundation.problem import problem
from include.foundation.problem.protocol import Answers
from include.foundation.spec.monitoring import Monitoring
from include.stages.monitoring.replay import ByPolicy, Every, OnSignal, Past, replay

FIRST = date(2026, 1, 1)
START = FIRST + timedelta(days=60)
TURN = FIRST + timedelta(days=130)
DAYS = 224
PERIODS = [(START, TURN), (TURN, FIRST + timedelta(days=DAYS))]


def past(turn: date, fitted: list[date] | None = None) -> Past:
    """A label that follows x until a day, and the opposite of x from then on; a model that learns the sign."""
    rng = np.random.default_rng(1)
    dates = pl.date_range(FIRST, FIRST + timedelta(days=DAYS - 1), eager=True).repeat_by(60).explode()
    x = rng.normal(size=len(dates))
    sign = np.where(dates.to_numpy() < np.datetime64(turn), 1, -1)
    label = rng.random(len(dates)) < 1 / (1 + np.exp(-3 * sign * x))
    rows = pl.DataFrame({"event_date": dates, "x": x, "label": label})

    def fit(seen: pl.DataFrame) -> Callable[[pl.DataFrame], Answers]:
        if fitted is not None:
            fitted.append(seen["event_date"].max())
        slope = np.sign(np.corrcoef(seen["x"], seen["label"])[0, 1])
        return lambda others: 1 / (1 + np.exp(-3 * slope * others["x"].to_numpy()))

    return Past(
        rows=rows.cast({"label": pl.Int8}), features=["x"], fit=fit, kind=problem("binary"), metric="auc",
        rules=Monitoring(compare_days=21), start=START, training_days=42,
    )  # fmt: skip


def test_the_calendar_trains_by_the_calendar() -> None:
    lived = past(TURN)
    assert replay(lived, Every("never"), PERIODS).trained == ()
    assert len(replay(lived, Every("weekly", 7), PERIODS).trained) == len(lived.steps) == 23
    monthly = replay(lived, Every("monthly", 28), PERIODS)
    assert monthly.trained == tuple(START + timedelta(days=28 * n) for n in range(1, 6))
    assert monthly.mean == pytest.approx(np.mean(monthly.values))


def test_the_policy_waits_until_training_helps() -> None:
    found = replay(past(TURN), ByPolicy(), PERIODS)
    assert found.trained
    assert 21 <= (found.trained[0] - TURN).days <= 70
    never = replay(past(TURN), Every("never"), PERIODS)
    assert found.mean > never.mean + 0.1
    assert found.regret < never.regret


def test_nothing_is_trained_where_nothing_changes() -> None:
    assert replay(past(date.max), ByPolicy(), PERIODS).trained == ()


def test_one_detector_alone_trains_as_soon_as_it_sees_something() -> None:
    found = replay(past(TURN), OnSignal("performance"), PERIODS)
    assert found.name == "on performance"
    assert (found.trained[0] - TURN).days <= 7


def test_no_strategy_learns_from_the_day_of_its_decision_or_later() -> None:
    fitted: list[date] = []
    lived = past(TURN, fitted)
    replay(lived, Every("weekly", 7), PERIODS)
    asked = {START, *lived.steps, *(day - timedelta(days=21) for day in (START, *lived.steps)), TURN}
    assert {day + timedelta(days=1) for day in fitted} <= asked
    assert len(fitted) == len({*fitted}), "a fit is shared"
