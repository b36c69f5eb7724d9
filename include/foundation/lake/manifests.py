"""Iceberg manifests: which data files a snapshot holds, by day."""

from __future__ import annotations

from typing import TYPE_CHECKING

from include.foundation.lake.layout import day_positions, day_reader

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from pyiceberg.manifest import DataFile, ManifestEntry, ManifestFile
    from pyiceberg.table import Table
    from pyiceberg.table.snapshots import Snapshot


def files(
    table: Table, snapshot: Snapshot | None, *, start: date | None = None, end: date | None = None
) -> list[DataFile]:
    """Data files of the days from `start` to `end` (inclusive), in reading order.

    Raises:
        InvalidInput: a file's partition does not state its day (see `layout`).
    """
    return [entry.data_file for entry in entries(table, snapshot, start=start, end=end)]


def entries(
    table: Table, snapshot: Snapshot | None, *, start: date | None = None, end: date | None = None
) -> list[ManifestEntry]:
    """The same with when they were written: in order of day, commit, and place within the commit."""
    data, _ = alive(table, snapshot)
    wanted = [each for each in data if may_hold(table, each, start, end)]
    day = day_reader(table)
    dated = [(day(entry.data_file), entry) for _, found in opened(table, wanted) for entry in found]
    inside = [each for each in dated if (start is None or each[0] >= start) and (end is None or each[0] <= end)]
    inside.sort(key=lambda each: (each[0], each[1].sequence_number or 0, file_name(each[1].data_file)))
    return [entry for _, entry in inside]


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


def may_hold(table: Table, manifest: ManifestFile, start: date | None, end: date | None) -> bool:
    """Whether the range of days that the manifest states meets the range from `start` to `end`."""
    from pyiceberg.conversions import from_bytes
    from pyiceberg.types import DateType
    from pyiceberg.utils.datetime import days_to_date

    position = day_positions(table).get(manifest.partition_spec_id)
    bounds = manifest.partitions[position] if manifest.partitions and position is not None else None
    if bounds is None or bounds.lower_bound is None or bounds.upper_bound is None:
        return True
    low, high = (days_to_date(int(from_bytes(DateType(), each))) for each in (bounds.lower_bound, bounds.upper_bound))
    return (start is None or start <= high) and (end is None or low <= end)


def file_name(file: DataFile) -> str:
    """The last part of its path, which no other file of the table has."""
    return file.file_path.rpartition("/")[2]
