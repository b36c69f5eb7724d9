"""Reading data files into a frame.

Polars reads plain Parquet several times faster than pyiceberg's scan, and says the same: this project's columns are
found by name, never change name or type, and rows leave only with their file. Tables in which another program did
otherwise (row deletes, changed columns, partitions without a day) are read by pyiceberg.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from include.foundation.errors import InvalidInput
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
    table: Table,
    frozen: Snapshot | None,
    columns: Schema,
    *,
    start: date | None,
    end: date | None,
    most: int | None = None,
) -> pl.DataFrame:
    """Rows of whole days, in order of day and, within a day, in the order in which they were written.

    Args:
        table: the table.
        frozen: the state to read, by its own schema; None is the current one, by the current schema.
        columns: the columns to read, as Iceberg fields; one that a file lacks is null there.
        start: first day; None reads from the beginning.
        end: last day, inclusive; None reads to the end.
        most: the first rows alone; None reads all.

    Raises:
        InvalidInput: another program took `event_date` away, or wrote files that are not Parquet.
    """
    from pyiceberg.io.pyarrow import schema_to_pyarrow

    schema = pl.DataFrame(schema_to_pyarrow(columns, include_field_ids=False).empty_table()).schema
    if (snapshot := frozen or table.current_snapshot()) is None:
        return pl.DataFrame(schema=schema)
    if not is_plain(table, snapshot):
        bounds = ((">=", start), ("<=", end))
        days = " and ".join(f"{DAY} {sign} '{bound}'" for sign, bound in bounds if bound is not None) or "True"
        found = table.scan(
            days, selected_fields=tuple({*schema, DAY}), snapshot_id=frozen.snapshot_id if frozen else None
        )
        rows = pl.DataFrame(found.to_arrow()).sort(DAY, maintain_order=True)
        return rows.slice(0, most).select(schema.names()).cast(schema)
    return _read(table, manifests.files(table, snapshot, start=start, end=end), schema, most)


def read_files(table: Table, files: Sequence[DataFile]) -> pl.DataFrame:
    """All columns and rows of these files of a plain table, in their order."""
    from pyiceberg.io.pyarrow import schema_to_pyarrow

    schema = pl.DataFrame(schema_to_pyarrow(table.schema(), include_field_ids=False).empty_table()).schema
    return _read(table, files, schema)


def is_plain(table: Table, snapshot: Snapshot | None) -> bool:
    """Whether the table is as this project writes it.

    The days of all files are known, all their rows are there, and a column's name finds it in each of them, with the
    type that it has now.
    """
    data, deletes = manifests.alive(table, snapshot)
    positions = day_positions(table)
    fields = [field for schema in table.schemas().values() for field in schema.fields]
    columns = {(field.field_id, field.name, str(field.field_type)) for field in fields}
    return (
        not deletes
        and all(each.partition_spec_id in positions for each in data)
        and len(columns) == len({field.field_id for field in fields}) == len({field.name for field in fields})
        and not any(field.initial_default is not None for field in fields)
    )


def _read(table: Table, files: Sequence[DataFile], schema: pl.Schema, most: int | None = None) -> pl.DataFrame:
    from pyiceberg.manifest import FileFormat

    if strange := [file.file_path for file in files if file.file_format != FileFormat.PARQUET]:
        raise InvalidInput(f"{'.'.join(table.name())}: {strange[0]} is not Parquet: another program wrote it")
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
    return (frame if most is None else frame.head(most)).collect()


def _access(s3: S3) -> dict[str, Any]:
    """Polars' words for how to reach S3; what is not set is left to its own search."""
    options = {
        "aws_endpoint_url": s3.endpoint,
        "aws_region": s3.region,
        "aws_access_key_id": s3.access_key,
        "aws_secret_access_key": s3.secret_key,
        "aws_session_token": s3.session_token,
        "aws_allow_http": "true" if s3.endpoint and s3.endpoint.startswith("http://") else None,
    }
    found = {name: value for name, value in options.items() if value is not None}
    return {"storage_options": found or None, "credential_provider": None if s3.access_key else "auto"}
