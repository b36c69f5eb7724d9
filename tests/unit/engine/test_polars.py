"""polars in this process; that it keeps the slot's contract is in tests/integration/test_engine.py."""

from datetime import date

import polars as pl
import pytest

from include.engine import Output
from include.engine.polars import Polars
from include.foundation.errors import InvalidInput
from include.foundation.lake import tables
from include.foundation.lake.change import Replace

DAY = date(2013, 1, 1)
SCHEMA = pl.Schema({"event_date": pl.Date(), "n": pl.Int64()})


def output(schema=lambda: SCHEMA):
    return {"rows": Output(table="toys.rows", schema=schema, change=Replace(frozenset({DAY})))}


def test_columns_are_asked_for_only_where_no_row_shows_them(folder_lake):
    def work(lake, days, sink):
        sink.write("rows", pl.DataFrame({"event_date": [DAY], "n": [1]}))

    staged = Polars().stage(folder_lake, work, [DAY], output(schema=lambda: pytest.fail("asked")))
    staged.commit("rows", {})
    assert tables.read(folder_lake, "toys.rows").rows() == [(DAY, 1)]
    Polars().stage(folder_lake, lambda *_: None, [], output()).commit("rows", {})
    assert tables.read(folder_lake, "toys.rows").is_empty()


def test_files_of_work_that_fails_are_deleted(folder_lake, tmp_path):
    def work(lake, days, sink):
        for number in range(2):  # the first are sent before the second are taken
            sink.write("rows", pl.DataFrame({"event_date": [DAY], "n": [number]}))
        assert [*tmp_path.rglob("*.parquet")]
        raise InvalidInput("no")

    with pytest.raises(InvalidInput, match="no"):
        Polars().stage(folder_lake, work, [DAY], output())
    assert [*tmp_path.rglob("*.parquet")] == []


@pytest.mark.parametrize("more", [0, 1])
def test_what_went_wrong_with_rows_on_their_way_fails_the_work(folder_lake, tmp_path, more):
    def work(lake, days, sink):
        for day in (DAY, date(2013, 1, 2), *[DAY] * more):
            sink.write("rows", pl.DataFrame({"event_date": [day], "n": [1]}))

    with pytest.raises(InvalidInput, match="rows of 2013-01-02 are not of the days"):
        Polars().stage(folder_lake, work, [DAY], output())
    assert [*tmp_path.rglob("*.parquet")] == []


def test_rows_that_are_forgotten_on_their_way_are_not_committed(folder_lake):
    def work(lake, days, sink):
        for number in range(3):
            sink.write("rows", pl.DataFrame({"event_date": [DAY], "n": [number]}))
            sink.clear()
        for number in range(3, 6):
            sink.write("rows", pl.DataFrame({"event_date": [DAY], "n": [number]}))

    Polars().stage(folder_lake, work, [DAY], output()).commit("rows", {})
    assert tables.read(folder_lake, "toys.rows")["n"].to_list() == [3, 4, 5]
