from datetime import UTC, date, datetime

import polars as pl
import pyarrow as pa
import pytest

from include.foundation.errors import InvalidInput, MissingInput
from include.foundation.lake import Lake, tables
from include.foundation.lake.commit import replace_days

D = [date(2013, 1, n) for n in range(1, 5)]
TABLE = "silver.t"
FRAME = pl.DataFrame(
    {
        "event_date": D,
        "i": [1, 2, None, 4],
        "f": [1.5, None, float("nan"), 0.0],
        "s": ["a", "", None, "é"],
        "b": [True, False, None, True],
        "t": [datetime(2013, 1, 1, 5, tzinfo=UTC), None, None, None],
        "l": [["x", "y"], [], None, ["z"]],
    },
    schema_overrides={"i": pl.Int32, "t": pl.Datetime("us", "UTC")},
)


def test_every_type_comes_back_as_it_went(folder_lake: Lake) -> None:
    replace_days(folder_lake, TABLE, FRAME, D, {})
    assert tables.read(folder_lake, TABLE).equals(FRAME, null_equal=True)
    assert tables.load(folder_lake, TABLE).scan().to_polars().sort("event_date").equals(FRAME, null_equal=True)


def test_arrow_rows_are_rows_too(folder_lake: Lake) -> None:
    replace_days(folder_lake, TABLE, pa.table({"event_date": pa.array(D[:1], pa.date32()), "s": ["a"]}), D[:1], {})
    assert tables.read(folder_lake, TABLE).rows() == [(D[0], "a")]


def test_ranges_are_inclusive_and_columns_come_in_the_order_asked_for(folder_lake: Lake) -> None:
    replace_days(folder_lake, TABLE, FRAME, D, {})
    assert tables.read(folder_lake, TABLE, start=D[1], end=D[2])["event_date"].to_list() == D[1:3]
    assert tables.read(folder_lake, TABLE, start=D[3])["event_date"].to_list() == D[3:]
    assert tables.read(folder_lake, TABLE, columns=["s", "i"], end=D[0]).rows() == [("a", 1)]
    nothing = tables.read(folder_lake, TABLE, start=date(2014, 1, 1))
    assert nothing.is_empty()
    assert nothing.schema == FRAME.schema
    assert tables.counts(folder_lake, TABLE, start=D[1], end=D[2]) == {D[1]: 1, D[2]: 1}


def test_days_that_may_hold_a_value_are_known_from_bounds(folder_lake: Lake) -> None:
    at = [datetime(2013, 1, n, tzinfo=UTC) for n in (1, 2)]
    frame = FRAME.with_columns(t=pl.Series([*at, None, at[0]]), d=pl.Series([D[3], D[2], None, D[2]]))
    replace_days(folder_lake, TABLE, pl.concat([frame, frame.with_columns(d=pl.lit(D[0]))]).slice(0, 7), D, {})
    assert tables.days_within(folder_lake, TABLE, "d", 15706 + 3, 15706 + 9) == {D[0]}  # 2013-01-01 is day 15706
    assert tables.days_within(folder_lake, TABLE, "d", 15706 + 2, 15706 + 2) == {D[0], D[1], D[3]}
    moments = [int(each.timestamp() * 1e6) for each in at]
    assert tables.days_within(folder_lake, TABLE, "t", moments[1], moments[1]) == {D[1]}
    assert tables.days_within(folder_lake, TABLE, "t", 0, moments[1]) == {D[0], D[1], D[3]}
    assert tables.days_within(folder_lake, TABLE, "t", 0, 1) == set()
    replace_days(folder_lake, TABLE, frame.drop("t")[2:3], D[2:3], {})  # a file that states nothing of it
    assert D[2] in tables.days_within(folder_lake, TABLE, "t", 0, moments[1])


