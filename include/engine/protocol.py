"""What every engine does. The shared contract test is tests/integration/test_engine.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import date

    import polars as pl

    from include.foundation.lake import Lake
    from include.foundation.lake.change import Replace


class Sink(Protocol):
    """Where a piece of work leaves its rows."""

    def write(self, output: str, rows: pl.DataFrame) -> None:
        """Take rows for an output: in order of their days, and within a day in the order that readers will see."""

    def clear(self) -> None:
        """Forget the rows that this call of the work has written."""


class Work(Protocol):
    """Makes rows of days. A frozen object: it may travel to other processes, and any of its calls may be repeated."""

    def __call__(self, lake: Lake, days: Sequence[date], sink: Sink) -> Any:
        """Make the rows of these days.

        What the rows of a day are does not depend on the other days of the call: an engine divides days as it likes.

        Args:
            lake: the lake.
            days: ascending.
            sink: takes the rows; they must be of these days.

        Returns:
            A note on what was made, a JSON value that is small beside the rows.
        """


@dataclass(frozen=True, kw_only=True)
class Output:
    """A table to write.

    Attributes:
        table: `namespace.table`; made, or given new columns, as needed.
        schema: gives the names and types of its rows, where there is no row that shows them.
        change: the days that the commit replaces.
    """

    table: str
    schema: Callable[[], pl.Schema]
    change: Replace


class Staged(Protocol):
    """Rows that are made and visible to nobody.

    Attributes:
        notes: those of all calls of the work, in order of their days.
    """

    notes: Sequence[Any]

    def commit(self, output: str, summary: Mapping[str, str]) -> int:
        """Replace the output's days, in one snapshot that says `summary` about itself.

        Returns:
            The id of the new snapshot.

        Raises:
            RetryableError: other writers were faster for minutes, or a service does not answer.
        """
        ...

    def discard(self) -> None:
        """Drop what was made and not committed."""


class Engine(Protocol):
    """Runs work and brings its rows into tables."""

    def stage(self, lake: Lake, work: Work, days: Sequence[date], outputs: Mapping[str, Output]) -> Staged:
        """Make the rows of all outputs.

        Args:
            lake: the lake.
            work: makes them.
            days: ascending; none may still change tables: the days of a change become empty.
            outputs: by the names that the work uses.

        Raises:
            InvalidInput: a schema does not fit its table, or rows are of days that the change does not replace.
            FlightlineError: the work raised it. Nothing is staged then.
        """
        ...
