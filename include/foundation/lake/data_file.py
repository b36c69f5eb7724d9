"""Parquet data files of Iceberg tables, one per day.

pyiceberg's own writer sends five requests a file and converts every batch on its own: for files of a day, which are
small, it takes five times as long as encoding them. Here rows are converted once and a file is one request.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    import polars as pl
    import pyarrow as pa
    import pyarrow.parquet as pq
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
        return _described(table, day, path=path, size=len(data), footer=footer, statistics=statistics)

    with ThreadPoolExecutor(WRITERS) as pool:
        return list(pool.map(lambda each: send(*each), _by_day(table, rows)))


def _by_day(table: Table, rows: pl.DataFrame) -> Iterator[tuple[date, pa.Table]]:
    import polars as pl
    import pyarrow as pa
    from pyiceberg.io.pyarrow import schema_to_pyarrow

    if not rows["event_date"].is_sorted():
        rows = rows.sort("event_date", maintain_order=True)
    schema = pa.schema([field for field in schema_to_pyarrow(table.schema()) if field.name in rows.columns])
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
    table: Table, day: date, *, path: str, size: int, footer: pq.FileMetaData, statistics: tuple[Any, Any]
) -> DataFile:
    from pyiceberg.io.pyarrow import data_file_statistics_from_parquet_metadata
    from pyiceberg.manifest import DataFile, DataFileContent, FileFormat
    from pyiceberg.typedef import Record
    from pyiceberg.utils.datetime import date_to_days

    plan, columns = statistics
    found = data_file_statistics_from_parquet_metadata(footer, stats_columns=plan, parquet_column_mapping=columns)
    return DataFile.from_args(
        content=DataFileContent.DATA,
        file_path=path,
        file_format=FileFormat.PARQUET,
        partition=Record(date_to_days(day)),
        file_size_in_bytes=size,
        sort_order_id=None,
        spec_id=table.metadata.default_spec_id,
        equality_ids=None,
        key_metadata=None,
        **found.to_serialized_dict(),
    )
