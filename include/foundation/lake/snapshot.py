"""One Iceberg snapshot that replaces days: which files leave, which enter, and the manifests that say so.

pyiceberg can do this too (`overwrite`), with a second look at every manifest, a copy of the whole table metadata at
each step, and manifests that only ever grow in number: its cost grows with the table's history. Here a commit reads
only the manifests of the replaced days and writes one, which also takes in small ones when they become many.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from include.foundation.lake import manifests

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import date

    from pyiceberg.manifest import DataFile, ManifestEntry, ManifestFile
    from pyiceberg.table import Table
    from pyiceberg.table.snapshots import Snapshot, Summary

# With more manifests than MANY, those with fewer than SMALL live files are merged into the new one.
MANY = 32
SMALL = 1000


def replace(table: Table, *, days: Collection[date], files: Sequence[DataFile], told: Mapping[str, str]) -> int:
    """Commit one snapshot in which exactly `files` hold the rows of `days`.

    Args:
        table: the table, as the snapshot is to follow on it.
        days: the days to replace.
        files: their new data files (none makes the days empty).
        told: what the snapshot's summary says besides Iceberg's counts.

    Returns:
        The snapshot's id.

    Raises:
        CommitFailedException: the table has changed meanwhile; nothing was committed.
    """
    from pyiceberg.exceptions import CommitFailedException
    from pyiceberg.table.refs import MAIN_BRANCH, SnapshotRefType
    from pyiceberg.table.update import AddSnapshotUpdate, AssertRefSnapshotId, AssertTableUUID, SetSnapshotRefUpdate

    parent = table.current_snapshot()
    snapshot_id = table.metadata.new_snapshot_id()
    kept, removed, held = _split(table, parent, {*days})
    written: list[str] = []
    if files or removed or kept:
        held.insert(0, _manifest(table, snapshot_id, files=files, removed=removed, kept=kept))
        written.append(held[0].manifest_path)
    summary = _summary(table, parent, files=files, removed=removed, told=told)
    snapshot = _snapshot(table, snapshot_id, held=held, summary=summary)
    written.append(snapshot.manifest_list)
    try:
        table._do_commit(
            updates=(
                AddSnapshotUpdate(snapshot=snapshot),
                SetSnapshotRefUpdate.model_validate(
                    {"ref-name": MAIN_BRANCH, "type": SnapshotRefType.BRANCH, "snapshot-id": snapshot_id}
                ),
            ),
            requirements=(
                AssertTableUUID(uuid=table.metadata.table_uuid),
                AssertRefSnapshotId.model_validate(
                    {"ref": MAIN_BRANCH, "snapshot-id": parent.snapshot_id if parent else None}
                ),
            ),
        )
    except CommitFailedException:
        # A client that tries again by itself (Glue's and REST's do) may have met its own first try: the table now.
        table.refresh()
        if table.snapshot_by_id(snapshot_id):
            return snapshot_id
        for path in written:
            table.io.delete(path)
        raise
    return snapshot_id


def _split(
    table: Table, parent: Snapshot | None, days: set[date]
) -> tuple[list[ManifestEntry], list[ManifestEntry], list[ManifestFile]]:
    """Entries to keep and to remove, of manifests that are rewritten; and the manifests that stay as they are."""
    kept: list[ManifestEntry] = []
    removed: list[ManifestEntry] = []
    data, stay = manifests.alive(table, parent)
    small = [each for each in data if manifests.live(each) < SMALL] if len(data) > MANY else []
    start, end = min(days), max(days)
    concerned = [each for each in data if each in small or manifests.may_hold(each, start, end)]
    stay += [each for each in data if each not in concerned]
    for manifest, entries in manifests.opened(table, concerned):
        leave = [entry for entry in entries if manifests.day(entry.data_file) in days]
        if leave or manifest in small:
            removed += leave
            kept += [entry for entry in entries if manifests.day(entry.data_file) not in days]
        else:
            stay.append(manifest)
    return kept, removed, stay


def _manifest(
    table: Table,
    snapshot_id: int,
    *,
    files: Sequence[DataFile],
    removed: Sequence[ManifestEntry],
    kept: Sequence[ManifestEntry],
) -> ManifestFile:
    from pyiceberg.manifest import ManifestEntry, ManifestEntryStatus, write_manifest

    path = table.location_provider().new_metadata_location(f"{uuid.uuid4()}-m0.avro")
    with write_manifest(
        format_version=table.metadata.format_version,
        spec=table.spec(),
        schema=table.schema(),
        output_file=table.io.new_output(path),
        snapshot_id=snapshot_id,
        avro_compression="deflate",
    ) as writer:
        for file in files:
            writer.add(
                ManifestEntry.from_args(
                    status=ManifestEntryStatus.ADDED, snapshot_id=snapshot_id, sequence_number=None, data_file=file
                )
            )
        for entry in removed:
            writer.delete(entry)
        for entry in kept:
            writer.existing(entry)
    return writer.to_manifest_file()


def _snapshot(table: Table, snapshot_id: int, *, held: list[ManifestFile], summary: Summary) -> Snapshot:
    from pyiceberg.manifest import write_manifest_list
    from pyiceberg.table.snapshots import Snapshot

    parent = table.current_snapshot()
    parent_id = parent.snapshot_id if parent else None
    sequence_number = table.metadata.next_sequence_number()
    path = table.location_provider().new_metadata_location(f"snap-{snapshot_id}-0-{uuid.uuid4()}.avro")
    with write_manifest_list(
        format_version=table.metadata.format_version,
        output_file=table.io.new_output(path),
        snapshot_id=snapshot_id,
        parent_snapshot_id=parent_id,
        sequence_number=sequence_number,
        avro_compression="deflate",
    ) as writer:
        writer.add_manifests(held)
    return Snapshot.model_validate(
        {
            "snapshot-id": snapshot_id,
            "parent-snapshot-id": parent_id,
            "manifest-list": path,
            "sequence-number": sequence_number,
            "summary": summary,
            "schema-id": table.metadata.current_schema_id,
        }
    )


def _summary(
    table: Table,
    parent: Snapshot | None,
    *,
    files: Sequence[DataFile],
    removed: Sequence[ManifestEntry],
    told: Mapping[str, str],
) -> Summary:
    from pyiceberg.table.snapshots import Operation, SnapshotSummaryCollector, Summary, update_snapshot_summaries

    counts = SnapshotSummaryCollector()
    for file in files:
        counts.add_file(file, partition_spec=table.spec(), schema=table.schema())
    for entry in removed:
        counts.remove_file(entry.data_file, partition_spec=table.spec(), schema=table.schema())
    summary = Summary(operation=Operation.OVERWRITE, **counts.build(), **told)
    return update_snapshot_summaries(summary, parent.summary if parent else None)
