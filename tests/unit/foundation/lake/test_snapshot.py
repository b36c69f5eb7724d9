"""One commit as Iceberg's own readers see it: rows, counts, history, and nothing left of one that failed."""

from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
from pyiceberg.exceptions import CommitFailedException

from include.foundation.lake import Lake, manifests, snapshot, tables
from include.foundation.lake.change import Replace
from include.foundation.lake.commit import replace_days

D = [date(2013, 1, 1) + timedelta(days=n) for n in range(40)]
TABLE = "silver.t"


def put(lake: Lake, *days: date, rows: int = 1, also: tuple[date, ...] = ()) -> None:
    made = pl.DataFrame({"event_date": [day for day in days for _ in range(rows)], "v": range(rows * len(days))})
    replace_days(lake, TABLE, made.cast({"event_date": pl.Date}), [*days, *also], {"said": "so"})


def emptied(table, *days: date) -> int:
    return snapshot.commit(table, Replace(frozenset(days)), files=[], summary={})


def test_the_summary_says_what_was_added_removed_and_is_there(folder_lake: Lake) -> None:
    put(folder_lake, D[0], D[1], rows=3)
    put(folder_lake, D[1], rows=5)
    summary = tables.load(folder_lake, TABLE).current_snapshot().summary
    counts = {"added-records": "5", "deleted-records": "3", "total-records": "8", "total-data-files": "2"}
    assert {name: summary[name] for name in (*counts, "said")} == {**counts, "said": "so"}


def test_pyiceberg_reads_the_same_rows_and_each_state_before(folder_lake: Lake) -> None:
    put(folder_lake, D[0], D[1])
    put(folder_lake, D[1], rows=2, also=(D[0],))
    table = tables.load(folder_lake, TABLE)
    last, first = table.current_snapshot(), table.snapshot_by_id(table.current_snapshot().parent_snapshot_id)
    assert table.scan().to_arrow()["event_date"].to_pylist() == [D[1], D[1]]
    assert sorted(table.scan(snapshot_id=first.snapshot_id).to_arrow()["event_date"].to_pylist()) == D[:2]
    assert (first.sequence_number, last.sequence_number) == (1, 2)


def test_a_commit_on_a_state_that_is_gone_fails_and_leaves_no_file(folder_lake: Lake, tmp_path: Path) -> None:
    put(folder_lake, D[0])
    behind = tables.load(folder_lake, TABLE)
    put(folder_lake, D[1])
    before = {path for path in (tmp_path / "lake").rglob("*") if path.is_file()}
    with pytest.raises(CommitFailedException):
        emptied(behind, D[0])
    assert {path for path in (tmp_path / "lake").rglob("*") if path.is_file()} == before
    assert tables.days(folder_lake, TABLE) == D[:2]
    assert emptied(behind, D[0]) == tables.current_snapshot_id(folder_lake, TABLE)
    assert tables.days(folder_lake, TABLE) == [D[1]]


def test_manifests_of_other_days_are_taken_over_as_they_are(folder_lake: Lake) -> None:
    put(folder_lake, D[0])
    (kept,), _ = manifests.alive(table := tables.load(folder_lake, TABLE), table.current_snapshot())
    put(folder_lake, D[1])
    table.refresh()
    assert kept.manifest_path in {each.manifest_path for each in table.current_snapshot().manifests(table.io)}


def test_many_small_manifests_become_one_and_no_row_is_lost(folder_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "MANY", 3)
    counts = []
    for day in D[:6]:
        put(folder_lake, day)
        table = tables.load(folder_lake, TABLE)
        counts.append(len(manifests.alive(table, table.current_snapshot())[0]))
    assert counts == [1, 2, 3, 4, 1, 2]
    assert tables.counts(folder_lake, TABLE) == dict.fromkeys(D[:6], 1)
    entries = manifests.entries(table, table.current_snapshot())
    assert [entry.sequence_number for entry in entries] == [1, 2, 3, 4, 5, 6]  # a merge rewrites no history


def test_large_manifests_are_not_merged(folder_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "MANY", 1)
    monkeypatch.setattr(snapshot, "SMALL", 2)
    put(folder_lake, D[0], D[1])
    put(folder_lake, D[2], D[3])
    put(folder_lake, D[4])
    table = tables.load(folder_lake, TABLE)
    assert sorted(manifests.live(each) for each in manifests.alive(table, table.current_snapshot())[0]) == [1, 2, 2]
