from datetime import date, timedelta
from functools import partial

import numpy as np
import polars as pl
import pytest

from include.foundation.errors import InvalidInput
from include.foundation.problem import problem
from include.foundation.spec.monitoring import Monitoring
from include.stages.monitoring import reference as module
from include.stages.monitoring.reference import Reference, windows

FIRST = date(2026, 1, 1)
RULES = Monitoring(window_days=7)


def rows(days: int, seed: int = 1) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    dates = pl.date_range(FIRST, FIRST + timedelta(days=days - 1), eager=True).repeat_by(100).explode()
    x = rng.normal(size=len(dates))
    label = rng.random(len(dates)) < 1 / (1 + np.exp(-2 * x))
    return pl.DataFrame({"event_date": dates, "x": x, "label": label}).cast({"label": pl.Int8})


def answers(frame: pl.DataFrame) -> np.ndarray:
    return 1 / (1 + np.exp(-2 * frame["x"].to_numpy()))


def reference(train: pl.DataFrame, holdout: pl.DataFrame) -> Reference:
    return Reference.of(
        train.select, holdout, answers(holdout), features=["x"], kind=problem("binary"), metric="auc", rules=RULES
    )


def test_windows_are_whole_and_end_with_the_last_day() -> None:
    frame = rows(17)
    found = [frame.filter(window) for window in windows(frame["event_date"], 7)]
    assert [(each["event_date"].min(), each["event_date"].max()) for each in found] == [
        (FIRST + timedelta(days=3), FIRST + timedelta(days=9)),
        (FIRST + timedelta(days=10), FIRST + timedelta(days=16)),
    ]


def test_days_without_rows_are_no_window() -> None:
    frame = rows(28).filter(~pl.col("event_date").is_between(FIRST + timedelta(days=7), FIRST + timedelta(days=13)))
    assert [window.sum() for window in windows(frame["event_date"], 7)] == [700] * 3
    assert windows(frame["event_date"].clear(), 7) == []


def test_what_is_ordinary_is_learnt_from_windows() -> None:
    found = reference(rows(84), rows(28, seed=2))
    assert found.until == FIRST + timedelta(days=83)
    assert found.value == pytest.approx(0.87, abs=0.02)
    assert 0 < found.spread < 0.1
    assert 0 < found.features["x"].limit < 0.2


@pytest.mark.parametrize(
    ("values", "asked"), [(30_000, [["x", "y", "z"]]), (20_000, [["x", "y"], ["z"]]), (1, [["x"], ["y"], ["z"]])]
)
def test_columns_are_read_as_many_at_once_as_memory_takes_and_say_the_same(
    values: int, asked: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    train = rows(84).with_columns(y=pl.col("x") ** 2, z=pl.when(pl.col("x") > 0).then(pl.lit("a")))
    learn = partial(
        Reference.of,
        holdout=(holdout := rows(28)),
        answers=answers(holdout),
        features=["x", "y", "z"],
        kind=problem("binary"),
        metric="auc",
        rules=RULES,
    )
    told: list[list[str]] = []
    whole = learn(train.select)
    monkeypatch.setattr(module, "VALUES", values)
    assert learn(lambda names: told.append([*names]) or train.select(names)) == whole
    assert told == [["event_date"], *asked]


def test_too_little_to_tell_is_refused() -> None:
    with pytest.raises(InvalidInput, match="the training window has 2 windows of 7 days; monitoring needs 3"):
        reference(rows(20), rows(28))
    with pytest.raises(InvalidInput, match="the holdout has 1 windows"):
        reference(rows(84), rows(13))
    one_class = rows(28).with_columns(label=pl.lit(1, pl.Int8))
    with pytest.raises(InvalidInput, match="auc is not defined in a window of the holdout"):
        reference(rows(84), one_class)
