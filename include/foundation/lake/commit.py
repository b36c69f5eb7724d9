"""Commits: one atomic replacement of whole days of one table, safe with many writers.

Data files are written first and belong to nothing; the commit then swaps them for the days' old files in one snapshot.
A commit that loses the race is planned again on the new state with the same data files, so a writer that waits
repeats only metadata.
"""

from __future__ import annotations

import time
import uuid
from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING

from include.foundation.errors import InvalidInput
from include.foundation.lake import data_file, snapshot, tables
from include.foundation.lake.catalog import turn
from include.foundation.lake.commit_log import DAYS, compact, log

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import date

    import polars as pl
    import pyarrow as pa
    from pyiceberg.manifest import DataFile

    from include.foundation.lake.connection import Lake

COMMIT = "commit"


class Staged:
    """Rows on their way into a table: written, and visible to nobody until `commit`.

    Args:
        lake: the lake.
        identifier: `namespace.table`; made, or given new columns, as needed.
        schema: columns of the rows (Arrow's or polars').
        days: the days to replace; rows of other days are refused.

    Raises:
        InvalidInput: the schema does not fit the table (see `tables.ensure_table`).
    """

    def __init__(self, lake: Lake, identifier: str, *, schema: pa.Schema | pl.Schema, days: Iterable[date]) -> None:
        self._table = tables.ensure_table(lake, identifier, schema)
        self._identifier = identifier
        self._days = sorted(set(days))
        self._commit = str(uuid.uuid4())
        self._objects = lake.objects()
        self._files: list[DataFile] = []
        self._writes = 0

    def write(self, rows: pa.Table | pl.DataFrame) -> None:
        """Write rows as data files, one per day.

        Raises:
            InvalidInput: a row's `event_date` is none of the days.
        """
        frame = tables.polars(rows)
        if strange := {*frame[tables.DAY].unique()} - {*self._days}:
            raise InvalidInput(f"{self._identifier}: rows of {_sample(strange)} are not of the days to be replaced")
        name = f"{self._writes:05}-{self._commit}"
        self._files += data_file.write(self._objects, self._table, frame, name=name)
        self._writes += 1

    def commit(self, summary: Mapping[str, str], *, timeout: timedelta = timedelta(minutes=5)) -> int:
        """Swap the days' files for the written ones, in one snapshot, also when one or both sides are empty.

        Args:
            summary: what the snapshot says about itself, besides Iceberg's counts; `run_key` is what
                `commit_log.find_commit` looks for.
            timeout: how long to queue behind other writers.

        Returns:
            The id of the new snapshot.

        Raises:
            ServiceUnavailable: other writers were faster for all of `timeout`; nothing was changed.
        """
        from pyiceberg.exceptions import CommitFailedException

        told = {**summary, DAYS: compact(self._days), COMMIT: self._commit}
        deadline = time.monotonic() + timeout.total_seconds()
        for attempt in count():
            with turn(self._table.catalog, self._identifier, attempt=attempt, deadline=deadline):
                if attempt:
                    self._table.refresh()
                try:
                    snapshot_id = self._try(told)
                except CommitFailedException:
                    continue
            self._files.clear()
            return snapshot_id
        raise AssertionError("unreachable")

    def discard(self) -> None:
        """Delete what was written and not committed."""
        for file in self._files:
            self._table.io.delete(file.file_path)
        self._files.clear()

    def _try(self, told: Mapping[str, str]) -> int:
        from pyiceberg.exceptions import CommitFailedException

        try:
            return snapshot.replace(self._table, days=self._days, files=self._files, told=told)
        except CommitFailedException:
            raise
        except Exception:
            # The catalog's answer may have been lost on its way: look whether the commit is there. If that cannot be
            # told either, the files stay where they are: deleting what a table refers to would lose rows.
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
    staged = Staged(lake, identifier, schema=frame.schema, days=days)
    staged.write(frame)
    return staged.commit(summary)


def _sample(days: Collection[date | None]) -> str:
    return ", ".join(sorted(map(str, days))[:3]) + (", ..." if len(days) > 3 else "")
