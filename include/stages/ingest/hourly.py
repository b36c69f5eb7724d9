"""Runs on some hours of a day: the day's other rows stay, so it must not change between reading and committing them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from include.foundation.errors import MissingInput, RetryableError
from include.foundation.lake import manifests, tables
from include.foundation.lake.change import Replace
from include.foundation.lake.layout import day_reader

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import date

    from pyiceberg.manifest import ManifestEntry
    from pyiceberg.table import Table

    from include.foundation.lake import Lake


@dataclass(frozen=True)
class ReplaceHeld(Replace):
    """Replace days whose present rows are partly in the new files, unless they have other files by then.

    Attributes:
        snapshot_id: the state of the table from which rows were kept; None while it had none.
        held: paths of the days' files in it.
    """

    snapshot_id: int | None = None
    held: frozenset[str] = frozenset()

    @classmethod
    def of(cls, lake: Lake, identifier: str, days: Collection[date]) -> ReplaceHeld:
        """The change for these days of a table as it is now."""
        try:
            table = tables.load(lake, identifier)
        except MissingInput:
            return cls(frozenset(days))
        snapshot = table.current_snapshot()
        if snapshot is None:
            return cls(frozenset(days))
        day = day_reader(table)
        found = manifests.files(table, snapshot, start=min(days), end=max(days))
        held = frozenset(file.file_path for file in found if day(file) in days)
        return cls(frozenset(days), snapshot.snapshot_id, held)

    def summary(self, table: Table, days: Collection[date], removed: Collection[ManifestEntry]) -> dict[str, str]:
        """The days.

        Raises:
            RetryableError: another run changed them meanwhile.
        """
        if self.held != {entry.data_file.file_path for entry in removed}:
            raise RetryableError(
                f"{'.'.join(table.name())}: another run changed {min(self.days)} to {max(self.days)} while this one was"
                " at work on hours of these days; the retry starts from what is there now"
            )
        return super().summary(table, days, removed)
