"""Texts with SQL's types become columns."""

from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import polars as pl

from include.warehouse.columns import arrow, distinct

MOMENT = datetime(2013, 1, 2, 3, 4, 5, 678_000, UTC)


def test_each_type_is_read():
    types = ["bigint", "double", "boolean", "date", "timestamp(3)", "timestamp(6) with time zone", "decimal(5,2)"]
    row = ["7", "0.5", "true", "2013-01-02", "2013-01-02 03:04:05.678", "2013-01-02 03:04:05.678 UTC", "1.25"]
    names = list("abcdefg")
    frame = pl.DataFrame(
        pl.from_arrow(arrow([*names, "h", "a"], [*types, "array(integer)", "varchar"], [[*row, "[1]", "x"]]))
    )
    assert frame.row(0) == (
        *(7, 0.5, True, date(2013, 1, 2), MOMENT.replace(tzinfo=None)),
        *(MOMENT, Decimal("1.25"), "[1]", "x"),
    )
    assert frame.columns[-1] == "a_2"


def test_no_rows_and_nulls_keep_the_types():
    assert pl.DataFrame(pl.from_arrow(arrow(["n"], ["integer"], []))).schema == {"n": pl.Int64}
    assert pl.DataFrame(pl.from_arrow(arrow(["n"], ["real"], [[None]]))).row(0) == (None,)


def test_a_moment_in_another_zone_is_read_or_stays_as_it_was_told():
    told = [[MOMENT.astimezone(ZoneInfo("America/New_York"))], [None]]
    frame = pl.DataFrame(pl.from_arrow(arrow(["at"], ["timestamp with time zone"], told)))
    assert frame["at"].to_list() == [MOMENT, None]
    told = [["2013-01-01 22:04:05.678 America/New_York"], [None]]
    frame = pl.DataFrame(pl.from_arrow(arrow(["at"], ["timestamp(3) with time zone"], told)))
    assert frame["at"].to_list() == ["2013-01-01 22:04:05.678 America/New_York", None]


def test_numbers_of_names_meet_no_other_name():
    assert distinct(["a_2", "a", "A", "a"]) == ["a_2", "a", "A_3", "a_4"]
    assert distinct([]) == []
