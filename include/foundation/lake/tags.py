"""Names of snapshots that must stay readable: Iceberg tags, which no expiry removes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from include.foundation.errors import InvalidInput
from include.foundation.lake import tables
from include.foundation.lake.catalog import retry_commit

if TYPE_CHECKING:
    from include.foundation.lake.connection import Lake


def ensure_tag(lake: Lake, identifier: str, name: str, snapshot_id: int) -> None:
    """Tag the snapshot, unless it has that tag already.

    Raises:
        MissingInput: there is no such table.
        InvalidInput: the tag is of another snapshot, or there is no such snapshot (any more).
        ServiceUnavailable: other writers were faster for five minutes.
    """
    from pyiceberg.table.refs import SnapshotRefType
    from pyiceberg.table.update import AssertRefSnapshotId, AssertTableUUID, SetSnapshotRefUpdate

    table = tables.load(lake, identifier)

    def attempt() -> None:
        there = table.metadata.refs.get(name)
        if there and there.snapshot_id == snapshot_id:
            return
        if there or table.snapshot_by_id(snapshot_id) is None:
            found = f"is of snapshot {there.snapshot_id}" if there else "cannot be made: the snapshot has expired"
            raise InvalidInput(f"{identifier}: tag {name!r} for snapshot {snapshot_id} {found}")
        table._do_commit(
            updates=(
                SetSnapshotRefUpdate.model_validate(
                    {"ref-name": name, "type": SnapshotRefType.TAG, "snapshot-id": snapshot_id}
                ),
            ),
            requirements=(
                AssertTableUUID(uuid=table.metadata.table_uuid),
                AssertRefSnapshotId.model_validate({"ref": name, "snapshot-id": None}),
            ),
        )

    retry_commit(lake, table, attempt)
