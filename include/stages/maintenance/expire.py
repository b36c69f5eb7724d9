"""Expiring snapshots: those that nobody could have found as the current one since some moment, and no tag names.

What their commits said is carried on in the same commit of the table (`commit_log.carry`): reconciling, finding stale
days and positions of streams do not depend on how many snapshots are kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from include.foundation.lake import tables
from include.foundation.lake.catalog import retry_commit
from include.foundation.lake.commit_log import CARRIED, carry

if TYPE_CHECKING:
    from datetime import datetime

    from pyiceberg.table import Table

    from include.foundation.lake import Lake


def expire(lake: Lake, identifier: str, *, before: datetime, dry_run: bool) -> int:
    """Expire snapshots that were replaced as the newest before a moment; their files become orphans.

    Kept are the newest of every branch, every tagged one, and those that were current at `before` or later: what a
    reader found since then stays readable.

    Returns:
        How many snapshots were (a dry run: would be) expired.

    Raises:
        ServiceUnavailable: other writers were faster for five minutes; nothing was changed.
    """
    from pyiceberg.table.refs import MAIN_BRANCH
    from pyiceberg.table.update import (
        AssertRefSnapshotId,
        AssertTableUUID,
        RemoveSnapshotsUpdate,
        SetPropertiesUpdate,
    )

    table = tables.load(lake, identifier)

    def attempt() -> int:
        expired = expirable(table, before)
        if expired and not dry_run and (head := table.current_snapshot()):
            table._do_commit(
                updates=(
                    SetPropertiesUpdate(updates={CARRIED: carry(table, expired)}),
                    RemoveSnapshotsUpdate.model_validate({"snapshot-ids": sorted(expired)}),
                ),
                requirements=(
                    AssertTableUUID(uuid=table.metadata.table_uuid),
                    AssertRefSnapshotId.model_validate({"ref": MAIN_BRANCH, "snapshot-id": head.snapshot_id}),
                ),
            )
        return len(expired)

    return retry_commit(lake, table, attempt)


def expirable(table: Table, before: datetime) -> set[int]:
    """The snapshots that `expire` would expire."""
    from pyiceberg.table.refs import SnapshotRefType

    there = {each.snapshot_id: each for each in table.snapshots()}
    kept = {ref.snapshot_id for ref in table.metadata.refs.values()}
    moment = before.timestamp() * 1000
    for ref in table.metadata.refs.values():
        each = there.get(ref.snapshot_id) if ref.snapshot_ref_type == SnapshotRefType.BRANCH else None
        while each:
            kept.add(each.snapshot_id)
            # Its parent was the newest until it came.
            parent = each.parent_snapshot_id if each.timestamp_ms >= moment else None
            each = there.get(parent) if parent is not None else None
    return {*there} - kept