def test_the_greatest_value_of_a_day_is_known_from_bounds(folder_lake: Lake) -> None:
    moments = pl.Series([datetime(2013, 1, n, 5, tzinfo=UTC) for n in (1, 2, 3, 4)])
    frame = FRAME.with_columns(t=moments)
    replace_days(folder_lake, TABLE, pl.concat([frame, frame[:1].with_columns(t=moments[3])]), D, {})
    found = tables.greatest(folder_lake, TABLE, "t")
    assert found == {day: int(at.timestamp() * 1e6) for day, at in zip(D, [moments[3], *moments[1:]], strict=True)}
    replace_days(folder_lake, TABLE, FRAME[2:3], D[2:3], {})
    with pytest.raises(InvalidInput, match=f"a file of {D[2]} does not state the bounds of t"):
        tables.greatest(folder_lake, TABLE, "t")


def test_new_columns_are_added_and_old_rows_have_none(folder_lake: Lake) -> None:
    replace_days(folder_lake, TABLE, FRAME.select("event_date", "i"), D, {})
    replace_days(folder_lake, TABLE, FRAME.select("event_date", "s")[:1], D[:1], {})
    assert tables.read(folder_lake, TABLE, end=D[1]).rows() == [(D[0], None, "a"), (D[1], 2, None)]


def test_a_type_does_not_change(folder_lake: Lake) -> None:
    replace_days(folder_lake, TABLE, FRAME, D, {})
    changed = FRAME.with_columns(pl.col("i").cast(pl.String))
    with pytest.raises(InvalidInput, match=r"silver\.t: column 'i' is int, and the new rows have string"):
        replace_days(folder_lake, TABLE, changed, D, {})
    with pytest.raises(InvalidInput, match="drop the table and run all its days again"):
        replace_days(folder_lake, TABLE, changed, D, {})
    folder_lake.catalog().drop_table(TABLE)
    replace_days(folder_lake, TABLE, changed, D, {})
    assert tables.read(folder_lake, TABLE)["i"].to_list() == ["1", "2", None, "4"]


@pytest.mark.parametrize("rows", [pl.DataFrame({"a": [1]}), pl.DataFrame({"event_date": ["2013-01-01"]})])
def test_a_table_needs_its_day(folder_lake: Lake, rows: pl.DataFrame) -> None:
    with pytest.raises(InvalidInput, match="event_date"):
        tables.ensure_table(folder_lake, TABLE, rows.schema)


def test_what_is_not_there_is_named(folder_lake: Lake) -> None:
    for ask in (tables.read, tables.current_snapshot_id):
        with pytest.raises(MissingInput, match=r"silver\.t"):
            ask(folder_lake, TABLE)
    assert tables.counts(folder_lake, TABLE) == {}
    replace_days(folder_lake, TABLE, FRAME, D, {})
    with pytest.raises(InvalidInput, match="no snapshot 7"):
        tables.read(folder_lake, TABLE, snapshot_id=7)
    with pytest.raises(InvalidInput, match="nope"):
        tables.read(folder_lake, TABLE, columns=["nope"])


def test_a_table_without_commits_is_empty(folder_lake: Lake) -> None:
    tables.ensure_table(folder_lake, TABLE, FRAME.schema)
    assert tables.current_snapshot_id(folder_lake, TABLE) is None
    assert tables.read(folder_lake, TABLE).schema == FRAME.schema


def test_a_table_in_which_another_program_deleted_rows_and_renamed_is_still_read(folder_lake: Lake) -> None:
    replace_days(folder_lake, TABLE, FRAME.select("event_date", "i", "s"), D, {})
    table = tables.load(folder_lake, TABLE)
    with table.update_schema() as update:
        update.rename_column("s", "text")
    table.delete("i = 2")
    assert tables.read(folder_lake, TABLE).rows() == [(D[0], 1, "a"), (D[2], None, None), (D[3], 4, "é")]
    assert tables.read(folder_lake, TABLE, columns=["text"], start=D[3]).rows() == [("é",)]
