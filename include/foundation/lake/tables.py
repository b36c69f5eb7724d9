"""Iceberg tables: make, evolve and read them. Every table is partitioned by identity of `event_date`."""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import TYPE_CHECKING, cast

from include.foundation.errors import InvalidInput, MissingInput
from include.foundation.lake import manifests
from include.foundation.lake.catalog import ensure_namespace
from include.foundation.lake.layout import DAY, check_layout, day_reader
from include.foundation.lake.locks import creation_lock

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import polars as pl
    import pyarrow as pa
    from pyiceberg.schema import Schema
    from pyiceberg.table import Table
    from pyiceberg.table.snapshots import Snapshot
    from pyiceberg.types import IcebergType, PrimitiveType

    from include.foundation.lake.connection import Lake

# Conflicts are planned again by `commit`, which knows what it changes; pyiceberg's own retry does not.
# Old metadata files (each lists all snapshots) are dropped after 100 versions; snapshots themselves are not touched.
# Column bounds are Iceberg's default; `write.metadata.metrics.*` takes them away from a very wide table.
PROPERTIES = {
    "commit.retry.num-retries": "0",
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "100",
}


def ensure_table(lake: Lake, identifier: str, schema: pa.Schema | pl.Schema) -> Table:
    """Load the table, creating it or adding columns that it lacks. Columns are optional and are never dropped.

    Args:
        lake: the lake.
        identifier: `namespace.table`.
        schema: names and types (Arrow's or polars') that rows to be written have; `event_date` must be a date.

    Raises:
        InvalidInput: a column exists with a type that the rows' cannot be widened to, `event_date` is missing or not a
            date, or another program changed the table's layout or made a column required that the rows lack.
    """
    import polars as pl
    import pyarrow as pa
    from pyiceberg.exceptions import CommitFailedException, NoSuchTableError, TableAlreadyExistsError

    if not isinstance(schema, pa.Schema):
        schema = pl.DataFrame(schema=schema).to_arrow(compat_level=pl.CompatLevel.oldest()).schema
    if DAY not in schema.names or schema.field(DAY).type != pa.date32():
        raise InvalidInput(f"{identifier}: rows need a column {DAY!r} of type date")
    catalog = lake.catalog()
    try:
        table = catalog.load_table(identifier)
    except NoSuchTableError:
        try:
            return _create(lake, identifier, schema)
        except TableAlreadyExistsError:  # another writer was faster
            table = catalog.load_table(identifier)
    check_layout(table)
    wanted = _iceberg(schema)
    if _missing(table, wanted):
        try:
            with table.update_schema() as update:
                update.union_by_name(wanted)
        except CommitFailedException:  # a concurrent commit; look again at what it made
            return ensure_table(lake, identifier, schema)
    return table


def load(lake: Lake, identifier: str) -> Table:
    """The table. Raises MissingInput if there is none."""
    from pyiceberg.exceptions import NoSuchTableError

    try:
        return lake.catalog().load_table(identifier)
    except NoSuchTableError as error:
        raise MissingInput(f"table {identifier} does not exist (yet)") from error


def read(
    lake: Lake,
    identifier: str,
    *,
    start: date | None = None,
    end: date | None = None,
    snapshot_id: int | None = None,
    columns: Sequence[str] | None = None,
    most: int | None = None,
) -> pl.DataFrame:
    """Read whole days, in order of day and, within a day, in the order in which they were written.

    Args:
        lake: the lake.
        identifier: `namespace.table`.
        start: first day; None reads from the beginning.
        end: last day, inclusive; None reads to the end.
        snapshot_id: the frozen state to read; None is the current one.
        columns: the columns to read, in this order; None reads all.
        most: the first rows alone; None reads all.

    Raises:
        MissingInput: there is no such table.
        InvalidInput: there is no such snapshot or column.
    """
    from include.foundation.lake.scan import scan

    table = load(lake, identifier)
    frozen = None if snapshot_id is None else _snapshot(table, snapshot_id)
    at = table.schema() if frozen is None or frozen.schema_id is None else table.schemas()[frozen.schema_id]
    frame = scan(table, frozen, _projection(at, identifier, columns), start=start, end=end, most=most)
    return frame if columns is None else frame.select(columns)


