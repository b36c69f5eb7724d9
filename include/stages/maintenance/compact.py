"""Merging what is small: each day's neighbours become one file with the same rows in order, manifests one manifest."""

from __future__ import annotations

import logging
from itertools import groupby
from typing import TYPE_CHECKING

from include.foundation.errors import PermanentError, Superseded
from include.foundation.lake import manifests, scan, snapshot, tables
from include.foundation.lake.catalog import retry_commit
from include.foundation.lake.change import Gather, Rewrite
from include.foundation.lake.commit import TableWriter
from include.foundation.lake.layout import day_reader

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from pyiceberg.manifest import ManifestEntry
    from pyiceberg.table import Table

    from include.foundation.lake import Lake

log = logging.getLogger(__name__)
SMALL = 32 << 20
TARGET = 128 << 20


def compact(lake: Lake, identifier: str, *, min_files: int, dry_run: bool) -> int:
    """Merge runs of at least `min_files` small files of one day, one commit a run.

    A run of which a writer replaced a file meanwhile is left as that writer made it.

    Returns:
        How many files were (a dry run: would be) merged into fewer.

    Raises:
        InvalidInput: another program changed the table's layout.
        PermanentError: the rows read are not as many as the files say; nothing was changed.
    """
    table = tables.load(lake, identifier)
    if not scan.is_plain(table, table.current_snapshot()):
        log.warning("%s: another program changed its columns or wrote it; its files are not merged", identifier)
        return 0
    merged = 0
    for day, run in _runs(table, min_files):
        if dry_run or _merge(lake, table, identifier, day, run):
            merged += len(run)
    return merged


def gather(lake: Lake, identifier: str, *, min_manifests: int) -> int:
    """Make one manifest of the small ones: a reader opens each that may hold its days.

    Returns:
        How many became one; 0 where there are fewer than `min_manifests`.
    """
    table = tables.load(lake, identifier)
    data, _ = manifests.alive(table, table.current_snapshot())
    small = sum(manifests.live(each) < snapshot.SMALL for each in data)
    if small < min_manifests:
        return 0
    retry_commit(lake, table, lambda: snapshot.commit(table, Gather(), files=(), summary={}))
    return small


def _runs(table: Table, min_files: int) -> Iterator[tuple[date, list[ManifestEntry]]]:
    """Neighbours in reading order that are worth merging, of at most TARGET bytes in all."""
    day = day_reader(table)
    entries = manifests.entries(table, table.current_snapshot())
    for each, files in groupby(entries, key=lambda entry: day(entry.data_file)):
        run: list[ManifestEntry] = []
        for entry in files:
            size = sum(one.data_file.file_size_in_bytes for one in run) + entry.data_file.file_size_in_bytes
            if entry.data_file.file_size_in_bytes >= SMALL or size > TARGET:
                if len(run) >= min_files:
                    yield each, run
                run = []
            if entry.data_file.file_size_in_bytes < SMALL:
                run.append(entry)
        if len(run) >= min_files:
            yield each, run


def _merge(lake: Lake, table: Table, identifier: str, day: date, run: Sequence[ManifestEntry]) -> bool:
    files = [entry.data_file for entry in run]
    rows = scan.read_files(table, files)
    if rows.height != (stated := sum(file.record_count for file in files)):
        raise PermanentError(f"{identifier} {day}: {len(files)} files hold {rows.height} rows and say {stated}")
    change = Rewrite(day, frozenset(file.file_path for file in files), run[0].sequence_number or 0)
    writer = TableWriter(lake, identifier, schema=rows.schema, change=change)
    try:
        writer.write(rows, name=manifests.file_name(files[0]).removesuffix(".parquet")[:64])
        writer.commit({})
    except Superseded as left:
        log.info("%s", left)
        return False
    finally:
        writer.discard()
    log.info("%s %s: %d files became one", identifier, day, len(files))
    return True
