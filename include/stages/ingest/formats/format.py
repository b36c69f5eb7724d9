"""What every format does, and how landed columns are found by name."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO, Protocol

from include.foundation.echo import listing, quoted
from include.foundation.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import polars as pl

    from include.foundation.spec.sources import Source

POSITION = "source_position"
RESERVED = ("event_date", "event_hour")
MOST = 10_000  # columns that a file may have, whatever the spec says of unknown ones


class NoRows(InvalidInput):
    """The file holds no rows, and nothing else is wrong with it: the spec says whether that is a fault."""


@dataclass(frozen=True)
class Columns:
    """The columns that a file must have.

    Attributes:
        names: as the contract calls them, in its order.
        landed: landed name -> the contract's, where they differ.
        ignore_unknown: whether a file may have others too.
    """

    names: Sequence[str]
    landed: Mapping[str, str] = field(default_factory=dict)
    ignore_unknown: bool = False

    @classmethod
    def of(cls, source: Source, names: Sequence[str]) -> Columns:
        """Those of a source whose contract has these names.

        Raises:
            InvalidInput: the spec maps a column to a name that the contract does not have.
        """
        if strange := [name for name in source.columns.values() if name not in names]:
            raise InvalidInput(
                f"source {source.name}: `columns` names {listing(strange)}, which the contract does not have"
            )
        return cls(names, source.columns, source.unknown_columns == "ignore")

    def find(self, header: Sequence[str], *, name: str) -> list[int]:
        """Where the columns stand.

        Args:
            header: the landed names.
            name: what messages call the place of the header.

        Returns:
            Per column of `names`, its index in the header.

        Raises:
            InvalidInput: a column is missing, twice or unknown; or there are very many.
        """
        if len(header) > MOST:
            raise InvalidInput(f"{name}: {len(header):,} columns; a file may have {MOST:,}")
        meant = [self.landed.get(column, column) for column in header]
        at = {column: index for index, column in enumerate(meant)}
        missing = [column for column in self.names if column not in at]
        extra = (
            []
            if self.ignore_unknown
            else [column for column in header if self.landed.get(column, column) not in self.names]
        )
        twice = [column for column in self.names if meant.count(column) > 1]
        faults = [f"missing {listing(missing)}"] * bool(missing)
        faults += [f"unexpected {listing([_odd(column) for column in extra])}"] * bool(extra)
        faults += [f"twice {listing(twice)}"] * bool(twice)
        faults += [
            f"{column} is reserved for the day of the file: give it another name under `columns` in the spec"
            for column in extra
            if column in RESERVED
        ]
        if faults:
            raise InvalidInput(
                f"{name}: wrong columns ({'; '.join(faults)}): expected {listing(self.names, 50)}; found"
                f" {listing([_odd(column) for column in header], 50)}"
            )
        return [at[column] for column in self.names]

    def check(self, names: Sequence[str], *, name: str) -> None:
        """As `find`, of a row by itself: a column that it lacks has no value.

        Raises:
            InvalidInput: a column is twice or unknown; or there are very many.
        """
        there = {self.landed.get(each, each) for each in names}
        known = [column for column in self.names if column in there]
        Columns(known, self.landed, self.ignore_unknown).find(names, name=name)


class Format(Protocol):
    """One way to write rows into a file."""

    def read(self, stream: BinaryIO, *, source: Source, columns: Columns, name: str) -> Iterator[pl.DataFrame]:
        """Read a file from its beginning to its end.

        Args:
            stream: the file's bytes, decompressed.
            source: the spec of the source, for the format's own settings and `max_row_bytes`.
            columns: the columns to find by name.
            name: what messages call the file.

        Yields:
            The columns as text, in the order of `columns.names`, null where the format says that there is no value;
            and `source_position` (int64): the line on which a row begins, or its number, from 1. Each frame holds no
            more than a few megabytes; there is at least one row in all.

        Raises:
            NoRows: there is none.
            InvalidInput: the file is malformed; the message begins with the name and says where.
        """


class MessageFormat(Protocol):
    """One way to write a row into a message of a topic."""

    def frame(self, values: Sequence[bytes | None]) -> tuple[pl.DataFrame, dict[int, str]]:
        """Messages' values as rows.

        Args:
            values: of [n] messages; None of a tombstone.

        Returns:
            The columns as text, [n], in the order of the columns' names, null where there is no value. And the place of
            each value that is no row, whose columns are all null, with the reason, which begins with `message: `.

        Raises:
            AccessRefused, PermanentError, ServiceUnavailable: what tells how to read it does not answer as it should.
        """


def one_by_one(
    row: Callable[[bytes], Sequence[str | None]], values: Sequence[bytes | None], places: Iterable[int], *, width: int
) -> tuple[dict[int, Sequence[str | None]], dict[int, str]]:
    """The rows at some places, by a function that raises InvalidInput of what is none; and why it is none."""
    found: dict[int, Sequence[str | None]] = {}
    faults: dict[int, str] = {}
    none = (None,) * width
    for place in places:
        found[place] = none
        if (value := values[place]) is None:
            faults[place] = "message: no value (a tombstone), and a message deletes no row"
            continue
        try:
            found[place] = row(value)
        except InvalidInput as error:
            faults[place] = str(error)
    return found, faults


def _odd(column: str) -> str:
    """A name as it is, or in quotes where it would be overlooked."""
    return (
        column if column and column == column.strip() and len(column) <= 80 and column.isprintable() else quoted(column)
    )
