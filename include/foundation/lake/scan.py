"""Reading data files into a frame.

Polars reads plain Parquet several times faster than pyiceberg's scan, and says the same: this project's columns are
found by name, never renamed, and rows leave only with their file. Tables in which another program did otherwise (row
deletes, renamed columns, other formats) are read by pyiceberg.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from include.foundation.lake import manifests
from include.foundation.lake.objects import S3

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from pyiceberg.manifest import DataFile
    from pyiceberg.schema import Schema
    from pyiceberg.table import Table
    from pyiceberg.table.snapshots import Snapshot


def scan(
    table: Table, snapshot: Snapshot | None, columns: Schema, *, start: date | None, end: date | None
) -> pl.DataFrame:
    """Rows of whole days, in order of day and, within a day, in the order in which they were written.

    Args:
        table: the table.
        snapshot: the state to read; None is an empty table.
        columns: the columns to read, as Iceberg fields; one that a file lacks is null there.
        start: first day; None reads from the beginning.
        end: last day, inclusive; None reads to the end.
    """
    from pyiceberg.io.pyarrow import schema_to_pyarrow

    schema = pl.DataFrame(schema_to_pyarrow(columns, include_field_ids=False).empty_table()).schema
    if snapshot is None:
        return pl.DataFrame(schema=schema)
    files = manifests.files(table, snapshot, start=start, end=end)
    if not _is_plain(table, snapshot, files):
        bounds = ((">=", start), ("<=", end))
        days = " and ".join(f"event_date {sign} '{bound}'" for sign, bound in bounds if bound is not None) or "True"
        fields = tuple({*schema, "event_date"})
        found = table.scan(days, selected_fields=fields, snapshot_id=snapshot.snapshot_id).to_arrow()
        return pl.DataFrame(found).sort("event_date", maintain_order=True).select(schema.names())
    if not files:
        return pl.DataFrame(schema=schema)
    frame = pl.scan_parquet(
        [file.file_path for file in files],
        schema=schema,
        missing_columns="insert",
        extra_columns="ignore",
        glob=False,
        **_access(S3.from_iceberg(table.io.properties)),
    )
    return frame.collect()


def _is_plain(table: Table, snapshot: Snapshot, files: Sequence[DataFile]) -> bool:
    from pyiceberg.manifest import FileFormat

    names = {(field.field_id, field.name) for schema in table.schemas().values() for field in schema.fields}
    renamed = len(names) > len({number for number, _ in names}) or len(names) > len({name for _, name in names})
    _, deletes = manifests.alive(table, snapshot)
    return not renamed and not deletes and all(file.file_format == FileFormat.PARQUET for file in files)


def _access(s3: S3) -> dict[str, Any]:
    """Polars' words for how to reach S3; what is not set is left to its own search."""
    options = {
        "aws_endpoint_url": s3.endpoint,
        "aws_region": s3.region,
        "aws_access_key_id": s3.access_key,
        "aws_secret_access_key": s3.secret_key,
        "aws_allow_http": "true" if s3.endpoint and s3.endpoint.startswith("http://") else None,
    }
    found = {name: value for name, value in options.items() if value is not None}
    return {"storage_options": found or None, "credential_provider": None if s3.access_key else "auto"}
