from datetime import date

import polars as pl
import pytest

from include.foundation.lake import Lake, manifests, tables
from include.foundation.lake.change import Append
from include.foundation.lake.commit import TableWriter, replace_days
from include.foundation.lake.commit_log import find_commit, positions
from include.stages.maintenance import compact as module
from include.stages.maintenance.compact import compact, gather

D = [date(2013, 1, n) for n in range(1, 4)]
TABLE = "bronze.t"


def append(lake: Lake, number: int, *days: date, rows: int = 1) -> None:
    frame = pl.DataFrame({"event_date": [day for day in days for _ in range(rows)]}).with_columns(
        v=number * 1000 + pl.int_range(pl.len())
    )
    change = Append({"t": number}, {"t": number - 1} if number else {})
    writer = TableWriter(lake, TABLE, schema=frame.schema, change=change)
    writer.write(frame)
    writer.commit({"run_key": str(number)})


def files(lake: Lake, day: date) -> int:
    table = tables.load(lake, TABLE)
    return len(manifests.files(table, table.current_snapshot(), start=day, end=day))


@pytest.fixture
def stream(folder_lake: Lake) -> Lake:
    """Six appends to the first day, two to the second."""
    for number in range(6):
        append(folder_lake, number, *(D[:2] if number in (1, 4) else D[:1]))
    return folder_lake


def test_small_files_of_a_day_become_one_and_rows_and_their_order_stay(stream: Lake) -> None:
    before = tables.read(stream, TABLE)
    assert compact(stream, TABLE, min_files=3, dry_run=False) == 6
    assert tables.read(stream, TABLE).equals(before)
    assert (files(stream, D[0]), files(stream, D[1])) == (1, 2)
    assert tables.load(stream, TABLE).scan().to_arrow().num_rows == 8
    assert positions(tables.load(stream, TABLE)) == {"t": 5}
    assert find_commit(stream, TABLE, "0") is not None
    append(stream, 6, D[0])
    assert tables.read(stream, TABLE, end=D[0])["v"].to_list()[-1] == 6000
    assert compact(stream, TABLE, min_files=3, dry_run=False) == 0


def test_a_dry_run_changes_nothing(stream: Lake) -> None:
    before = tables.current_snapshot_id(stream, TABLE)
    assert compact(stream, TABLE, min_files=2, dry_run=True) == 8
    assert tables.current_snapshot_id(stream, TABLE) == before


def test_large_files_stay_and_neighbours_keep_their_places(stream: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    append(stream, 6, D[0], rows=20_000)
    append(stream, 7, D[0])
    append(stream, 8, D[0])
    before = tables.read(stream, TABLE)
    monkeypatch.setattr(module, "SMALL", 20_000)
    assert compact(stream, TABLE, min_files=2, dry_run=False) == 6 + 2 + 2
    assert files(stream, D[0]) == 3
    assert tables.read(stream, TABLE).equals(before)


def test_a_day_that_a_writer_replaces_meanwhile_is_left_to_it(stream: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    new = pl.DataFrame({"event_date": D[:1], "v": [-1]}, schema_overrides={"v": pl.Int64})
    commit = TableWriter.commit

    def be_slower(self: TableWriter, *arguments: object, **named: object) -> int:
        monkeypatch.undo()
        replace_days(stream, TABLE, new, D[:1], {})
        return commit(self, *arguments, **named)

    monkeypatch.setattr(TableWriter, "commit", be_slower)
    assert compact(stream, TABLE, min_files=2, dry_run=False) == 2, "the other day is merged"
    assert tables.read(stream, TABLE, end=D[0]).equals(new)


def test_a_table_that_another_program_changed_is_not_touched(stream: Lake) -> None:
    with tables.load(stream, TABLE).update_schema() as update:
        update.rename_column("v", "w")
    assert compact(stream, TABLE, min_files=2, dry_run=False) == 0
    assert tables.read(stream, TABLE)["w"].len() == 8


def test_manifests_become_one_and_no_row_changes(stream: Lake) -> None:
    before, table = tables.read(stream, TABLE), tables.load(stream, TABLE)
    assert gather(stream, TABLE, min_manifests=7) == 0
    assert tables.current_snapshot_id(stream, TABLE) == table.current_snapshot().snapshot_id

    assert gather(stream, TABLE, min_manifests=6) == 6
    table = tables.load(stream, TABLE)
    data, _ = manifests.alive(table, table.current_snapshot())
    assert [manifests.live(each) for each in data] == [8]
    assert tables.read(stream, TABLE).equals(before)
    assert table.scan().to_arrow().num_rows == before.height
    assert table.current_snapshot().summary["total-records"] == str(before.height)
    assert (positions(table), find_commit(stream, TABLE, "5") is not None) == ({"t": 5}, True)
    append(stream, 6, D[2])
    assert tables.read(stream, TABLE).height == before.height + 1
