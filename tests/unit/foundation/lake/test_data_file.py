"""What manifests say about a file's columns, and what readers skip by it."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import polars as pl
import pytest
from pyiceberg.conversions import from_bytes

from include.foundation.lake import Lake, manifests, tables
from include.foundation.lake.commit import replace_days

D = [date(2013, 1, n) for n in range(1, 5)]
TABLE = "silver.t"
NAN = float("nan")
NOON = datetime(2013, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)


def described(lake: Lake, values: pl.Series) -> tuple[object, object, int, int | None]:
    """Lower and upper bound of the column, how many values are null, and how many NaN."""
    frame = values.alias("v").to_frame().with_columns(event_date=pl.lit(D[0]))
    replace_days(lake, TABLE, frame, D[:1], {})
    table = tables.load(lake, TABLE)
    (file,) = manifests.files(table, table.current_snapshot())
    field = table.schema().find_field("v")
    low, high = (
        from_bytes(field.field_type, each[field.field_id]) if field.field_id in (each or {}) else None
        for each in (file.lower_bounds, file.upper_bounds)
    )
    assert tables.read(lake, TABLE)["v"].equals(values, null_equal=True)
    return low, high, file.null_value_counts[field.field_id], file.nan_value_counts.get(field.field_id)


@pytest.mark.parametrize(
    ("values", "low", "high"),
    [
        (pl.Series([3, -7, None], dtype=pl.Int32), -7, 3),
        (pl.Series([2**62, -(2**62), None]), -(2**62), 2**62),
        (pl.Series([0.1, -1.5, None]), -1.5, 0.1),
        (pl.Series([1.5, -0.25, None], dtype=pl.Float32), -0.25, 1.5),
        (pl.Series([float("inf"), float("-inf"), None]), float("-inf"), float("inf")),
        (pl.Series([True, False, None]), False, True),
        (pl.Series(["b", "", None]), "", "b"),
        (pl.Series([D[1], D[0], None]), 15706, 15707),
        (pl.Series([Decimal("1.5"), Decimal(-2), None], dtype=pl.Decimal(12, 2)), Decimal(-2), Decimal("1.5")),
        (pl.Series([b"\x01", b"\xff", None]), b"\x01", b"\xff"),
    ],
)  # fmt: skip
def test_bounds_of_every_type(folder_lake: Lake, values: pl.Series, low: object, high: object) -> None:
    assert described(folder_lake, values)[:3] == (low, high, 1)


@pytest.mark.parametrize("zone", ["UTC", None])
def test_moments_are_bounded_in_microseconds(folder_lake: Lake, zone: str | None) -> None:
    moments = pl.Series([NOON, NOON - timedelta(microseconds=1), None], dtype=pl.Datetime("us", "UTC"))
    low, high, null, _ = described(folder_lake, moments if zone else moments.dt.replace_time_zone(None))
    micros = int(NOON.timestamp()) * 1_000_000 + 123456
    assert (low, high, null) == (micros - 1, micros, 1)


def test_negative_zero_is_within_the_bounds(folder_lake: Lake) -> None:
    for values in ([-0.0], [0.0], [0.0, -0.0]):
        low, high, _, _ = described(folder_lake, pl.Series(values))
        assert (str(low), str(high)) == ("-0.0", "0.0")


def test_nan_is_counted_and_has_no_upper_bound(folder_lake: Lake) -> None:
    assert described(folder_lake, pl.Series([NAN, 1.0, None, 2.0])) == (1.0, None, 1, 1)
    assert described(folder_lake, pl.Series([NAN, NAN])) == (None, None, 0, 2)
    assert described(folder_lake, pl.Series([1.0])) == (1.0, 1.0, 0, 0)


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("a" * 16, "a" * 16, "a" * 16),
        ("a" * 17, "a" * 16, "a" * 15 + "b"),
        ("é" * 20, "é" * 16, "é" * 15 + "ê"),
        ("\U0010ffff" * 17, "\U0010ffff" * 16, None),
        ("a" * 15 + "\ud7ff" + "z", None, None),  # the next character would be half of a pair
        ("a" * 5000, None, None),  # Parquet keeps no bounds of such long texts
    ],
)
def test_texts_are_cut_so_that_they_stay_within_the_bounds(
    folder_lake: Lake, text: str, low: str | None, high: str | None
) -> None:
    found = described(folder_lake, pl.Series([text]))
    assert found[:3] == (low, high, 0)
    assert low is None or low <= text
    assert high is None or text <= high


def test_times_beyond_pythons_have_no_bounds(folder_lake: Lake) -> None:
    far = pl.Series([2**60], dtype=pl.Int64).cast(pl.Datetime("us", "UTC"))
    replace_days(folder_lake, TABLE, far.alias("v").to_frame().with_columns(event_date=pl.lit(D[0])), D[:1], {})
    table = tables.load(folder_lake, TABLE)
    (file,) = manifests.files(table, table.current_snapshot())
    assert not file.upper_bounds
    assert tables.read(folder_lake, TABLE)["v"].cast(pl.Int64).to_list() == [2**60]


def test_pyiceberg_skips_files_by_them(folder_lake: Lake) -> None:
    frame = pl.DataFrame(
        {"event_date": D, "n": [1, 20, 300, None], "x": [0.5, NAN, -0.0, 7.0], "s": ["a", "b", "c" * 40, "d"]}
    )
    replace_days(folder_lake, TABLE, frame, D, {})
    table = tables.load(folder_lake, TABLE)
    for condition, days in {
        "n > 15": D[1:3],
        "n = 1": D[:1],
        "n is null": D[3:],
        "n is not null": D[:3],
        "x = 0.0": D[2:3],
        "x > 6": D[3:],
        "x is nan": D[1:2],
        "s = 'b'": D[1:2],
        f"s = '{'c' * 40}'": D[2:3],
    }.items():
        kept = {manifests.day_reader(table)(task.file) for task in table.scan(condition).plan_files()}
        assert kept == {*days}, condition
        assert table.scan(condition).to_arrow().num_rows == len(days), condition
