"""The kinds of commit, each on a real table."""

from datetime import date

import polars as pl
import pytest

from include.foundation.errors import InvalidInput, Superseded
from include.foundation.lake import Lake, manifests, tables
from include.foundation.lake.change import Append, Replace, Rewrite
from include.foundation.lake.commit import TableWriter, replace_days
from include.foundation.lake.commit_log import find_commit, newest, positions

D = [date(2013, 1, n) for n in range(1, 4)]
TABLE = "bronze.t"


def rows(*days: date, tag: str = "") -> pl.DataFrame:
    return pl.DataFrame({"event_date": days, "v": [f"{tag}{n}" for n in range(len(days))]})


def append(lake: Lake, frame: pl.DataFrame, upto: dict[str, int], after: dict[str, int], key: str = "") -> int:
    writer = TableWriter(lake, TABLE, schema=frame.schema, change=Append(upto, after))
    writer.write(frame)
    return writer.commit({"run_key": key})


def test_an_append_adds_rows_and_says_how_far_it_read(folder_lake: Lake) -> None:
    append(folder_lake, rows(D[0], D[1], tag="a"), {"t/0": 9, "t/1": 4}, {}, "a")
    second = append(folder_lake, rows(D[1], tag="b"), {"t/0": 12}, {"t/0": 9}, "b")
    table = tables.load(folder_lake, TABLE)
    assert positions(table) == {"t/0": 12, "t/1": 4}
    assert tables.read(folder_lake, TABLE)["v"].to_list() == ["a0", "a1", "b0"]
    assert table.current_snapshot().summary.operation.value == "append"
    assert table.current_snapshot().summary["total-records"] == "3"
    assert newest(table, D)[D[1]].snapshot_id == second
    assert find_commit(folder_lake, TABLE, "a") is not None, "an append replaces nothing"


def test_of_two_appenders_of_the_same_messages_one_wins(folder_lake: Lake) -> None:
    first, second = (
        TableWriter(folder_lake, TABLE, schema=rows(D[0]).schema, change=Append({"t/0": 9}, {})) for _ in "12"
    )
    for writer, tag in ((first, "first"), (second, "second")):
        writer.write(rows(D[0], tag=tag))
    second.commit({})
    with pytest.raises(
        Superseded, match=r"bronze\.t: rows up to \{'t/0': 9\} begin after \{\}, but .* at \{'t/0': 9\}"
    ):
        first.commit({})
    first.discard()
    assert tables.read(folder_lake, TABLE)["v"].to_list() == ["second0"]
    assert len({*manifests.files(table := tables.load(folder_lake, TABLE), table.current_snapshot())}) == 1


@pytest.mark.parametrize("after", [{}, {"t/0": 5}, {"t/0": 12}])
def test_rows_that_overlap_or_leave_a_gap_are_superseded(folder_lake: Lake, after: dict[str, int]) -> None:
    append(folder_lake, rows(D[0]), {"t/0": 9}, {})
    with pytest.raises(Superseded):
        append(folder_lake, rows(D[0]), {"t/0": 20, "t/1": 1}, after)
    assert positions(tables.load(folder_lake, TABLE)) == {"t/0": 9}


def test_appenders_of_other_partitions_do_not_disturb_each_other(folder_lake: Lake) -> None:
    one, other = (
        TableWriter(folder_lake, TABLE, schema=rows(D[0]).schema, change=Append({name: 3}, {}))
        for name in ("t/0", "t/1")
    )
    one.write(rows(D[0]))
    other.write(rows(D[0]))
    other.commit({})
    one.commit({})
    assert positions(tables.load(folder_lake, TABLE)) == {"t/0": 3, "t/1": 3}
    assert tables.read(folder_lake, TABLE).height == 2


@pytest.mark.parametrize("upto", [{}, {"t/0": 4}, {"t/0": 3}])
def test_an_append_goes_forward(upto: dict[str, int]) -> None:
    with pytest.raises(InvalidInput, match="an append goes forward"):
        Append(upto, {"t/0": 4})


def test_replacing_days_of_a_stream_keeps_its_positions(folder_lake: Lake) -> None:
    append(folder_lake, rows(D[0], D[1]), {"t/0": 9}, {}, "a")
    replace_days(folder_lake, TABLE, rows(D[0], tag="new"), D[:1], {})
    assert positions(tables.load(folder_lake, TABLE)) == {"t/0": 9}
    assert find_commit(folder_lake, TABLE, "a") is None


def rewrite(lake: Lake, day: date) -> TableWriter:
    table = tables.load(lake, TABLE)
    found = manifests.entries(table, table.current_snapshot(), start=day, end=day)
    paths = frozenset(entry.data_file.file_path for entry in found)
    change = Rewrite(day, paths, sequence_number=found[0].sequence_number)
    frame = tables.read(lake, TABLE, start=day, end=day)
    writer = TableWriter(lake, TABLE, schema=frame.schema, change=change)
    writer.write(frame)
    return writer


def test_a_rewrite_changes_files_and_no_row_nor_their_order(folder_lake: Lake) -> None:
    for number in range(4):
        append(folder_lake, rows(D[0], D[1], tag=f"{number}."), {"t": number}, {"t": number - 1} if number else {}, "k")
    before = tables.read(folder_lake, TABLE)
    writer = rewrite(folder_lake, D[0])
    append(folder_lake, rows(D[0], tag="late"), {"t": 9}, {"t": 3})
    writer.commit({})
    after = tables.read(folder_lake, TABLE)
    assert after.filter(pl.col("v") != "late0").equals(before)
    assert after["v"].to_list()[4] == "late0", "which was written after those of the rewritten file"
    table = tables.load(folder_lake, TABLE)
    assert len(manifests.files(table, table.current_snapshot(), end=D[0])) == 2
    assert table.current_snapshot().summary.operation.value == "replace"
    assert table.current_snapshot().summary["total-records"] == "9"
    assert positions(table) == {"t": 9}
    assert table.scan().to_arrow().num_rows == 9


def test_a_rewrite_of_files_that_have_gone_is_superseded(folder_lake: Lake) -> None:
    replace_days(folder_lake, TABLE, rows(D[0], tag="old"), D[:1], {})
    writer = rewrite(folder_lake, D[0])
    replace_days(folder_lake, TABLE, rows(D[0], tag="new"), D[:1], {})
    with pytest.raises(Superseded, match=r"2013-01-01: 1 files were replaced meanwhile"):
        writer.commit({})
    assert tables.read(folder_lake, TABLE)["v"].to_list() == ["new0"]


def test_a_commit_stands_beside_later_rewrites(folder_lake: Lake) -> None:
    commit = replace_days(folder_lake, TABLE, rows(D[0]), D[:1], {"run_key": "a"})
    rewrite(folder_lake, D[0]).commit({})
    assert find_commit(folder_lake, TABLE, "a") == commit
    assert newest(tables.load(folder_lake, TABLE), D[:1])[D[0]].snapshot_id == commit


def test_a_replacement_may_only_hold_its_days() -> None:
    assert Replace(frozenset(D[:2])).refused(D) == {D[2]}
    assert Rewrite(D[0], frozenset(), sequence_number=1).refused(D) == {*D[1:]}
