"""What the lake says of a table."""

from datetime import UTC, date, datetime

import polars as pl
import pytest

from include.catalog import state
from include.foundation.lake import tables
from include.foundation.lake.commit import replace_days
from include.foundation.lake.tags import ensure_tag
from include.foundation.spec import load

D = [date(2013, 1, day) for day in range(1, 4)]
ROWS = pl.DataFrame({"event_date": D, "a": [1, 2, 3]})
SAID = {
    "run_id": "manual__1",
    "landed": "4",
    "quarantined": "1",
    "reasons": '{"a: ge(0)": 1}',
    "warnings": '["2013-01-02: few rows"]',
    "bronze_snapshot": "12",
}


@pytest.fixture
def table(folder_lake):
    replace_days(folder_lake, "silver.t", ROWS[:2], D[:2], {"run_key": "1", **SAID})
    replace_days(folder_lake, "silver.t", ROWS[2:], D[2:], {"run_key": "2", "reasons": "another program's"})
    ensure_tag(folder_lake, "silver.t", "train-1", tables.current_snapshot_id(folder_lake, "silver.t"))
    return tables.load(folder_lake, "silver.t")


def test_it_counts_from_metadata(table):
    now = state.state(table)
    assert (now.rows, now.files, now.snapshots, now.newest) == (3, 3, 2, D[2])
    assert now.bytes > 0
    assert [name for name, _, _ in now.columns] == ["event_date", "a"]
    assert (datetime.now(UTC) - now.updated).total_seconds() < 60
    assert [(day, rows, files) for day, rows, files, _ in state.partitions(table)] == [(d, 1, 1) for d in reversed(D)]


def test_commits_say_what_ingest_saw(table):
    first, second = state.history(table)
    assert (first.rows, second.rows, first.run) == (2, 3, "manual__1")
    assert (first.quality.landed, first.quality.quarantined, dict(first.quality.reasons)) == (4, 1, {"a: ge(0)": 1})
    assert first.quality.warnings == ("2013-01-02: few rows",)
    assert (second.quality, dict(first.made_from)) == (None, {"bronze": "12"})
    assert "train-1" in second.tags


def test_an_empty_table_has_no_day(folder_lake):
    now = state.state(tables.ensure_table(folder_lake, "silver.empty", ROWS.schema))
    assert (now.rows, now.newest, now.updated) == (0, None, None)


def test_freshness_is_by_the_schedule():
    spec = load("flight_delays")
    assert state.due(spec, date(2012, 12, 1)) is None
    assert state.due(spec, date(2013, 2, 1)) == date(2013, 2, 1)
    assert state.due(spec, date(2020, 1, 1)) == spec.schedule.end
    assert state.freshness(date(2013, 1, 31), date(2013, 2, 1))[0] == "ok"
    verdict, words = state.freshness(date(2013, 1, 1), date(2013, 2, 1))
    assert (verdict, "31 days behind" in words) == ("late", True)
    assert [state.freshness(*days)[0] for days in ((None, D[0]), (D[0], None))] == ["unknown", "unknown"]
