"""Days that landed late; with files that really did: tests/integration/test_features.py."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import polars as pl
from polars.testing import assert_frame_equal

from include.stages.features.gold import join_history, to_gold
from include.stages.features.landed import Landings, as_landed
from tests.unit.stages.features.conftest import FIRST

LATE = 4  # the day that lands after the seventh
DAYS = [FIRST + timedelta(days=n) for n in range(10)]


def at(number: float) -> datetime:
    """Days land in the small hours of the next one; years later, for what is loaded is history."""
    return datetime(2030, 1, 2, 3, tzinfo=UTC) + timedelta(days=number)


def landings(late: timedelta = timedelta(hours=6)) -> Landings:
    sales = {day: at(n) for n, day in enumerate(DAYS)} | {DAYS[LATE]: at(7.5)}
    return Landings({"sales": sales, "staff": {DAYS[0]: at(0), DAYS[4]: at(4)}}, sales, late)


def gold(module, silver, first=DAYS[0], last=DAYS[-1]) -> pl.DataFrame:
    return to_gold(module, silver, join_history(module, silver, first, last))


def test_rows_of_the_days_in_between_do_not_see_a_late_day(module, silver):
    every = gold(module, silver)
    found = as_landed(module, silver, every, landings())
    without = gold(module, {**silver, "sales": silver["sales"].filter(pl.col("event_date") != DAYS[LATE])})
    between = pl.col("event_date").is_in(DAYS[LATE + 1 : 8])
    assert_frame_equal(found.filter(between), without.filter(between), check_exact=True)
    assert not found.filter(between).equals(every.filter(between))
    rest = ~between & (pl.col("event_date") != DAYS[LATE])
    assert_frame_equal(found.filter(rest), every.filter(rest), check_exact=True)
    assert found["id"].equals(every["id"])


def test_labels_of_a_late_day_are_known_when_the_days_that_landed_before_it_are_over(module, silver):
    every = gold(module, silver)
    found = as_landed(module, silver, every, landings())
    late = pl.col("event_date") == DAYS[LATE]
    assert {*found.filter(late)["label_known_at"].drop_nulls()} == {datetime(2024, 1, 9, tzinfo=UTC)}
    assert found.filter(late)["label"].equals(every.filter(late)["label"])
    assert found.filter(~late)["label_known_at"].equals(every.filter(~late)["label_known_at"])


def test_what_landed_in_order_or_soon_enough_is_seen(module, silver):
    every = gold(module, silver)
    assert_frame_equal(as_landed(module, silver, every, landings(timedelta(days=3))), every, check_exact=True)
    in_order = {day: at(n / 1000) for n, day in enumerate(DAYS)}
    loaded = Landings({"sales": in_order, "staff": {}}, in_order, timedelta(0))
    assert_frame_equal(as_landed(module, silver, every, loaded), every, check_exact=True)


def test_a_late_snapshot_leaves_the_one_before(module, silver):
    late = landings()
    sales = {day: at(n) for n, day in enumerate(DAYS)}
    late = replace(late, whole=sales, sources={"sales": sales, "staff": {DAYS[0]: at(0), DAYS[4]: at(20)}})
    found = as_landed(module, silver, gold(module, silver), late)
    assert {*found.filter(pl.col("shop") == "a")["clerks"].drop_nulls()} == {0.0, 4.0}
    assert {*found.filter(pl.col("event_date") > DAYS[4])["clerks"].drop_nulls()} == {0.0}


def test_rows_do_not_depend_on_the_range_that_computed_them(module, silver):
    whole = as_landed(module, silver, gold(module, silver), landings())
    for day in DAYS[3:9]:
        near = pl.col("event_date").is_between(day - timedelta(days=1), day)
        frames = {"sales": silver["sales"].filter(near), "staff": silver["staff"].filter(pl.col("event_date") <= day)}
        alone = as_landed(module, frames, gold(module, frames, day, day), landings())
        assert_frame_equal(alone, whole.filter(pl.col("event_date") == day), check_exact=True)


def test_a_day_of_topics_alone_has_nothing_late(module, silver):
    every = gold(module, silver)
    assert Landings({}, {}, timedelta(0)).unseen(date(2024, 1, 3)) == frozenset()
    assert_frame_equal(as_landed(module, silver, every, Landings({}, {}, timedelta(0))), every, check_exact=True)
