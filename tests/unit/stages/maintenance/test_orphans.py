from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from include.foundation.errors import InvalidInput
from include.foundation.lake import Lake, tables
from include.foundation.lake.change import Replace
from include.foundation.lake.commit import TableWriter, replace_days
from include.foundation.lake.tags import ensure_tag
from include.stages.maintenance.expire import expire
from include.stages.maintenance.orphans import remove_orphans

D = [date(2013, 1, n) for n in range(1, 4)]
TABLE = "gold.t"
ROWS = pl.DataFrame({"event_date": D, "v": [1, 2, 3]})


def before() -> datetime:
    return datetime.now(UTC) - timedelta(days=3)


def in_flight(lake: Lake) -> TableWriter:
    writer = TableWriter(lake, TABLE, schema=ROWS.schema, change=Replace(frozenset(D[:1])))
    writer.write(ROWS[:1].with_columns(v=pl.lit(9, pl.Int64)))
    return writer


def test_only_old_files_that_nothing_needs_go(
    folder_lake: Lake, files: Callable[[], set[str]], age: Callable[[], None]
) -> None:
    replace_days(folder_lake, TABLE, ROWS, D, {})
    in_flight(folder_lake)  # and never committed
    needed = files()
    age()
    writer = in_flight(folder_lake)
    (orphan,) = remove_orphans(folder_lake, TABLE, before=before(), dry_run=True)
    assert orphan.startswith("file://")
    assert len(files()) == len(needed) + 1, "a dry run deletes nothing"
    assert remove_orphans(folder_lake, TABLE, before=before(), dry_run=False) == [orphan]
    writer.commit({})
    assert tables.read(folder_lake, TABLE)["v"].to_list() == [9, 2, 3]
    assert remove_orphans(folder_lake, TABLE, before=before(), dry_run=False) == []


def test_files_of_expired_snapshots_go_and_those_of_tagged_ones_stay(
    folder_lake: Lake, age: Callable[[], None]
) -> None:
    frozen = replace_days(folder_lake, TABLE, ROWS, D, {})
    ensure_tag(folder_lake, TABLE, "train-x", frozen)
    replace_days(folder_lake, TABLE, ROWS[:1], D, {})
    replace_days(folder_lake, TABLE, ROWS[1:], D, {})
    age()
    expire(folder_lake, TABLE, before=datetime.now(UTC) + timedelta(seconds=1), dry_run=False)
    gone = remove_orphans(folder_lake, TABLE, before=before(), dry_run=False)
    assert len([path for path in gone if path.endswith(".parquet")]) == 1
    assert tables.read(folder_lake, TABLE, snapshot_id=frozen).equals(ROWS)
    assert tables.read(folder_lake, TABLE).equals(ROWS[1:])
    assert tables.load(folder_lake, TABLE).scan(snapshot_id=frozen).to_arrow().num_rows == 3


def test_young_files_are_never_orphans(folder_lake: Lake) -> None:
    replace_days(folder_lake, TABLE, ROWS, D, {})
    with pytest.raises(InvalidInput, match="may be in flight"):
        remove_orphans(folder_lake, TABLE, before=datetime.now(UTC) - timedelta(hours=47), dry_run=False)


def test_a_neighbour_whose_name_begins_alike_is_not_touched(folder_lake: Lake, age: Callable[[], None]) -> None:
    replace_days(folder_lake, TABLE, ROWS, D, {})
    replace_days(folder_lake, TABLE + "__more", ROWS, D, {})
    age()
    assert remove_orphans(folder_lake, TABLE, before=before(), dry_run=False) == []
    assert tables.read(folder_lake, TABLE + "__more").equals(ROWS)


def test_a_folder_of_two_living_tables_is_refused(folder_lake: Lake, age: Callable[[], None]) -> None:
    replace_days(folder_lake, TABLE, ROWS, D, {})
    folder_lake.catalog().rename_table(TABLE, "gold.renamed")
    replace_days(folder_lake, TABLE, ROWS[:1], D, {})
    age()
    with pytest.raises(InvalidInput, match=r"gold\.t and gold\.renamed have their files in one folder"):
        remove_orphans(folder_lake, TABLE, before=before(), dry_run=False)
    folder_lake.catalog().drop_table("gold.renamed")
    assert remove_orphans(folder_lake, TABLE, before=before(), dry_run=False), "what a dropped table left"
    assert tables.read(folder_lake, TABLE).equals(ROWS[:1])
