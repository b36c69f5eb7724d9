"""Columns that another program changed: rows come back right, by the schema asked for."""

from datetime import date

import polars as pl
import pytest
from pyiceberg.types import DoubleType, LongType, StringType

from include.foundation.errors import InvalidInput
from include.foundation.lake import Lake, tables
from include.foundation.lake.commit import replace_days

D = [date(2024, 3, n) for n in (5, 6)]
TABLE = "silver.t"
ROWS = pl.DataFrame(
    {"event_date": D, "kind": ["a", "b"], "n": [1, 2], "x": [1.5, 2.5]},
    schema_overrides={"n": pl.Int32, "x": pl.Float32},
)


@pytest.fixture
def lake(folder_lake: Lake) -> Lake:
    replace_days(folder_lake, TABLE, ROWS, D, {})
    return folder_lake


def test_a_renamed_column_has_its_rows(lake: Lake) -> None:
    before = tables.current_snapshot_id(lake, TABLE)
    with tables.load(lake, TABLE).update_schema() as update:
        update.rename_column("kind", "sort_of")
    assert tables.read(lake, TABLE)["sort_of"].to_list() == ["a", "b"]
    assert tables.read(lake, TABLE, columns=["sort_of"], start=D[1]).rows() == [("b",)]
    assert tables.read(lake, TABLE, snapshot_id=before).equals(ROWS)


def test_a_column_that_took_another_ones_name_is_another(lake: Lake) -> None:
    with tables.load(lake, TABLE).update_schema(allow_incompatible_changes=True) as update:
        update.delete_column("kind")
    with tables.load(lake, TABLE).update_schema() as update:
        update.add_column("kind", StringType())
    assert tables.read(lake, TABLE)["kind"].to_list() == [None, None]


def test_a_widened_column_has_its_rows_and_takes_the_old_type(lake: Lake) -> None:
    with tables.load(lake, TABLE).update_schema() as update:
        update.update_column("n", LongType())
        update.update_column("x", DoubleType())
    wide = ROWS.cast({"n": pl.Int64, "x": pl.Float64})
    assert tables.read(lake, TABLE).equals(wide)
    assert tables.read(lake, TABLE).schema == wide.schema
    replace_days(lake, TABLE, ROWS[1:], D[1:], {})
    assert tables.read(lake, TABLE).equals(wide)
    assert tables.load(lake, TABLE).scan().to_polars().sort("event_date").equals(wide)


def test_a_dropped_column_is_gone(lake: Lake) -> None:
    with tables.load(lake, TABLE).update_schema() as update:
        update.delete_column("kind")
    assert tables.read(lake, TABLE).equals(ROWS.drop("kind"))


def test_a_required_column_is_not_written_without_values(lake: Lake) -> None:
    with tables.load(lake, TABLE).update_schema(allow_incompatible_changes=True) as update:
        update.make_column_optional("kind")
        update._set_column_requirement("kind", required=True)
    with pytest.raises(InvalidInput, match=r"silver\.t: another program made \['kind'\] required"):
        replace_days(lake, TABLE, ROWS.drop("kind"), D, {})
    with pytest.raises(InvalidInput, match=r"silver\.t: column 'kind' is required, and rows lack it"):
        replace_days(lake, TABLE, ROWS.with_columns(kind=pl.lit(None, pl.String)), D, {})
    replace_days(lake, TABLE, ROWS, D, {})
    assert tables.read(lake, TABLE).equals(ROWS)


def test_rows_deleted_one_by_one_are_not_read_nor_counted(lake: Lake) -> None:
    """Copy-on-write here; a table with delete files is refused by `counts` (pyiceberg writes none)."""
    tables.load(lake, TABLE).delete("n = 1")
    assert tables.read(lake, TABLE).equals(ROWS[1:])
    assert tables.counts(lake, TABLE) == {D[1]: 1}
