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
        sink.write("rows", pl.DataFrame({"event_date": [DAY], "n": [1]}))
        assert [*tmp_path.rglob("*.parquet")]
        raise InvalidInput("no")

    with pytest.raises(InvalidInput, match="no"):
        Polars().stage(folder_lake, work, [DAY], output())
    assert [*tmp_path.rglob("*.parquet")] == []
