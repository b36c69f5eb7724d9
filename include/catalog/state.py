"""What the lake says of a table: how much is in it, how it came to be so, and how fresh it is. From metadata alone."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from include.foundation.lake import manifests, tables
from include.foundation.lake.layout import DAY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyiceberg.table import Table
    from pyiceberg.table.snapshots import Snapshot as IcebergSnapshot

    from include.foundation.spec import UseCase


@dataclass(frozen=True, kw_only=True)
class State:
    """A table now.

    Attributes:
        rows: in the current snapshot.
        bytes: of its data files.
        files: data files.
        snapshots: that are kept.
        updated: when it was last committed to; None while it never was.
        newest: the newest day that it holds, by the bounds of its manifests.
        columns: name, type and doc of each.
    """

    rows: int
    bytes: int
    files: int
    snapshots: int
    updated: datetime | None
    newest: date | None
    columns: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """One commit that is kept.

    Attributes:
        id: as text: JavaScript rounds numbers beyond 2^53.
        at: when.
        operation: append, overwrite, ...
        rows: in the table then.
        bytes: of its data files then.
        tags: that name it.
        run: of Airflow that made it; empty where it does not say.
        days: whose rows it changed.
        quality: what ingest said of the rows that it judged; None where it says nothing.
        made_from: table -> snapshot that it was made from.
    """

    id: str
    at: datetime
    operation: str
    rows: int
    bytes: int
    tags: tuple[str, ...] = ()
    run: str = ""
    days: str = ""
    quality: Quality | None = None
    made_from: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Quality:
    """What ingest counted in one run.

    Attributes:
        landed: rows.
        quarantined: of these.
        reasons: rows by reason.
        warnings: days that were unlike the days before them.
    """

    landed: int
    quarantined: int
    reasons: Mapping[str, int]
    warnings: tuple[str, ...]


def state(table: Table) -> State:
    """What a table is now."""
    current = table.current_snapshot()
    said = tables.summary(current)
    return State(
        rows=_number(said, "total-records"),
        bytes=_number(said, "total-files-size"),
        files=_number(said, "total-data-files"),
        snapshots=len(table.metadata.snapshots),
        updated=_moment(current.timestamp_ms) if current else None,
        newest=_newest(table, current),
        columns=tuple((column.name, str(column.field_type), column.doc or "") for column in table.schema().fields),
    )


def history(table: Table) -> list[Snapshot]:
    """The commits that are kept, oldest first."""
    named: dict[int, list[str]] = {}
    for name, ref in table.metadata.refs.items():
        named.setdefault(ref.snapshot_id, []).append(name)
    found = sorted(table.metadata.snapshots, key=lambda each: each.timestamp_ms)
    return [_snapshot(each, tuple(sorted(named.get(each.snapshot_id, ())))) for each in found]


def partitions(table: Table) -> list[tuple[date, int, int, int]]:
    """Day, rows, files and bytes of each day that has rows, newest first.

    Raises:
        InvalidInput: another program laid the table out otherwise.
    """
    from include.foundation.lake.layout import day_reader

    day, found = day_reader(table), dict[date, tuple[int, int, int]]()
    for file in manifests.files(table, table.current_snapshot()):
        rows, files, size = found.get(day(file), (0, 0, 0))
        found[day(file)] = (rows + file.record_count, files + 1, size + file.file_size_in_bytes)
    return [(each, *found[each]) for each in sorted(found, reverse=True)]


def due(spec: UseCase, today: date) -> date | None:
    """The newest day that the schedule says there should be; None before its start."""
    last = min(today, spec.schedule.end) if spec.schedule.end else today
    return last if last >= spec.schedule.start else None


def freshness(newest: date | None, expected: date | None) -> tuple[str, str]:
    """A verdict (`ok`, `late` or `unknown`) and the sentence that says it."""
    if expected is None or newest is None:
        return "unknown", "holds no day yet" if newest is None else "nothing is due yet"
    behind = (expected - newest).days
    if behind <= 1:  # a day is whole only when it is over
        return "ok", f"up to {newest}, as the schedule says"
    return "late", f"up to {newest}; the schedule says {expected}: {behind:,} days behind"


def _snapshot(one: IcebergSnapshot, tags: tuple[str, ...]) -> Snapshot:
    said = tables.summary(one)
    return Snapshot(
        id=str(one.snapshot_id),
        at=_moment(one.timestamp_ms),
        operation=one.summary.operation.value if one.summary else "",
        rows=_number(said, "total-records"),
        bytes=_number(said, "total-files-size"),
        tags=tags,
        run=said.get("run_id", ""),
        days=said.get("days", ""),
        quality=_quality(said),
        made_from=_made_from(said),
    )


def _quality(said: Mapping[str, str]) -> Quality | None:
    if "landed" not in said:
        return None
    return Quality(
        landed=_number(said, "landed"),
        quarantined=_number(said, "quarantined"),
        reasons={str(reason): int(rows) for reason, rows in _json(said.get("reasons"), {}).items()},
        warnings=tuple(map(str, _json(said.get("warnings"), []))),
    )


def _made_from(said: Mapping[str, str]) -> dict[str, str]:
    named = {str(table): str(number) for table, number in _json(said.get("made_from"), {}).items()}
    for key in ("bronze_snapshot", "quarantine_snapshot", "gold_snapshot"):
        if said.get(key):
            named[key.removesuffix("_snapshot")] = said[key]
    return named


def _newest(table: Table, snapshot: IcebergSnapshot | None) -> date | None:
    """By the bounds that manifests state of their days."""
    from pyiceberg.conversions import from_bytes
    from pyiceberg.types import DateType
    from pyiceberg.utils.datetime import days_to_date

    days = [field for field in table.spec().fields if field.name == DAY]
    if snapshot is None or not days:
        return None
    place = table.spec().fields.index(days[0])
    data, _ = manifests.alive(table, snapshot)
    bounds = [each.partitions[place].upper_bound for each in data if each.partitions and len(each.partitions) > place]
    return max((days_to_date(int(from_bytes(DateType(), each))) for each in bounds if each is not None), default=None)


def _number(said: Mapping[str, str], name: str) -> int:
    value = said.get(name, "")
    return int(value) if value.isdigit() else 0


def _json(text: str | None, otherwise: Any) -> Any:
    try:
        found = json.loads(text) if text else otherwise
    except ValueError:  # another program's words
        return otherwise
    return found if isinstance(found, type(otherwise)) else otherwise


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
