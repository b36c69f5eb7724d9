"""Kinds of commit, as values: what leaves a table when new files enter it, and what the commit says about that."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

from include.foundation.errors import InvalidInput, Superseded
from include.foundation.lake.commit_log import DAYS, POSITIONS, compact, positions

if TYPE_CHECKING:
    from datetime import date

    from pyiceberg.manifest import DataFile, ManifestEntry
    from pyiceberg.table import Table


class Change(Protocol):
    """A kind of commit. Every try of a commit asks again, with the table as it is then."""

    operation: ClassVar[str]

    def refused(self, days: Collection[date]) -> set[date]:
        """Those of `days` whose rows must not be written by this commit."""

    def span(self) -> tuple[date, date] | None:
        """The first and last day of which files may leave; None if none leave."""

    def removes(self, day: date, file: DataFile) -> bool:
        """Whether the file leaves the table."""

    def summary(self, table: Table, days: Collection[date], removed: Collection[ManifestEntry]) -> dict[str, str]:
        """What the snapshot says of this change.

        Args:
            table: as the snapshot is to follow on it.
            days: the days of which files enter.
            removed: the files that leave.

        Raises:
            Superseded: the change does not fit the table any more.
        """


@dataclass(frozen=True)
class Replace:
    """The new files take the place of all files of these days; days without rows become empty."""

    days: frozenset[date]
    operation: ClassVar[str] = "overwrite"

    def refused(self, days: Collection[date]) -> set[date]:
        """Rows must be of the days to be replaced."""
        return {*days} - self.days

    def span(self) -> tuple[date, date] | None:
        """From the first to the last of the days."""
        return (min(self.days), max(self.days)) if self.days else None

    def removes(self, day: date, file: DataFile) -> bool:  # noqa: ARG002 (as every change)
        """All files of the days leave."""
        return day in self.days

    def summary(self, table: Table, days: Collection[date], removed: Collection[ManifestEntry]) -> dict[str, str]:  # noqa: ARG002
        """The days."""
        return {DAYS: compact(sorted(self.days))}


@dataclass(frozen=True)
class Append:
    """The new files are added, and with them how far a stream has been read: both or neither.

    Attributes:
        positions: partition of the stream (such as `topic/0`) -> offset of the last message that the rows hold.
        after: partition -> the offset behind which the rows begin, as `commit_log.positions` gave it when reading
            began; a partition that was never read is left out. If the table is at another position by the time of the
            commit, another writer has committed (some of) the same messages.
    """

    positions: Mapping[str, int]
    after: Mapping[str, int]
    operation: ClassVar[str] = "append"

    def __post_init__(self) -> None:
        """Raise InvalidInput if a position does not lie behind the one that it follows."""
        wrong = {name for name, offset in self.positions.items() if offset <= self.after.get(name, -1)}
        if wrong or not self.positions:
            raise InvalidInput(f"an append goes forward: {dict(self.positions)} after {dict(self.after)} does not")

    def refused(self, days: Collection[date]) -> set[date]:  # noqa: ARG002 (as every change)
        """Rows of any day may be added."""
        return set()

    def span(self) -> tuple[date, date] | None:
        """Nothing leaves."""
        return None

    def removes(self, day: date, file: DataFile) -> bool:  # noqa: ARG002 (as every change)
        """Nothing leaves."""
        return False

    def summary(self, table: Table, days: Collection[date], removed: Collection[ManifestEntry]) -> dict[str, str]:  # noqa: ARG002
        """The days that got rows, and the positions of all partitions, so that the newest append knows every one.

        Raises:
            Superseded: a partition is not where the rows begin.
        """
        there = positions(table)
        moved = {name: there.get(name) for name in self.positions if there.get(name) != self.after.get(name)}
        if moved:
            raise Superseded(
                f"{'.'.join(table.name())}: rows up to {dict(self.positions)} begin after {dict(self.after)}, but the"
                f" table is at {moved}: another writer committed these messages. Drop the rows, go on from there"
            )
        return {DAYS: compact(sorted(days)), POSITIONS: json.dumps({**there, **self.positions}, sort_keys=True)}


@dataclass(frozen=True)
class Rewrite:
    """The new files hold the same rows of one day as the files that leave: no row changes.

    Attributes:
        day: the day.
        files: paths of the files that leave.
        sequence_number: of the first of them; the new files take their place in the order of reading.
    """

    day: date
    files: frozenset[str]
    sequence_number: int
    operation: ClassVar[str] = "replace"

    def refused(self, days: Collection[date]) -> set[date]:
        """Rows must be of the day."""
        return {*days} - {self.day}

    def span(self) -> tuple[date, date] | None:
        """The day."""
        return self.day, self.day

    def removes(self, day: date, file: DataFile) -> bool:  # noqa: ARG002 (as every change)
        """The named files leave."""
        return file.file_path in self.files

    def summary(self, table: Table, days: Collection[date], removed: Collection[ManifestEntry]) -> dict[str, str]:  # noqa: ARG002
        """No day's rows are others than before.

        Raises:
            Superseded: some of the files have left the table meanwhile.
        """
        if gone := self.files - {entry.data_file.file_path for entry in removed}:
            raise Superseded(f"{'.'.join(table.name())} {self.day}: {len(gone)} files were replaced meanwhile")
        return {DAYS: ""}


@dataclass(frozen=True)
class Gather:
    """No file enters or leaves: the small manifests become one, however few they are."""

    operation: ClassVar[str] = "replace"

    def refused(self, days: Collection[date]) -> set[date]:
        """No rows are written."""
        return {*days}

    def span(self) -> tuple[date, date] | None:
        """Nothing leaves."""
        return None

    def removes(self, day: date, file: DataFile) -> bool:  # noqa: ARG002 (as every change)
        """Nothing leaves."""
        return False

    def summary(self, table: Table, days: Collection[date], removed: Collection[ManifestEntry]) -> dict[str, str]:  # noqa: ARG002
        """No day's rows are others than before."""
        return {DAYS: ""}
