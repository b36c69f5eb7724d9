"""JSON lines: one object a line, its plain values as the text that stands there (https://jsonlines.org).

A number keeps its digits (`1.10` stays `1.10`), `null` and an absent key are no value. An object or a list in a column
of the contract, a key that stands twice and a blank line are faults of the file.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, BinaryIO

import polars as pl

from include.foundation.echo import cause, quoted
from include.foundation.errors import InvalidInput
from include.stages.ingest.formats.blocks import Blocks, decoded
from include.stages.ingest.formats.format import POSITION, Columns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from include.foundation.spec.sources import Source

ROWS = 20_000  # held as Python objects at once


class JsonRows:
    """JSON objects, one after another, as rows.

    Args:
        columns: what they must have.
        nested: whether an object or a list in a column is kept, as its JSON; if not, it is a fault.
    """

    def __init__(self, columns: Columns, *, nested: bool = False) -> None:
        self._columns, self._nested = columns, nested
        self._known: set[tuple[str, ...]] = set()

    def row(self, text: str, *, where: str) -> list[str | None]:
        """The columns' values of one object.

        Args:
            text: the object.
            where: what messages call its place.

        Raises:
            InvalidInput: it is no object of plain values, or has columns that it must not have.
        """
        found, columns = _object(text, where, NESTED if self._nested else DECODER), self._columns
        if (keys := tuple(found)) not in self._known:
            columns.check(keys, name=where)
            self._known.add(keys)
        if columns.landed:
            found = {columns.landed.get(key, key): value for key, value in found.items()}
        row = [self._text(found.get(column), column, where) for column in columns.names]
        try:
            "".join(text for text in row if text).encode()
        except UnicodeEncodeError as error:
            raise InvalidInput(f"{where}: half of a pair of surrogates, which is no character") from error
        return row

    def _text(self, value: object, column: str, where: str) -> str | None:
        if value is None or isinstance(value, str):
            return value
        if isinstance(value, bool):
            return "true" if value else "false"
        if self._nested:
            try:
                return _json(value)
            except RecursionError as error:
                raise InvalidInput(f"{where}: {column} is nested too deeply") from error
        raise InvalidInput(f"{where}: {column} is an object or a list; only plain values are read")


class JsonLinesFile:
    """See the module."""

    def read(self, stream: BinaryIO, *, source: Source, columns: Columns, name: str) -> Iterator[pl.DataFrame]:
        """As `Format` says."""
        blocks = Blocks(stream, most=source.max_row_bytes, name=name)
        objects = JsonRows(columns)
        rows: list[list[str | None]] = []
        first = blocks.line
        while line := blocks.next_line():
            at = blocks.line - 1
            rows.append(objects.row(decoded(line, name=name, line=at), where=f"{name}: line {at}"))
            if len(rows) >= ROWS:
                yield _frame(rows, columns, first)
                rows, first = [], blocks.line
        if rows:
            yield _frame(rows, columns, first)


def _frame(rows: list[list[str | None]], columns: Columns, first: int) -> pl.DataFrame:
    frame = pl.DataFrame(rows, schema=dict.fromkeys(columns.names, pl.String), orient="row")
    return frame.with_columns((pl.int_range(pl.len()) + first).alias(POSITION))


def _object(text: str, where: str, decoder: json.JSONDecoder) -> dict[str, object]:
    try:
        found = decoder.decode(text)
    except (ValueError, RecursionError) as error:
        fault = "a blank line" if not text.strip() else f"not JSON: {cause(error)}"
        raise InvalidInput(f"{where}: {fault}") from error
    if not isinstance(found, dict):
        raise InvalidInput(f"{where}: {quoted(text.strip())} is not an object")
    return found


def _pairs(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(key for index, (key, _) in enumerate(pairs) if key in dict(pairs[:index]))
        raise ValueError(f"the key {quoted(twice)} stands twice")
    return found


class _Number(str):
    """A number with its digits, and no text among an object's values."""

    __slots__ = ()


def _json(value: object) -> str:
    """A decoded value as JSON."""
    if isinstance(value, _Number):
        return value
    if isinstance(value, dict):
        return f"{{{', '.join(f'{json.dumps(key)}: {_json(each)}' for key, each in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_json, value))}]"
    return json.dumps(value)


# Made once: `json.loads` would make one for every object.
def _decoder(number: type[str]) -> json.JSONDecoder:
    return json.JSONDecoder(parse_int=number, parse_float=number, parse_constant=number, object_pairs_hook=_pairs)


DECODER, NESTED = _decoder(str), _decoder(_Number)
