"""Text to typed values. What is no value of the type becomes null, and the caller sees that it was not null before.

This is the one engine-specific step of a contract: polars' own non-strict casts, which are also what pandera's `coerce`
uses. PySpark's counterpart is `try_cast`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from include.foundation.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable

    from pandera.api.polars.components import Column

    Parser = Callable[[pl.Expr], pl.Expr]


# Iceberg's integers are signed, of 32 or 64 bits; its timestamps are microseconds, with UTC or with no zone.
INTEGERS = {pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16}
FLOATS = {pl.Float32, pl.Float64}
ZONES = {None, "UTC"}


def check_type(contract: str, name: str, kind: pl.DataType) -> None:
    """See that a table can hold every value of a column's type.

    Raises:
        InvalidInput: it cannot; the message says what to use instead.
    """
    instead = None
    if kind.is_integer() and kind not in INTEGERS:
        instead = "Int64"
    elif kind.is_float() and kind not in FLOATS:
        instead = "Float64"
    elif isinstance(kind, pl.Datetime) and (kind.time_unit == "ns" or kind.time_zone not in ZONES):
        instead = repr(pl.Datetime("us", "UTC" if kind.time_zone else None))
    elif kind == pl.Duration:
        instead = "Int64, in a unit that the column's name tells"
    if instead:
        raise InvalidInput(f"contract {contract}: column {name!r} is {kind!r}, which no table holds: use {instead}")


def parser(contract: str, name: str, column: Column) -> Parser:
    """How a column's text becomes a value.

    Times are ISO 8601 (`2013-01-01T10:00:00Z`) unless the column's metadata has a `format` in chrono's letters.

    Raises:
        InvalidInput: text has no reading as this type.
    """
    kind = column.dtype.type
    pattern = (column.metadata or {}).get("format")
    if kind == pl.String:
        return lambda text: text
    if kind.is_float():
        return lambda text: _finite(text.cast(kind, strict=False))
    if kind.is_integer():
        return lambda text: text.cast(kind, strict=False)
    if kind == pl.Boolean:
        return lambda text: text.str.to_lowercase().replace_strict(
            {"true": True, "false": False}, default=None, return_dtype=pl.Boolean
        )
    if kind == pl.Date:
        return lambda text: text.str.to_date(pattern or "%Y-%m-%d", strict=False)
    if isinstance(kind, pl.Datetime):
        return lambda text: _moment(text, kind, pattern)
    raise InvalidInput(f"contract {contract}: column {name!r} is {kind}, and text has no reading as that")


def meaning(kind: pl.DataType) -> str:
    """What a value of the type is, for the reason `not <meaning>`."""
    if kind.is_integer():
        return "an integer"
    if kind.is_numeric():
        return "a number"
    return {pl.Boolean: "true or false", pl.Date: "a date"}.get(kind.base_type(), "a timestamp")


def _finite(number: pl.Expr) -> pl.Expr:
    """Text such as `nan` and `1e999` is no measured value, and no bound would keep NaN out of silver."""
    return pl.when(number.is_finite()).then(number)


def _moment(text: pl.Expr, kind: pl.Datetime, pattern: str | None) -> pl.Expr:
    if kind.time_zone is None:
        return text.str.to_datetime(pattern or "%Y-%m-%dT%H:%M:%S%.f", time_unit=kind.time_unit, strict=False)
    moment = text.str.to_datetime(pattern or "%Y-%m-%dT%H:%M:%S%.f%#z", time_unit=kind.time_unit, strict=False)
    return moment.dt.convert_time_zone(kind.time_zone)
