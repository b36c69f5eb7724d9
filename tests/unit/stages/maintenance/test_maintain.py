from collections.abc import Callable
from datetime import date, timedelta

import polars as pl
import pytest

from include.foundation.errors import PermanentError
from include.foundation.lake import Lake, tables
from include.foundation.lake.commit import replace_days
from include.foundation.spec import load
from include.stages.maintenance import maintain as module
from include.stages.maintenance.maintain import existing, maintain

D = [date(2013, 1, n) for n in range(1, 4)]
TABLE = "gold.flight_delays"
ROWS = pl.DataFrame({"event_date": D, "v": [1, 2, 3]})
BOUNDS = {"keep": timedelta(seconds=-1), "orphan_age": timedelta(days=3), "min_files": 2}


def test_the_rows_stay_and_the_rest_goes(folder_lake: Lake, age: Callable[[], None]) -> None:
    for value in range(3):
        replace_days(folder_lake, TABLE, ROWS.with_columns(v=pl.lit(value, pl.Int64)), D, {})
    rows = tables.read(folder_lake, TABLE)
    age()
    looked = maintain(folder_lake, TABLE, **BOUNDS, dry_run=True)
    assert (looked.rows, looked.expired, looked.orphans) == (3, 2, 0)
    done = maintain(folder_lake, TABLE, **BOUNDS)
    assert (done.rows, done.merged, done.expired) == (3, 0, 2)
    assert done.orphans >= 6, "two states of three days, with their manifests"
    assert set(done.examples)
    assert tables.read(folder_lake, TABLE).equals(rows)


def test_rows_that_change_without_a_writer_are_a_fault(folder_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    replace_days(folder_lake, TABLE, ROWS, D, {})

    def lose_a_day(lake: Lake, identifier: str, **_: object) -> int:
        table = tables.load(lake, identifier)
        table.delete("v = 1", snapshot_properties={"days": ""})
        return 0

    monkeypatch.setattr(module, "compact", lose_a_day)
    with pytest.raises(PermanentError, match=r"rows changed while no writer was at work on 2013-01-01"):
        maintain(folder_lake, TABLE, **BOUNDS)


def test_a_writer_beside_it_is_no_fault(folder_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    replace_days(folder_lake, TABLE, ROWS, D, {})
    monkeypatch.setattr(module, "compact", lambda *_, **__: replace_days(folder_lake, TABLE, ROWS[:0], D[:1], {}) and 0)
    assert maintain(folder_lake, TABLE, **BOUNDS).rows == 2


def test_only_tables_of_the_use_cases_are_looked_after(folder_lake: Lake) -> None:
    ours = {TABLE, "quarantine.gaps", "scores.flight_delays", "quarantine.flight_delays__weather"}
    for name in {*ours, "gold.of_another_team"}:
        replace_days(folder_lake, name, ROWS, D, {})
    found = existing(folder_lake, [load("flight_delays")])
    assert {*found} == ours
    assert len(found) == len(ours)
