"""Delimited text, read strictly: every field as text, every row with its physical line.

A file is refused as a whole, naming line and cause, when it is empty or has no rows, when a column is missing or
unknown, when a row has another number of fields or is longer than allowed, when its bytes are not valid UTF-8, or when
its last line does not end (a cut file and a forgotten newline look the same, and a cut last value would pass unseen).
A delimiter at the end of every line makes no column.

Blocks of lines without quotes, which are nearly all, are read by Arrow; others, and those that Arrow refuses, by the
exact reader, which is slower and knows the line of every row.
"""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, BinaryIO

import polars as pl
import pyarrow as pa
import pyarrow.csv

from include.foundation.errors import InvalidInput
from include.stages.ingest.formats.blocks import Blocks, decoded
from include.stages.ingest.formats.format import POSITION, Columns, NoRows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from include.foundation.spec.sources import Csv, Source

DELIMITERS = ",;\t|"
ROWS = 20_000  # of the exact reader, held as Python objects at once
csv.field_size_limit(1 << 31 - 1)  # `max_row_bytes` bounds fields of every reader alike


class CsvFile:
    """See the module."""

    def read(self, stream: BinaryIO, *, source: Source, columns: Columns, name: str) -> Iterator[pl.DataFrame]:
        """As `Format` says."""
        try:
            blocks = Blocks(stream, most=source.max_row_bytes, name=name)
        except NoRows as empty:
            raise InvalidInput(f"{empty}: even without rows it has a header") from None
        return _Reader(blocks, source, columns, name).frames()


class _Reader:
    """One file on its way."""

    def __init__(self, blocks: Blocks, source: Source, columns: Columns, name: str) -> None:
        self._blocks, self._columns, self._name, self._most = blocks, columns, name, source.max_row_bytes
        settings: Csv = source.format  # type: ignore[assignment]
        self._delimiter, self._quote = settings.delimiter, settings.quote
        self._begin = 1  # line on which the row that is being read begins
        header = next(self._records())
        self._empty_end = len(header) > 1 and header[-1] == "" and "" not in columns.landed
        self._fields = len(header)
        self._at = self._find(header[:-1] if self._empty_end else header)

    def frames(self) -> Iterator[pl.DataFrame]:
        """All rows."""
        found = False
        while block := self._blocks.peek():
            frame = self._fast(block) if self._is_plain(block) else None
            if frame is None:
                for frame in self._exact(self._blocks.line + block.count(b"\n")):
                    found = True
                    yield frame
            else:
                self._blocks.skip(block, frame.height)
                found = True
                yield frame
        if not found:
            raise NoRows(f"{self._name}: line 1: the file has a header and no rows")

    def _find(self, header: list[str]) -> list[int]:
        for mark in DELIMITERS.replace(self._delimiter, "") if len(header) == 1 else "":
            parts = header[0].split(mark)
            if len(parts) > 1 and {*self._columns.names} <= {self._columns.landed.get(part, part) for part in parts}:
                raise InvalidInput(
                    f"{self._name}: line 1: fields are parted by {mark!r} instead of {self._delimiter!r}"
                )
        return self._columns.find(header, name=f"{self._name}: line 1")

    def _is_plain(self, block: bytes) -> bool:
        """Whether every line is one row: no quotes, no blank lines, one kind of line end."""
        returns = block.count(b"\r")
        uniform = not returns or returns == block.count(b"\r\n") == block.count(b"\n")
        quoted = self._quote is not None and self._quote.encode() in block
        return uniform and not quoted and b"\n\n" not in block and b"\n\r\n" not in block and block[:1] not in b"\r\n"

    def _fast(self, block: bytes) -> pl.DataFrame | None:
        """Arrow's reading of a plain block; None if it is not what was expected, for whatever reason."""
        if len(self._delimiter.encode()) > 1:
            return None
        names = [str(index) for index in range(self._fields)]
        wanted = [names[index] for index in self._at] + names[-1:] * self._empty_end
        try:
            table = pyarrow.csv.read_csv(
                pa.BufferReader(block),
                read_options=pyarrow.csv.ReadOptions(
                    use_threads=False, column_names=names, block_size=max(len(block), 1 << 10)
                ),
                parse_options=pyarrow.csv.ParseOptions(
                    delimiter=self._delimiter, quote_char=False, ignore_empty_lines=False
                ),
                convert_options=pyarrow.csv.ConvertOptions(
                    include_columns=wanted, column_types=dict.fromkeys(wanted, pa.string()), strings_can_be_null=False
                ),
            )
        except pa.ArrowInvalid:
            return None
        frame = pl.DataFrame(table)
        if self._empty_end:
            if (frame[names[-1]] != "").any():
                return None
            frame = frame.drop(names[-1])
        frame.columns = [*self._columns.names]
        return frame.with_columns((pl.int_range(pl.len()) + self._blocks.line).alias(POSITION))

    def _exact(self, until: int) -> Iterator[pl.DataFrame]:
        """Python's own reading, row by row, up to a line or the end of the row that holds it; it finds any fault."""
        rows: list[list[str]] = []
        lines: list[int] = []
        records = self._records()
        while self._blocks.line < until:
            row = next(records)
            if len(row) != self._fields:
                found = f"{len(row)} fields" if row else "a blank line"
                raise InvalidInput(f"{self._name}: line {self._begin}: {found} instead of {self._fields} fields")
            if self._empty_end and row[-1]:
                raise InvalidInput(f"{self._name}: line {self._begin}: a value behind the last column's delimiter")
            rows.append([row[index] for index in self._at])
            lines.append(self._begin)
            if len(rows) >= ROWS:
                yield self._frame(rows, lines)
                rows, lines = [], []
        if rows:
            yield self._frame(rows, lines)

    def _frame(self, rows: list[list[str]], lines: Sequence[int]) -> pl.DataFrame:
        frame = pl.DataFrame(rows, schema=dict.fromkeys(self._columns.names, pl.String), orient="row")
        return frame.with_columns(pl.Series(POSITION, lines, dtype=pl.Int64))

    def _records(self) -> Iterator[list[str]]:
        """Rows, one at a time; no more lines are taken than the row has."""
        reader = csv.reader(
            self._lines(),
            strict=True,
            delimiter=self._delimiter,
            quotechar=self._quote,
            quoting=csv.QUOTE_NONE if self._quote is None else csv.QUOTE_MINIMAL,
        )
        while True:
            self._begin, self._size = self._blocks.line, 0
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                fault = "a quote opens and does not close" if "unexpected end" in str(error) else str(error)
                raise InvalidInput(f"{self._name}: line {self._begin}: {fault}") from error
            yield row

    def _lines(self) -> Iterator[str]:
        while line := self._blocks.next_line():
            self._size += len(line)
            if self._size > self._most:
                raise InvalidInput(
                    f"{self._name}: line {self._begin}: the row that begins here is longer than {self._most:,} bytes: a"
                    " quote opens and does not close, or raise `max_row_bytes` in the spec"
                )
            yield decoded(line, name=self._name, line=self._blocks.line - 1)
