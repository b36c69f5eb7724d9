"""Texts with SQL's types become columns."""

from datetime import UTC, date, datetime
from decimal import Decimal

import polars as pl

from include.warehouse.columns import arrow

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
    assert frame.columns[-1] == "a_9"


def test_no_rows_and_nulls_keep_the_types():
    assert pl.DataFrame(pl.from_arrow(arrow(["n"], ["integer"], []))).schema == {"n": pl.Int64}
    assert pl.DataFrame(pl.from_arrow(arrow(["n"], ["real"], [[None]]))).row(0) == (None,)
