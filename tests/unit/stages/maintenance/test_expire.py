from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from include.foundation.errors import InvalidInput
from include.foundation.lake import Lake, tables
from include.foundation.lake.commit import replace_days
from include.foundation.lake.commit_log import newest
from include.foundation.lake.tags import ensure_tag
from include.stages.maintenance.expire import expire

D = [date(2013, 1, n) for n in range(1, 4)]
TABLE = "gold.t"


def commit(lake: Lake, day: date, value: int) -> int:
    return replace_days(lake, TABLE, pl.DataFrame({"event_date": [day], "v": [value]}), [day], {"run_key": str(value)})


def kept(lake: Lake) -> set[int]:
    return {each.snapshot_id for each in tables.load(lake, TABLE).snapshots()}


def now() -> datetime:
    return datetime.now(UTC) + timedelta(seconds=1)


def test_only_the_newest_and_the_tagged_stay(folder_lake: Lake) -> None:
    a, b, c, d = (commit(folder_lake, D[n % 2], n) for n in range(4))
    ensure_tag(folder_lake, TABLE, "train-x", b)
    assert expire(folder_lake, TABLE, before=now(), dry_run=True) == 2
    assert kept(folder_lake) == {a, b, c, d}
    assert expire(folder_lake, TABLE, before=now(), dry_run=False) == 2
    assert kept(folder_lake) == {b, d}
    assert tables.read(folder_lake, TABLE, snapshot_id=b)["v"].to_list() == [0, 1]
    assert tables.read(folder_lake, TABLE)["v"].to_list() == [2, 3]
    assert {day: each.summary["run_key"] for day, each in newest(tables.load(folder_lake, TABLE), D).items()} == {
        D[0]: "2",
        D[1]: "3",
    }
    assert expire(folder_lake, TABLE, before=now(), dry_run=False) == 0
    with pytest.raises(InvalidInput, match="may have expired"):
        tables.read(folder_lake, TABLE, snapshot_id=a)


def test_what_was_the_newest_at_that_moment_stays(folder_lake: Lake) -> None:
    commit(folder_lake, D[0], 0)
    current = commit(folder_lake, D[0], 1)
    moment = datetime.fromtimestamp(tables.load(folder_lake, TABLE).current_snapshot().timestamp_ms / 1000 + 0.001, UTC)
    while datetime.now(UTC) <= moment:
        pass
    last = commit(folder_lake, D[0], 2)
    assert expire(folder_lake, TABLE, before=moment, dry_run=False) == 1
    assert kept(folder_lake) == {current, last}


def test_branches_of_others_keep_their_heads(folder_lake: Lake) -> None:
    first = commit(folder_lake, D[0], 0)
    tables.load(folder_lake, TABLE).manage_snapshots().create_branch(first, "audit").commit()
    commit(folder_lake, D[0], 1)
    assert expire(folder_lake, TABLE, before=now(), dry_run=False) == 0


def test_a_table_without_commits_has_none(folder_lake: Lake) -> None:
    tables.ensure_table(folder_lake, TABLE, pl.Schema({"event_date": pl.Date()}))
    assert expire(folder_lake, TABLE, before=now(), dry_run=False) == 0