def days(lake: Lake, identifier: str, *, snapshot_id: int | None = None) -> list[date]:
    """Days that have rows, sorted, from metadata alone. A missing table has none."""
    return sorted(counts(lake, identifier, snapshot_id=snapshot_id))


def counts(
    lake: Lake,
    identifier: str,
    *,
    start: date | None = None,
    end: date | None = None,
    snapshot_id: int | None = None,
) -> dict[date, int]:
    """Rows per day, of days that have rows, from metadata alone. A missing table has none.

    Raises:
        InvalidInput: metadata alone does not tell, for another program deleted single rows or took the days away.
    """
    try:
        table = load(lake, identifier)
    except MissingInput:
        return {}
    snapshot = _snapshot(table, snapshot_id)
    if manifests.alive(table, snapshot)[1]:
        raise InvalidInput(
            f"{identifier}: another program deleted single rows, and counts of its files do not say which; write the"
            " files anew without them (rewrite_data_files)"
        )
    rows: Counter[date] = Counter()
    day = day_reader(table)
    for file in manifests.files(table, snapshot, start=start, end=end):
        rows[day(file)] += file.record_count
    return dict(rows)


def days_within(lake: Lake, identifier: str, column: str, low: int, high: int) -> set[date]:
    """Days that may have a row whose value of a column is from `low` to `high`, by the bounds that files state.

    Args:
        lake: the lake.
        identifier: `namespace.table`.
        column: of dates (whole days since 1970), moments (microseconds since 1970) or whole numbers.
        low: the least value.
        high: the greatest.

    Raises:
        MissingInput: there is no such table.
    """
    found = set()
    for day, only_nulls, bounds in _bounds(load(lake, identifier), column):
        if bounds is None:
            found |= set() if only_nulls else {day}  # nothing is stated
        elif bounds[0] <= high and bounds[1] >= low:
            found.add(day)
    return found


def greatest(lake: Lake, identifier: str, column: str) -> dict[date, int]:
    """Day -> the greatest value of a column, of the types of `days_within`, by the bounds that files state.

    Raises:
        MissingInput: there is no such table.
        InvalidInput: a file does not state it: another program wrote it.
    """
    found: dict[date, int] = {}
    for day, _, bounds in _bounds(load(lake, identifier), column):
        if bounds is None:
            raise InvalidInput(f"{identifier}: a file of {day} does not state the bounds of {column}: write it anew")
        found[day] = max(bounds[1], found.get(day, bounds[1]))
    return found


def _bounds(table: Table, column: str) -> Iterator[tuple[date, bool, tuple[int, int] | None]]:
    """Of each file its day, whether it is known to have nulls alone, and the bounds of a column, if it states them."""
    from pyiceberg.conversions import from_bytes

    field, day = table.schema().find_field(column), day_reader(table)
    number, kind = field.field_id, cast("PrimitiveType", field.field_type)
    for file in manifests.files(table, table.current_snapshot()):
        least, most = ((bounds or {}).get(number) for bounds in (file.lower_bounds, file.upper_bounds))
        only_nulls = bool(file.null_value_counts) and file.null_value_counts.get(number) == file.record_count
        if least is None or most is None:
            yield day(file), only_nulls, None
        else:
            yield day(file), False, (cast("int", from_bytes(kind, least)), cast("int", from_bytes(kind, most)))


def current_snapshot_id(lake: Lake, identifier: str) -> int | None:
    """The newest commit of the table; None while it has none.

    Raises:
        MissingInput: there is no such table.
    """
    snapshot = load(lake, identifier).current_snapshot()
    return snapshot.snapshot_id if snapshot else None


