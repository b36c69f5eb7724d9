"""Tables whose layout another program changed are read by each file's own spec, and not written."""

from datetime import date

import polars as pl
import pytest
from pyiceberg.transforms import IdentityTransform

from include.foundation.errors import InvalidInput
from include.foundation.lake import Lake, tables
from include.foundation.lake.commit import replace_days

D = [date(2013, 1, n) for n in range(1, 4)]
TABLE = "silver.t"
ROWS = pl.DataFrame({"event_date": D, "n": [1, 2, 3]})


@pytest.fixture
def split(folder_lake: Lake) -> Lake:
    """Another program adds a partition field, and writes a row."""
    replace_days(folder_lake, TABLE, ROWS, D, {})
    table = tables.load(folder_lake, TABLE)
    with table.update_spec() as update:
        update.add_field("n", IdentityTransform(), "part")
    table.append(ROWS[1:2].with_columns(n=7 + pl.col("n")).to_arrow().cast(table.schema().as_arrow()))
    return folder_lake


def test_files_are_read_by_their_own_spec(split: Lake) -> None:
    assert tables.counts(split, TABLE) == {D[0]: 1, D[1]: 2, D[2]: 1}
    assert tables.read(split, TABLE, start=D[1], end=D[1])["n"].to_list() == [2, 9]


def test_rows_are_refused_until_the_layout_is_set_back(split: Lake) -> None:
    with pytest.raises(InvalidInput, match=r"silver\.t is partitioned by .*part: identity.*Set it back"):
        replace_days(split, TABLE, ROWS, D, {})
    with tables.load(split, TABLE).update_spec() as update:
        update.remove_field("part")
    replace_days(split, TABLE, ROWS[:2], D[:2], {})
    assert tables.read(split, TABLE).equals(ROWS)
    assert tables.load(split, TABLE).scan().to_arrow().num_rows == 3


def test_a_table_without_days_is_read_and_not_counted(folder_lake: Lake) -> None:
    replace_days(folder_lake, TABLE, ROWS[:2], D[:2], {})
    table = tables.load(folder_lake, TABLE)
    with table.update_spec() as update:
        update.remove_field("event_date")
    table.append(ROWS[2:].to_arrow().cast(table.schema().as_arrow()))
    assert tables.read(folder_lake, TABLE, start=D[1]).equals(ROWS[1:])
    with pytest.raises(InvalidInput, match="does not state event_date"):
        tables.counts(folder_lake, TABLE)
    with pytest.raises(InvalidInput, match=r"partitioned by \[\]"):
        replace_days(folder_lake, TABLE, ROWS, D, {})


def test_a_day_under_another_name_is_refused(folder_lake: Lake) -> None:
    replace_days(folder_lake, TABLE, ROWS, D, {})
    with tables.load(folder_lake, TABLE).update_schema() as update:
        update.rename_column("event_date", "day")
    for act in (tables.read, tables.counts, lambda *_: replace_days(folder_lake, TABLE, ROWS, D, {})):
        with pytest.raises(InvalidInput, match=r"silver\.t has no column 'event_date'"):
            act(folder_lake, TABLE)


def test_files_written_before_the_layout_changed_keep_their_spec(folder_lake: Lake) -> None:
    replace_days(folder_lake, TABLE, ROWS, D, {})
    with tables.load(folder_lake, TABLE).update_spec() as update:
        update.remove_field("event_date")
    with tables.load(folder_lake, TABLE).update_spec() as update:
        update.add_field("event_date", IdentityTransform(), "event_date")
    replace_days(folder_lake, TABLE, ROWS[:1], D[:1], {})
    assert tables.read(folder_lake, TABLE).equals(ROWS)
