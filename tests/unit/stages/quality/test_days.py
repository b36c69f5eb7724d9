from datetime import date, timedelta

import polars as pl
import pytest
from pydantic import ValidationError

from include.foundation.spec.quality import Daily, Levels
from include.stages.quality import Verdict
from include.stages.quality.days import Day, Days, compare

TODAY = date(2013, 2, 1)
BEFORE = {TODAY - timedelta(days=n): Day(1000, {"delay": 0.02}) for n in range(1, 29)}


def told(today: Day, before: dict[date, Day] = BEFORE) -> list[tuple[str, bool]]:
    return [(str(finding), finding.stop) for finding in compare({TODAY: today}, before, Daily())]


@pytest.mark.parametrize(
    ("rows", "stop"),
    [(1000, None), (700, None), (650, False), (500, True), (1, True), (1500, False), (1_200_000, True)],
)
def test_rows_are_held_against_the_weeks_before(rows: int, stop: bool | None) -> None:
    text = f"2013-02-01: {rows:,} rows, 1,000 on a usual day of the 4 weeks before"
    assert told(Day(rows, {})) == ([] if stop is None else [(text, stop)])


@pytest.mark.parametrize(("share", "stop"), [(0.02, None), (0.5, None), (0.57, False), (1.0, True)])
def test_values_that_are_gone_are_told_by_column(share: float, stop: bool | None) -> None:
    text = f"2013-02-01: delay: {share:.0%} without a value, 2% on a usual day of the 4 weeks before"
    assert told(Day(1000, {"delay": share})) == ([] if stop is None else [(text, stop)])


def test_exactly_a_level_more_without_a_value_is_within_it() -> None:
    usual = {day: Day(1000, {"delay": 0.7}) for day in BEFORE}
    limits = Daily(nulls=Levels(warn=0.1, stop=0.1))
    assert not [*compare({TODAY: Day(1000, {"delay": 0.8})}, usual, limits)]
    assert [*compare({TODAY: Day(1000, {"delay": 0.801})}, usual, limits)]


def test_a_column_that_never_had_values_is_usual() -> None:
    empty = {day: Day(1000, {"gust": 1.0}) for day in BEFORE}
    assert told(Day(1000, {"gust": 1.0}), empty) == []


def test_too_few_or_too_old_days_judge_nothing_and_one_bad_day_moves_nothing() -> None:
    assert told(Day(1, {}), {day: BEFORE[day] for day in sorted(BEFORE)[:6]}) == []
    assert told(Day(1, {}), {day - timedelta(weeks=9): each for day, each in BEFORE.items()}) == []
    assert told(Day(1000, {}), {**BEFORE, TODAY - timedelta(days=1): Day(1, {})}) == []


def test_days_of_the_run_are_before_its_later_days() -> None:
    run = {TODAY + timedelta(days=n): Day(1000 if n < 9 else 10, {}) for n in range(10)}
    assert [finding.day for finding in compare(run, {}, Daily())] == [TODAY + timedelta(days=9)]
    assert [
        *compare({TODAY: Day(1000, {})}, {TODAY + timedelta(days=n): Day(1, {}) for n in range(1, 20)}, Daily())
    ] == []


def test_counts_are_of_days_whatever_the_frames() -> None:
    schema = {"delay": pl.Int64, "event_date": pl.Date}
    first = pl.DataFrame([(1, TODAY), (None, TODAY), (3, TODAY + timedelta(days=1))], schema=schema, orient="row")
    second = pl.DataFrame([(None, TODAY + timedelta(days=1))], schema=schema, orient="row")
    days = Days("event_date")
    for passed, failed in ((first, second), (second, first[:0])):
        days.add(Verdict(passed=passed, failed=failed, counts={}, examples={}))
    assert days.each() == {TODAY: Day(2, {"delay": 0.5}), TODAY + timedelta(days=1): Day(3, {"delay": 0.5})}
    assert days.null_shares() == {"delay": 0.5}
    days.clear()
    assert (days.each(), days.null_shares()) == ({}, {})


def test_levels_are_in_order() -> None:
    with pytest.raises(ValidationError, match=r"warn 0.5 lies above stop 0.4"):
        Levels(warn=0.5, stop=0.4)
