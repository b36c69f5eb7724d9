"""Commits: one atomic change of one table, safe with many writers.

Data files are written first and belong to nothing; the commit then makes them part of the table, in one snapshot. A
commit that loses the race is planned again on the new state with the same data files, so a writer that waits repeats
only metadata.
"""

from __future__ import annotations

import time
import uuid
from datetime import timedelta
from typing import TYPE_CHECKING

from include.foundation.errors import InvalidInput, Superseded
from include.foundation.lake import data_file, snapshot, tables
from include.foundation.lake.catalog import retry_commit
from include.foundation.lake.change import Replace
from include.foundation.lake.commit_log import log
from include.foundation.lake.layout import DAY

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import date

    import polars as pl
    import pyarrow as pa
    from pyiceberg.manifest import DataFile

    from include.foundation.lake.change import Change
    from include.foundation.lake.connection import Lake

COMMIT = "commit"
# Files that were written longer ago are not committed: what no table knows by then may have been taken for an orphan.
IN_FLIGHT = timedelta(days=1)


class TableWriter:
    """Rows on their way into a table: written, and visible to nobody until `commit`.

    Args:
        lake: the lake.
        identifier: `namespace.table`; made, or given new columns, as needed.
        schema: columns of the rows (Arrow's or polars').
        change: what the commit does: `Replace(days)`, `Append(positions, after)` or `Rewrite(...)`.

    Raises:
        InvalidInput: the schema does not fit the table (see `tables.ensure_table`).
    """

    def __init__(self, lake: Lake, identifier: str, *, schema: pa.Schema | pl.Schema, change: Change) -> None:
        self._lake = lake
        self._table = tables.ensure_table(lake, identifier, schema)
        self._identifier = identifier
        self._change = change
        self._commit = str(uuid.uuid4())
        self._objects = lake.objects()
        self._files: list[DataFile] = []
        self._writes = 0
        self._opened = time.monotonic()

    def write(self, rows: pa.Table | pl.DataFrame, *, name: str = "") -> None:
        """Write rows as data files, one per day.

        Args:
            rows: the rows.
            name: what the files' names begin with: their place among those of one commit; by default one after another.

        Raises:
            InvalidInput: rows are of days that the change does not allow, or lack a required value.
        """
        frame = tables.polars(rows)
        if strange := self._change.refused(frame[DAY].unique().to_list()):
            raise InvalidInput(f"{self._identifier}: rows of {_sample(strange)} are not of the days to be replaced")
        name = f"{name or f'{self._writes:05}'}-{self._commit}"
        self._files += data_file.write(self._objects, self._table, frame, name=name)
        self._writes += 1

    def commit(self, summary: Mapping[str, str], *, timeout: timedelta = timedelta(minutes=5)) -> int:
        """Make the change with the written files, in one snapshot, also when nothing leaves or nothing was written.

        Args:
            summary: what the snapshot says about itself, besides the change and Iceberg's counts; `run_key` is what
                `commit_log.find_commit` looks for.
            timeout: how long to queue behind other writers.

        Returns:
            The id of the new snapshot.

        Raises:
            Superseded: another writer did the same meanwhile; what was written is to be discarded.
            ServiceUnavailable: other writers were faster for all of `timeout`; nothing was changed.
            InvalidInput: the files were written more than `IN_FLIGHT` ago.
        """
        said = {**summary, COMMIT: self._commit}
        snapshot_id = retry_commit(self._lake, self._table, lambda: self._try(said), timeout=timeout)
        self._files.clear()
        return snapshot_id

    def discard(self) -> None:
        """Delete what was written and not committed."""
        for file in self._files:
            self._table.io.delete(file.file_path)
        self._files.clear()

    def _try(self, summary: Mapping[str, str]) -> int:
        from pyiceberg.exceptions import CommitFailedException

        if self._files and time.monotonic() - self._opened > IN_FLIGHT.total_seconds():
            raise InvalidInput(f"{self._identifier}: rows were written more than {IN_FLIGHT} ago; run it again")
        try:
            return snapshot.commit(self._table, self._change, files=self._files, summary=summary)
        except (CommitFailedException, Superseded):
            raise
        except Exception:
            # The catalog's answer may have been lost on its way: look whether the commit is there. If that is
            # unknown too, the files stay where they are: deleting what a table refers to would lose rows.
            files, self._files = self._files, []
            self._table.refresh()
            for landed in log(self._table):
                if landed.summary.get(COMMIT) == self._commit:
                    return landed.snapshot_id
            self._files = files
            raise


def replace_days(
    lake: Lake,
    identifier: str,
    rows: pa.Table | pl.DataFrame,
    days: Iterable[date],
    summary: Mapping[str, str],
) -> int:
    """Replace exactly these days of a table by `rows`, in one commit; days without rows become empty.

    The table is made when it is missing, and gets the columns that it lacks.

    Args:
        lake: the lake.
        identifier: `namespace.table`.
        rows: the new rows, with their `event_date`.
        days: the days to replace.
        summary: the run key and what the rows were made from, for the snapshot's summary.

    Returns:
        The id of the new snapshot.

    Raises:
        InvalidInput: a column changed its type, or a row is of none of the days.
        ServiceUnavailable: other writers were faster for five minutes; nothing was changed.
    """
    frame = tables.polars(rows)
    writer = TableWriter(lake, identifier, schema=frame.schema, change=Replace(frozenset(days)))
    writer.write(frame)
    return writer.commit(summary)


def _sample(days: Collection[date | None]) -> str:
    return ", ".join(sorted(map(str, days))[:3]) + (", ..." if len(days) > 3 else "")
