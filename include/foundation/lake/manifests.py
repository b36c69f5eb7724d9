"""Iceberg manifests: which data files a snapshot holds, by day."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from pyiceberg.manifest import DataFile, ManifestEntry, ManifestFile
    from pyiceberg.table import Table
    from pyiceberg.table.snapshots import Snapshot


def files(table: Table, snapshot: Snapshot | None, *, start: date | None, end: date | None) -> list[DataFile]:
    """Data files of the days from `start` to `end` (inclusive), in order of day and place within it."""
    data, _ = alive(table, snapshot)
    wanted = [each for each in data if may_hold(each, start, end)]
    found = [
        entry.data_file
        for _, entries in opened(table, wanted)
        for entry in entries
        if (start is None or day(entry.data_file) >= start) and (end is None or day(entry.data_file) <= end)
    ]
    return sorted(found, key=lambda file: (day(file), file.file_path.rpartition("/")[2]))


def alive(table: Table, snapshot: Snapshot | None) -> tuple[list[ManifestFile], list[ManifestFile]]:
    """Manifests of a snapshot that have live files: of data, and of row deletes (which only other programs write)."""
    from pyiceberg.manifest import ManifestContent

    found = [each for each in snapshot.manifests(table.io) if live(each)] if snapshot else []
    data = [each for each in found if each.content == ManifestContent.DATA]
    return data, [each for each in found if each not in data]


def live(manifest: ManifestFile) -> int:
    """How many files of the manifest are in the snapshot."""
    return (manifest.added_files_count or 0) + (manifest.existing_files_count or 0)


def opened(table: Table, manifests: Sequence[ManifestFile]) -> Iterator[tuple[ManifestFile, list[ManifestEntry]]]:
    """The live entries of each manifest, in order, read by several threads."""
    from pyiceberg.utils.concurrent import ExecutorFactory

    read = ExecutorFactory.get_or_create().map(lambda each: each.fetch_manifest_entry(table.io), manifests)
    return zip(manifests, read, strict=True)


def may_hold(manifest: ManifestFile, start: date | None, end: date | None) -> bool:
    """Whether the range of days that the manifest states meets the range from `start` to `end`."""
    from pyiceberg.conversions import from_bytes
    from pyiceberg.types import DateType
    from pyiceberg.utils.datetime import days_to_date

    bounds = manifest.partitions[0] if manifest.partitions else None
    if bounds is None or bounds.lower_bound is None or bounds.upper_bound is None:
        return True
    low, high = (days_to_date(int(from_bytes(DateType(), each))) for each in (bounds.lower_bound, bounds.upper_bound))
    return (start is None or start <= high) and (end is None or low <= end)


def day(file: DataFile) -> date:
    """The day that a data file belongs to."""
    from pyiceberg.utils.datetime import days_to_date

    return days_to_date(file.partition[0])
