"""One JSON object a message, its plain values as the text that stands there.

Objects of plain values, which are nearly all, are read by msgspec; others by the exact reader, which is slower and
finds any fault. What both read, they read alike.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any

import msgspec
import polars as pl
from msgspec import UNSET, UnsetType

from include.foundation.errors import InvalidInput
from include.stages.ingest.formats.format import one_by_one
from include.stages.ingest.formats.json_lines import JsonRows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from include.stages.ingest.formats.format import Columns

PLAIN = {str, int, bool, type(None), UnsetType}
KEY = r'"[ \t\r\n]*:'  # ends every key, and may stand in a text too
MINUS_ZERO = r":[ \t\r\n]*-0[ \t\r\n]*[,}]"  # whose sign msgspec drops


class JsonMessage:
    """See the module; `nested` as `JsonRows` takes it."""

    def __init__(self, columns: Columns, *, nested: bool) -> None:
        self._names = [*columns.names]
        self._exact = JsonRows(columns, nested=nested)
        landed = {name: key for key, name in columns.landed.items()}
        keys = [landed.get(name, name) for name in self._names]
        self._fields = [f"f{index}" for index in range(len(keys))]
        try:
            row: Any = msgspec.defstruct(
                "Row",
                [(field, object, UNSET) for field in self._fields],
                rename=dict(zip(self._fields, keys, strict=True)),
                forbid_unknown_fields=True,  # what is passed over is not checked to be text
                gc=False,
            )
        except ValueError:  # keys that msgspec does not take, or two columns of one
            row = msgspec.defstruct("Row", [(field, object, UNSET) for field in self._fields])
        self._none = row()
        self._decode = msgspec.json.Decoder(row, float_hook=str).decode

    def frame(self, values: Sequence[bytes | None]) -> tuple[pl.DataFrame, dict[int, str]]:
        """As `MessageFormat` says."""
        found, read = [], [*values]
        for place, value in enumerate(values):
            try:
                found.append(self._decode(value))  # type: ignore[arg-type]
            except (msgspec.MsgspecError, ValueError, TypeError, RecursionError):
                found.append(self._none)
                read[place] = None
        columns = [[*map(attrgetter(field), found)] for field in self._fields]
        odd = self._odd(read, columns)
        exact, faults = one_by_one(self._row, values, sorted(odd), width=len(columns))
        for place, row in exact.items():
            for column, text in zip(columns, row, strict=True):
                column[place] = text
        return pl.DataFrame({name: _texts(each) for name, each in zip(self._names, columns, strict=True)}), faults

    def _odd(self, values: Sequence[bytes | None], columns: Sequence[Sequence[object]]) -> set[int]:
        """Those that were not read, have a value that is not plain, or keys that are none of the row's.

        That is one that stands within another object, or twice, of which msgspec tells the last.
        """
        try:
            texts = pl.Series(values, dtype=pl.Binary).cast(pl.String)
        except pl.exceptions.ComputeError:  # not UTF-8 where msgspec did not look: the exact reader finds which
            return {*range(len(values))}
        keys = pl.zeros(len(values), pl.UInt32, eager=True)
        odd: set[int] = set()
        for column in columns:
            kinds = {*map(type, column)}
            keys += pl.Series([each is not UNSET for each in column]) if UnsetType in kinds else 1
            if kinds - PLAIN:
                odd |= {place for place, each in enumerate(column) if type(each) not in PLAIN}
        strange = (texts.str.count_matches(KEY) != keys) | texts.str.contains(MINUS_ZERO)
        return odd | {*strange.fill_null(value=True).arg_true()}

    def _row(self, value: bytes) -> Sequence[str | None]:
        try:
            text = value.decode("utf-8")
        except UnicodeDecodeError as error:
            raise InvalidInput("message: not valid UTF-8") from error
        return self._exact.row(text, where="message")


def _texts(column: Sequence[Any]) -> pl.Series:
    kinds = {*map(type, column)}
    if kinds <= {str, type(None)}:
        return pl.Series(column, dtype=pl.String)
    if kinds <= {int, type(None)}:
        try:
            return pl.Series(column, dtype=pl.Int64).cast(pl.String)
        except (OverflowError, TypeError):  # beyond 64 bits
            pass
    return pl.Series([each if each.__class__ is str else _text(each) for each in column], dtype=pl.String)


def _text(value: object) -> str | None:
    if value is None or value is UNSET:
        return None
    return str(value) if not isinstance(value, bool) else "true" if value else "false"
