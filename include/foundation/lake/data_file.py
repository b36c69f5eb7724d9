"""Parquet data files of Iceberg tables, one per day.

pyiceberg's own writer sends five requests a file and converts every batch on its own: for files of a day, which are
small, it takes five times as long as encoding them. Here rows are converted once and a file is one request.

Each file says how many values of a column are null or NaN and between which bounds the others lie, so that engines skip
files. A bound that would be wrong is left out: an engine skips nothing by it.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from include.foundation.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import date

    import polars as pl
    import pyarrow as pa
    import pyarrow.parquet as pq
    from pyiceberg.io.pyarrow import StatisticsCollector
    from pyiceberg.manifest import DataFile
    from pyiceberg.table import Table

    from include.foundation.lake.objects import Objects

WRITERS = 8


def write(objects: Objects, table: Table, rows: pl.DataFrame, *, name: str) -> list[DataFile]:
    """Write rows as one file per day, in order.

    Args:
        objects: where S3 is.
        table: the table that the files are for; they belong to it only once they are committed.
        rows: columns of the table (it may have more), among them `event_date`.
        name: a prefix that no other write has.

    Returns:
        What a commit needs to know about each file.

    Raises:
        InvalidInput: a column that another program made required lacks a value.
    """
    from pyiceberg.io.pyarrow import compute_statistics_plan, parquet_path_to_id_mapping

    if rows.is_empty():
        return []
    schema = table.schema()
    statistics = compute_statistics_plan(schema, table.properties), parquet_path_to_id_mapping(schema)

    def send(day: date, part: pa.Table) -> DataFile:
        path = table.location_provider().new_data_location(f"event_date={day}/{name}.parquet")
        data, footer = _encode(part)
        if path.startswith("s3://"):
            objects.put(path, data)
        else:
            with table.io.new_output(path).create() as stream:
                stream.write(data)
        return _described(table, day, part, path=path, size=len(data), footer=footer, statistics=statistics)

    with ThreadPoolExecutor(WRITERS) as pool:
        return list(pool.map(lambda each: send(*each), _by_day(table, rows)))


def _by_day(table: Table, rows: pl.DataFrame) -> Iterator[tuple[date, pa.Table]]:
    import polars as pl
    import pyarrow as pa
    from pyiceberg.io.pyarrow import schema_to_pyarrow

    if not rows["event_date"].is_sorted():
        rows = rows.sort("event_date", maintain_order=True)
    schema = pa.schema([field for field in schema_to_pyarrow(table.schema()) if field.name in rows.columns])
    for field in schema:
        if not field.nullable and rows[field.name].null_count():
            raise InvalidInput(f"{'.'.join(table.name())}: column {field.name!r} is required, and rows lack it")
    arrow = rows.select(schema.names).to_arrow(compat_level=pl.CompatLevel.oldest()).cast(schema)
    runs = rows["event_date"].rle().struct.unnest()
    offset = 0
    for length, day in runs.rows():
        yield day, arrow.slice(offset, length)
        offset += length


def _encode(rows: pa.Table) -> tuple[bytes, pq.FileMetaData]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, rows.schema, compression="zstd") as writer:
        writer.write_table(rows)
    return sink.getvalue().to_pybytes(), writer.writer.metadata


def _described(
    table: Table,
    day: date,
    rows: pa.Table,
    *,
    path: str,
    size: int,
    footer: pq.FileMetaData,
    statistics: tuple[dict[int, StatisticsCollector], dict[str, int]],
) -> DataFile:
    from pyiceberg.manifest import DataFile, DataFileContent, FileFormat
    from pyiceberg.typedef import Record
    from pyiceberg.utils.datetime import date_to_days

    file = DataFile.from_args(
        content=DataFileContent.DATA,
        file_path=path,
        file_format=FileFormat.PARQUET,
        partition=Record(date_to_days(day)),
        file_size_in_bytes=size,
        sort_order_id=None,
        equality_ids=None,
        key_metadata=None,
        **_statistics(rows, footer, *statistics),
    )
    file.spec_id = table.metadata.default_spec_id
    return file


def _statistics(
    rows: pa.Table, footer: pq.FileMetaData, plan: Mapping[int, StatisticsCollector], columns: Mapping[str, int]
) -> dict[str, Any]:
    """Counts and bounds of a file's columns, by field id, as a manifest holds them."""
    from pyiceberg.io.pyarrow import (
        MetricModeTypes,
        MetricsMode,
        StatisticsCollector,
        data_file_statistics_from_parquet_metadata,
    )

    def counted(each: StatisticsCollector) -> StatisticsCollector:
        mode = each.mode if each.mode.type == MetricModeTypes.NONE else MetricsMode(MetricModeTypes.COUNTS)
        return StatisticsCollector(each.field_id, each.iceberg_type, mode, each.column_name)

    unsure = _unsure(footer, columns)
    planned = {number: counted(each) if number in unsure else each for number, each in plan.items()}
    try:
        described = data_file_statistics_from_parquet_metadata(footer, planned, dict(columns)).to_serialized_dict()
    except (OverflowError, ValueError):
        # A time beyond the year 9999, or a character without a next one: pyiceberg cannot write such a bound.
        counts = {number: counted(each) for number, each in plan.items()}
        described = data_file_statistics_from_parquet_metadata(footer, counts, dict(columns)).to_serialized_dict()
    nan = {
        number: _nan(rows.column(name))
        for name, number in columns.items()
        if name in rows.column_names and plan[number].mode.type != MetricModeTypes.NONE and _floats(rows, name)
    }
    described["nan_value_counts"] = nan
    # SQL engines hold NaN to be more than any number, and Parquet leaves it out of its bounds.
    with_nan = {number for number, count in nan.items() if count}
    described["upper_bounds"] = {
        number: bound for number, bound in (described["upper_bounds"] or {}).items() if number not in with_nan
    }
    return described


def _unsure(footer: pq.FileMetaData, columns: Mapping[str, int]) -> set[int]:
    """Columns of texts and bytes of which Parquet left out the bounds of some rows, for they are too long."""
    chunks = [footer.row_group(n).column(m) for n in range(footer.num_row_groups) for m in range(footer.num_columns)]
    return {
        columns[chunk.path_in_schema]
        for chunk in chunks
        if chunk.physical_type == "BYTE_ARRAY" and chunk.is_stats_set and not chunk.statistics.has_min_max
    }


def _floats(rows: pa.Table, name: str) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_floating(rows.schema.field(name).type))


def _nan(column: pa.ChunkedArray) -> int:
    import pyarrow.compute as pc

    return int(pc.sum(pc.is_nan(column)).as_py() or 0)
