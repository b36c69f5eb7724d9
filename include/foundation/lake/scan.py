"""Reading data files into a frame.

Polars reads plain Parquet several times faster than pyiceberg's scan, and says the same: this project's columns are
found by name, never change name or type, and rows leave only with their file. Tables in which another program did
otherwise (row deletes, changed columns, partitions without a day, other formats) are read by pyiceberg.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from include.foundation.lake import manifests
from include.foundation.lake.layout import DAY, day_positions
from include.foundation.lake.objects import S3

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from pyiceberg.manifest import DataFile
    from pyiceberg.schema import Schema
    from pyiceberg.table import Table
    from pyiceberg.table.snapshots import Snapshot


def scan(
    table: Table, frozen: Snapshot | None, columns: Schema, *, start: date | None, end: date | None
) -> pl.DataFrame:
    """Rows of whole days, in order of day and, within a day, in the order in which they were written.

    Args:
        table: the table.
        frozen: the state to read, by its own schema; None is the current one, by the current schema.
        columns: the columns to read, as Iceberg fields; one that a file lacks is null there.
        start: first day; None reads from the beginning.
        end: last day, inclusive; None reads to the end.

    Raises:
        InvalidInput: another program took `event_date` away.
    """
    from pyiceberg.io.pyarrow import schema_to_pyarrow

    schema = pl.DataFrame(schema_to_pyarrow(columns, include_field_ids=False).empty_table()).schema
    if (snapshot := frozen or table.current_snapshot()) is None:
        return pl.DataFrame(schema=schema)
    files = manifests.files(table, snapshot, start=start, end=end) if _states_days(table, snapshot) else None
    if files is None or not _is_plain(table, files):
        bounds = ((">=", start), ("<=", end))
        days = " and ".join(f"{DAY} {sign} '{bound}'" for sign, bound in bounds if bound is not None) or "True"
        found = table.scan(
            days, selected_fields=tuple({*schema, DAY}), snapshot_id=frozen.snapshot_id if frozen else None
        )
        return pl.DataFrame(found.to_arrow()).sort(DAY, maintain_order=True).select(schema.names()).cast(schema)
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


def _states_days(table: Table, snapshot: Snapshot) -> bool:
    """Whether the days of all files are known, and all their rows are there."""
    data, deletes = manifests.alive(table, snapshot)
    positions = day_positions(table)
    return not deletes and all(each.partition_spec_id in positions for each in data)


def _is_plain(table: Table, files: Sequence[DataFile]) -> bool:
    """Whether all files are Parquet, and a column's name finds it in each of them, with the type that it has now."""
    from pyiceberg.manifest import FileFormat

    fields = [field for schema in table.schemas().values() for field in schema.fields]
    columns = {(field.field_id, field.name, str(field.field_type)) for field in fields}
    kept = len(columns) == len({field.field_id for field in fields}) == len({field.name for field in fields})
    defaults = any(field.initial_default is not None for field in fields)
    return kept and not defaults and all(file.file_format == FileFormat.PARQUET for file in files)


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
