"""Files in a table's folder that no kept snapshot needs: of expired snapshots, lost races, killed writers.

A file that is being written belongs to no snapshot yet, so young files stay. Files are told apart by name, which holds
a random id: another way to spell the same place (`s3a://`, a doubled slash) cannot make a needed file an orphan.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from include.foundation.errors import InvalidInput, PermanentError
from include.foundation.lake import tables
from include.foundation.lake.commit import IN_FLIGHT
from include.foundation.lake.objects import Object

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pyiceberg.manifest import ManifestFile
    from pyiceberg.table import Table

    from include.foundation.lake import Lake

DELETERS = 8


def remove_orphans(lake: Lake, identifier: str, *, before: datetime, dry_run: bool) -> list[str]:
    """Delete files that no kept snapshot needs and that were last written before a moment.

    Returns:
        The files that were (a dry run: would be) deleted.

    Raises:
        InvalidInput: `before` leaves running writers less than twice the time that a write may take, or another table
            of the catalog has its files in the same folder.
        PermanentError: files that the table needs are missing.
    """
    if datetime.now(UTC) - before < 2 * IN_FLIGHT:
        raise InvalidInput(f"files younger than {2 * IN_FLIGHT} may be in flight: let orphans be older")
    # What is committed after the listing is not in it; what was listed and committed meanwhile is needed.
    listed = list(_files(lake, tables.load(lake, identifier)))
    table = tables.load(lake, identifier)
    needed = needed_files(table)
    orphans = [each for each in listed if each.modified < before and _name(each.uri) not in needed]
    _refuse_shared_folder(lake, table, [each.uri for each in listed if _name(each.uri) not in needed])
    if not dry_run:
        with ThreadPoolExecutor(DELETERS) as pool:
            list(pool.map(table.io.delete, [each.uri for each in orphans]))
        there = {_name(each.uri) for each in _files(lake, table)}
        missing = needed & {_name(each.uri) for each in listed} - there
        # Metadata files age out as others commit; nothing else may go.
        if lost := sorted(name for name in missing if not name.endswith(".metadata.json")):
            raise PermanentError(f"{identifier}: {len(lost)} files that it needs have gone: {', '.join(lost[:3])}")
    return [each.uri for each in orphans]


def needed_files(table: Table) -> set[str]:
    """Names of the files of all kept snapshots: data, manifests and lists, metadata, statistics."""
    from pyiceberg.utils.concurrent import ExecutorFactory

    metadata = table.metadata
    paths = {table.metadata_location, *(each.metadata_file for each in metadata.metadata_log)}
    paths |= {each.statistics_path for each in (*metadata.statistics, *metadata.partition_statistics)}
    held: dict[str, ManifestFile] = {}
    for snapshot in table.snapshots():
        paths.add(snapshot.manifest_list)
        held |= {each.manifest_path: each for each in snapshot.manifests(table.io)}
    for entries in ExecutorFactory.get_or_create().map(lambda each: each.fetch_manifest_entry(table.io), held.values()):
        paths |= {entry.data_file.file_path for entry in entries}
    return {_name(path) for path in (*paths, *held)} | {"version-hint.text"}


def _files(lake: Lake, table: Table) -> Iterable[Object]:
    folder = table.location().rstrip("/") + "/"
    if not folder.startswith("file://"):
        return lake.objects().list(folder)
    return [
        Object(uri=f"file://{path}", size=found.st_size, etag="", modified=datetime.fromtimestamp(found.st_mtime, UTC))
        for path in sorted(Path(folder.removeprefix("file://")).rglob("*"))
        if path.is_file() and (found := path.stat())
    ]


def _refuse_shared_folder(lake: Lake, table: Table, strange: Iterable[str]) -> None:
    """Raise InvalidInput if a living table keeps metadata here: one was renamed, and another took its name."""
    uuids = set()
    for path in strange:
        if path.endswith(".metadata.json"):
            # A catalog deletes old metadata itself when others commit: one that has gone says nothing.
            with suppress(FileNotFoundError), table.io.new_input(path).open() as file:
                uuids.add(json.loads(file.read())["table-uuid"])
    if not uuids - {str(table.metadata.table_uuid)}:
        return
    catalog = lake.catalog()
    for namespace in catalog.list_namespaces():
        for name in catalog.list_tables(namespace):
            other = catalog.load_table(name)
            if other.metadata.table_uuid != table.metadata.table_uuid and str(other.metadata.table_uuid) in uuids:
                raise InvalidInput(
                    f"{'.'.join(table.name())} and {'.'.join(other.name())} have their files in one folder,"
                    f" {table.location()}: which are orphans cannot be known. Copy one of them to a place of its own"
                )


def _name(path: str) -> str:
    return path.rpartition("/")[2]
