"""One Iceberg snapshot: which files leave, which enter, and the manifests that say so.

pyiceberg can do this too (`overwrite`, `append`), with a second look at every manifest, a copy of the whole table
metadata at each step, and manifests that only ever grow in number: its cost grows with the table's history. Here a
commit reads only the manifests of the days that it changes and writes one, which also takes in small ones when they
become many.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from include.foundation.lake import manifests
from include.foundation.lake.change import Gather, Rewrite
from include.foundation.lake.layout import day_reader

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pyiceberg.manifest import DataFile, ManifestEntry, ManifestFile
    from pyiceberg.table import Table
    from pyiceberg.table.snapshots import Snapshot, Summary

    from include.foundation.lake.change import Change

# With more manifests than MANY, those with fewer than SMALL live files are merged into the new one.
MANY = 32
SMALL = 1000


def commit(table: Table, change: Change, *, files: Sequence[DataFile], summary: Mapping[str, str]) -> int:
    """Commit one snapshot that makes the change with these new files.

    Args:
        table: the table, as the snapshot is to follow on it.
        change: what leaves.
        files: the data files that enter (none is fine).
        summary: what the snapshot's summary says besides the change and Iceberg's counts.

    Returns:
        The snapshot's id.

    Raises:
        CommitFailedException: the table has changed meanwhile; nothing was committed.
        Superseded: the change does not fit the table (any more).
    """
    from pyiceberg.exceptions import CommitFailedException
    from pyiceberg.table.refs import MAIN_BRANCH, SnapshotRefType
    from pyiceberg.table.update import AddSnapshotUpdate, AssertRefSnapshotId, AssertTableUUID, SetSnapshotRefUpdate

    parent = table.current_snapshot()
    parent_id = parent.snapshot_id if parent else None
    snapshot_id = table.metadata.new_snapshot_id()
    split = _split(table, parent, change)
    day = day_reader(table)
    said = {**summary, **change.summary(table, {day(file) for file in files}, split.removed)}
    sequence_number = change.sequence_number if isinstance(change, Rewrite) else None
    made = list(_manifests(table, snapshot_id, split, files=files, sequence_number=sequence_number))
    snapshot = _snapshot(
        table,
        snapshot_id,
        held=[*made, *split.stay],
        summary=_summary(table, parent, change.operation, files=files, removed=split.removed, said=said),
    )
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
                AssertRefSnapshotId.model_validate({"ref": MAIN_BRANCH, "snapshot-id": parent_id}),
            ),
        )
    except CommitFailedException:
        # A client that tries again by itself (Glue's and REST's do) may have met its own first try: the table now.
        table.refresh()
        if table.snapshot_by_id(snapshot_id):
            return snapshot_id
        for path in [*(each.manifest_path for each in made), snapshot.manifest_list]:
            table.io.delete(path)
        raise
    return snapshot_id


@dataclass
class _Split:
    """Entries to keep and to remove, of manifests that are rewritten; and the manifests that stay as they are."""

    kept: list[ManifestEntry] = field(default_factory=list)
    removed: list[ManifestEntry] = field(default_factory=list)
    stay: list[ManifestFile] = field(default_factory=list)


def _split(table: Table, parent: Snapshot | None, change: Change) -> _Split:
    split = _Split()
    data, split.stay = manifests.alive(table, parent)
    few = 1 if isinstance(change, Gather) else MANY
    small = [each for each in data if manifests.live(each) < SMALL] if len(data) > few else []
    span, day = change.span(), day_reader(table)
    concerned = [
        each for each in data if each in small or (span is not None and manifests.may_hold(table, each, *span))
    ]
    split.stay += [each for each in data if each not in concerned]
    for manifest, entries in manifests.opened(table, concerned):
        leave = [entry for entry in entries if span and change.removes(day(entry.data_file), entry.data_file)]
        if leave or manifest in small:
            split.removed += leave
            split.kept += [entry for entry in entries if entry not in leave]
        else:
            split.stay.append(manifest)
    return split


def _manifests(
    table: Table, snapshot_id: int, split: _Split, *, files: Sequence[DataFile], sequence_number: int | None
) -> Iterator[ManifestFile]:
    """The new manifests: one, unless another program wrote files by another partition spec."""
    from pyiceberg.manifest import ManifestEntry, ManifestEntryStatus, write_manifest

    added = [
        ManifestEntry.from_args(
            status=ManifestEntryStatus.ADDED, snapshot_id=snapshot_id, sequence_number=sequence_number, data_file=file
        )
        for file in files
    ]
    specs = {entry.data_file.spec_id for entry in [*added, *split.removed, *split.kept]}
    for spec_id in sorted(specs, reverse=True):
        path = table.location_provider().new_metadata_location(f"{uuid.uuid4()}-m0.avro")
        with write_manifest(
            format_version=table.metadata.format_version,
            spec=table.specs()[spec_id],
            schema=table.schema(),
            output_file=table.io.new_output(path),
            snapshot_id=snapshot_id,
            avro_compression="deflate",
        ) as writer:
            for entries, write in ((added, writer.add), (split.removed, writer.delete), (split.kept, writer.existing)):
                for entry in entries:
                    if entry.data_file.spec_id == spec_id:
                        write(entry)
        yield writer.to_manifest_file()


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
    operation: str,
    *,
    files: Sequence[DataFile],
    removed: Sequence[ManifestEntry],
    said: Mapping[str, str],
) -> Summary:
    from pyiceberg.table.snapshots import Operation, SnapshotSummaryCollector, Summary, update_snapshot_summaries

    counts = SnapshotSummaryCollector()
    for file in files:
        counts.add_file(file, partition_spec=table.specs()[file.spec_id], schema=table.schema())
    for entry in removed:
        spec = table.specs()[entry.data_file.spec_id]
        counts.remove_file(entry.data_file, partition_spec=spec, schema=table.schema())
    # pyiceberg counts only for the operations that it makes itself; the counts are the same for all.
    made = Summary(operation=Operation.OVERWRITE, **counts.build(), **said)
    counted = update_snapshot_summaries(made, parent.summary if parent else None)
    return Summary(operation=Operation(operation), **counted.additional_properties)