def snapshot_summary(lake: Lake, identifier: str, snapshot_id: int) -> Mapping[str, str]:
    """What a commit says about itself: the writer's own keys and Iceberg's counts.

    Raises:
        MissingInput: there is no such table.
        InvalidInput: there is no such snapshot.
    """
    return summary(_snapshot(load(lake, identifier), snapshot_id))


def summary(snapshot: Snapshot | None) -> dict[str, str]:
    """A snapshot's summary as a plain dictionary."""
    return dict(snapshot.summary.additional_properties) if snapshot and snapshot.summary else {}


def polars(rows: pa.Table | pl.DataFrame) -> pl.DataFrame:
    """Rows as a polars frame."""
    import polars as pl

    return rows if isinstance(rows, pl.DataFrame) else pl.DataFrame(rows)


def _create(lake: Lake, identifier: str, schema: pa.Schema) -> Table:
    from pyiceberg.exceptions import TableAlreadyExistsError
    from pyiceberg.partitioning import PartitionField, PartitionSpec
    from pyiceberg.transforms import IdentityTransform

    wanted = _iceberg(schema)
    field = PartitionField(
        source_id=wanted.find_field(DAY).field_id, field_id=1000, transform=IdentityTransform(), name=DAY
    )
    catalog = lake.catalog()
    with creation_lock(lake, identifier):
        if catalog.table_exists(identifier):
            raise TableAlreadyExistsError(identifier)
        ensure_namespace(catalog, identifier.rpartition(".")[0])
        return catalog.create_table(
            identifier, schema=wanted, partition_spec=PartitionSpec(field), properties=PROPERTIES
        )


def _iceberg(schema: pa.Schema) -> Schema:
    """The Iceberg schema of Arrow columns, all optional, with fresh field ids."""
    import pyarrow as pa
    from pyiceberg.io.pyarrow import _pyarrow_to_schema_without_ids
    from pyiceberg.schema import assign_fresh_schema_ids

    optional = pa.schema([field.with_nullable(True) for field in schema])
    return assign_fresh_schema_ids(_pyarrow_to_schema_without_ids(optional))


def _missing(table: Table, wanted: Schema) -> bool:
    """Whether the table lacks a wanted column. Raises InvalidInput where rows of these columns do not fit the table."""
    have = {field.name: field.field_type for field in table.schema().fields}
    given = {field.name for field in wanted.fields}
    if required := [field.name for field in table.schema().fields if field.required and field.name not in given]:
        raise InvalidInput(
            f"{'.'.join(table.name())}: another program made {required[:5]} required, and the new rows lack them"
        )
    for field in wanted.fields:
        if field.name in have and not _widens(field.field_type, have[field.name]):
            raise InvalidInput(
                f"{'.'.join(table.name())}: column {field.name!r} is {have[field.name]}, and the new rows have"
                f" {field.field_type}; types of a table do not change. Keep the type, and give what is derived from it"
                " another name; or drop the table and run all its days again, which makes it anew"
            )
    return any(field.name not in have for field in wanted.fields)


def _widens(given: IcebergType, have: IcebergType) -> bool:
    """Whether rows of one type may be written to a column of the other (widened by another program, say)."""
    from pyiceberg.exceptions import ResolveError
    from pyiceberg.schema import promote

    # As text, for catalogs number the elements of lists each in their own way.
    try:
        return str(given) == str(have) or promote(given, have) == have
    except ResolveError:
        return False


def _projection(schema: Schema, identifier: str, columns: Sequence[str] | None) -> Schema:
    if columns is None:
        return schema
    try:
        return schema.select(*columns)
    except ValueError as error:
        names = ", ".join(field.name for field in schema.fields)
        raise InvalidInput(f"{identifier} has no such column: {error}; it has {names}") from error


def _snapshot(table: Table, snapshot_id: int | None) -> Snapshot | None:
    """That snapshot, or the current one."""
    if snapshot_id is None:
        return table.current_snapshot()
    snapshot = table.snapshot_by_id(snapshot_id)
    if snapshot is None:
        raise InvalidInput(f"{'.'.join(table.name())} has no snapshot {snapshot_id}; it may have expired")
    return snapshot
