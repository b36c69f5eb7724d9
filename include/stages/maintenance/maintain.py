"""Upkeep of one table: compact, expire, delete orphans, and see that no row changed."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from include.foundation.errors import PermanentError
from include.foundation.lake import tables
from include.foundation.lake.commit_log import log
from include.foundation.spec.topics import GAPS
from include.stages.maintenance.compact import compact, gather
from include.stages.maintenance.expire import expire
from include.stages.maintenance.orphans import remove_orphans

if TYPE_CHECKING:
    from include.foundation.lake import Lake
    from include.foundation.spec import UseCase


class Upkeep(BaseModel):
    """What was done to one table, or would be (`dry_run`); JSON-able.

    Attributes:
        table: its identifier.
        dry_run: whether it was only looked at.
        rows: rows of the table when all was done.
        merged: small files that became part of larger ones.
        expired: snapshots.
        orphans: files that were deleted; the first of them are `examples`.
        examples: at most 20 of these files.
    """

    model_config = ConfigDict(frozen=True)

    table: str
    dry_run: bool
    rows: int
    merged: int
    expired: int
    orphans: int
    examples: tuple[str, ...]


def existing(lake: Lake, specs: Iterable[UseCase]) -> list[str]:
    """The tables of these use cases that exist; tables of others in the same catalog are not ours to touch."""
    names = [GAPS]
    for spec in specs:
        names += [spec.table("bronze", each.name) for each in spec.ingested]
        names += [spec.table("quarantine", each.name) for each in spec.ingested]
        names += [spec.table("silver", each.name) for each in spec.ingested]
        names += [spec.gold, spec.scores, spec.predictions_table, spec.monitoring_table, spec.live_table]
    return [name for name in names if lake.catalog().table_exists(name)]


def maintain(
    lake: Lake, identifier: str, *, keep: timedelta, orphan_age: timedelta, min_files: int, dry_run: bool = False
) -> Upkeep:
    """Keep one table small and quick; safe beside running writers and readers.

    Args:
        lake: the lake.
        identifier: `namespace.table`.
        keep: for so long every state of the table stays readable; tagged states for ever.
        orphan_age: files that no snapshot needs are deleted when they are older; at least two days.
        min_files: so many small files of a day are merged, and so many small manifests.
        dry_run: change nothing, and say what would be done.

    Raises:
        MissingInput: there is no such table.
        InvalidInput: another program changed the table's layout, or another table shares its folder.
        ServiceUnavailable: other writers were faster for five minutes. What was done until then is done.
        PermanentError: a day has other rows than before, and no writer replaced them.
    """
    now = datetime.now(UTC)
    start = tables.current_snapshot_id(lake, identifier)
    before = tables.counts(lake, identifier, snapshot_id=start)
    merged = compact(lake, identifier, min_files=min_files, dry_run=dry_run)
    if not dry_run:
        gather(lake, identifier, min_manifests=min_files)
    expired = expire(lake, identifier, before=now - keep, dry_run=dry_run)
    orphans = remove_orphans(lake, identifier, before=now - orphan_age, dry_run=dry_run)
    table = tables.load(lake, identifier)
    end = table.current_snapshot()
    after = tables.counts(lake, identifier, snapshot_id=end.snapshot_id if end else None)
    changed: set[object] = set()
    for each in log(table):
        if each.snapshot_id == start:
            break
        changed |= {*(before | after)} if each.days is None else each.days
    differ = [day for day in sorted(before | after) if before.get(day) != after.get(day) and day not in changed]
    if differ:
        raise PermanentError(
            f"{identifier}: rows changed while no writer was at work on {', '.join(map(str, differ[:3]))}"
            f" ({len(differ)} days): snapshot {start} has the rows as they were"
        )
    return Upkeep(
        table=identifier,
        dry_run=dry_run,
        rows=sum(after.values()),
        merged=merged,
        expired=expired,
        orphans=len(orphans),
        examples=tuple(orphans[:20]),
    )
