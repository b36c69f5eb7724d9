"""What is known of commits, also of those whose snapshots have expired."""

from datetime import date, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.foundation.errors import InvalidInput
from include.foundation.lake import Lake, tables
from include.foundation.lake.change import Append
from include.foundation.lake.commit import TableWriter, replace_days
from include.foundation.lake.commit_log import (
    CARRIED,
    carry,
    changed_since,
    compact,
    expand,
    find_commit,
    log,
    newest,
    positions,
)

D = [date(2013, 1, 1) + timedelta(days=n) for n in range(6)]
TABLE = "silver.t"


def rows(*days: date) -> pl.DataFrame:
    return pl.DataFrame({"event_date": days, "v": 1}, schema={"event_date": pl.Date, "v": pl.Int64})


def expire(lake: Lake, *snapshots: int) -> None:
    """As `stages.maintenance` does, in two steps."""
    table = tables.load(lake, TABLE)
    with table.transaction() as change:
        change.set_properties({CARRIED: carry(table, snapshots)})
    table.maintenance.expire_snapshots().by_ids([*snapshots]).commit()


def ours(lake: Lake, key: str, *days: date) -> int:
    return replace_days(lake, TABLE, rows(*days), days, {"run_key": key})


def append(lake: Lake, upto: int, after: dict[str, int]) -> int:
    writer = TableWriter(lake, TABLE, schema=rows().schema, change=Append({"t": upto}, after))
    writer.write(rows(D[5]))
    return writer.commit({})


@given(st.sets(st.integers(0, 400)))
def test_days_in_a_summary_read_back(offsets: set[int]) -> None:
    days = sorted(D[0] + timedelta(days=offset) for offset in offsets)
    assert expand(compact(days)) == {*days}
    assert compact([D[0], D[1], D[3]]) == "2013-01-01..2013-01-02,2013-01-04"


def test_a_commit_stands_until_one_of_its_days_is_replaced(folder_lake: Lake) -> None:
    assert find_commit(folder_lake, TABLE, "a") is None
    first = ours(folder_lake, "a", D[0], D[1])
    ours(folder_lake, "b", D[2])
    assert find_commit(folder_lake, TABLE, "a") == first
    ours(folder_lake, "c", D[1])
    assert find_commit(folder_lake, TABLE, "a") is None
    assert find_commit(folder_lake, TABLE, "nobody") is None


def test_the_newest_commit_of_each_day_outlives_its_snapshot(folder_lake: Lake) -> None:
    a, b, c = ours(folder_lake, "a", *D[:3]), ours(folder_lake, "b", D[1]), ours(folder_lake, "c", D[1])
    append(folder_lake, 7, {})
    last = ours(folder_lake, "d", D[5])
    before = {day: each.summary["run_key"] for day, each in newest(tables.load(folder_lake, TABLE), D).items()}
    expire(folder_lake, a, b, c)
    table = tables.load(folder_lake, TABLE)
    assert {day: each.summary["run_key"] for day, each in newest(table, D).items()} == before
    assert [(each.snapshot_id, each.kept) for each in log(table)][-2:] == [(c, False), (a, False)], "b is replaced"
    assert not any(key.startswith("total-") for each in log(table) if not each.kept for key in each.summary)
    assert positions(table) == {"t": 7}
    assert find_commit(folder_lake, TABLE, "d") == last
    assert find_commit(folder_lake, TABLE, "c") is None, "its snapshot cannot be read any more: a rerun commits anew"


def test_positions_outlive_their_snapshot_twice(folder_lake: Lake) -> None:
    first = append(folder_lake, 7, {})
    second = ours(folder_lake, "a", D[0])
    third = ours(folder_lake, "b", D[0])
    expire(folder_lake, first)
    expire(folder_lake, second)
    ours(folder_lake, "c", D[1])
    expire(folder_lake, third)
    table = tables.load(folder_lake, TABLE)
    assert positions(table) == {"t": 7}
    assert newest(table, D)[D[0]].summary["run_key"] == "b"
    append(folder_lake, 9, {"t": 7})
    assert positions(tables.load(folder_lake, TABLE)) == {"t": 9}


def test_what_another_program_did_is_carried_on_too(folder_lake: Lake) -> None:
    first = ours(folder_lake, "a", D[0])
    table = tables.load(folder_lake, TABLE)
    table.append(rows(D[0]).to_arrow())
    foreign = table.current_snapshot().snapshot_id
    ours(folder_lake, "b", D[1])
    expire(folder_lake, first, foreign)
    assert [each.days is None for each in log(tables.load(folder_lake, TABLE))] == [False, True, False]
    assert not any(each.lost for each in log(tables.load(folder_lake, TABLE)))


def test_what_another_program_expired_is_lost_and_said_to_be(folder_lake: Lake) -> None:
    first = append(folder_lake, 7, {})
    ours(folder_lake, "b", D[1])
    tables.load(folder_lake, TABLE).maintenance.expire_snapshots().by_id(first).commit()
    table = tables.load(folder_lake, TABLE)
    assert [each.lost for each in log(table)] == [False, True]
    with pytest.raises(InvalidInput, match=r"silver\.t: another program expired commits"):
        positions(table)
    with pytest.raises(InvalidInput, match="another program expired commits"):
        append(folder_lake, 9, {"t": 7})
    last = ours(folder_lake, "c", D[2])
    expire(folder_lake, *(each.snapshot_id for each in table.snapshots() if each.snapshot_id != last))
    assert any(each.lost for each in log(tables.load(folder_lake, TABLE))), "that something was lost is not forgotten"


def test_days_that_changed_since_a_snapshot_are_known_or_it_is_said_that_they_are_not(folder_lake: Lake) -> None:
    a, b, c = ours(folder_lake, "a", *D[:3]), ours(folder_lake, "b", D[1]), ours(folder_lake, "c", D[2], D[3])
    table = tables.load(folder_lake, TABLE)
    assert changed_since(table, c) == set()
    assert changed_since(table, a) == {D[1], D[2], D[3]}
    assert changed_since(table, a, until=b) == {D[1]}
    assert changed_since(table, b, until=a) is None
    assert changed_since(table, 7) is None
    table.append(rows(D[0]).to_arrow().cast(table.schema().as_arrow()))
    assert changed_since(tables.load(folder_lake, TABLE), c) is None, "another program may have changed any day"
