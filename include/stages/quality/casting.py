"""Text to typed values. What is no value of the type becomes null, and the caller sees that it was not null before.

This is the one engine-specific step of a contract: polars' own non-strict casts, which are also what pandera's `coerce`
uses. PySpark's counterpart is `try_cast`. Blanks around a value are no part of it, except in a column of text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from include.foundation.echo import quoted
from include.foundation.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from pandera.api.polars.components import Column


# Iceberg's integers are signed, of 32 or 64 bits; its timestamps are microseconds, with UTC or with no zone.
INTEGERS = {pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16}
FLOATS = {pl.Float32, pl.Float64}
ZONES = {None, "UTC"}
BLANKS = " \t"

DATE = "%Y-%m-%d"
LOCAL = "%Y-%m-%dT%H:%M:%S%.f"
MOMENT = f"{LOCAL}%#z"
WIDTHS = {"Y": 4, "y": 2, "m": 2, "d": 2, "e": 2, "H": 2, "I": 2, "M": 2, "j": 3}  # digits of strptime's fields


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How the text of a column becomes a value.

    Attributes:
        kind: the type of the values.
        meaning: what a value is, for the reason `not <meaning>`.
        parse: text without blanks around it to values; null where it is no value.
    """

    kind: pl.DataType
    meaning: str
    parse: Callable[[pl.Expr], pl.Expr]


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


def reading(contract: str, name: str, column: Column) -> Reading:
    """How a column's text becomes a value.

    Times are ISO 8601 (`2013-01-01T10:00:00Z`) unless the column's metadata has a `format` in chrono's letters. A
    format without an offset needs the metadata `time_zone`, in which the text is meant: a time that clocks show twice
    or never there is no moment.

    Raises:
        InvalidInput: text has no reading as this type, or it does not say which moment it means.
    """
    kind = column.dtype.type
    metadata = column.metadata or {}
    pattern = metadata.get("format")
    if kind == pl.String:
        return Reading(kind=kind, meaning="a text", parse=lambda text: text)
    if kind.is_float():
        return Reading(kind=kind, meaning="a number", parse=lambda text: _finite(text.cast(kind, strict=False)))
    if kind.is_integer():
        return Reading(kind=kind, meaning="an integer", parse=lambda text: text.cast(kind, strict=False))
    if kind == pl.Boolean:
        return Reading(kind=kind, meaning="true or false", parse=_truth)
    if kind == pl.Date:
        return Reading(
            kind=kind, meaning="a date", parse=lambda text: text.str.to_date(pattern or DATE, strict=False, cache=True)
        )
    if isinstance(kind, pl.Datetime):
        return _moments(contract, name, kind, metadata)
    raise InvalidInput(f"contract {contract}: column {name!r} is {kind}, and text has no reading as that")


def cast(rows: pl.DataFrame, readings: Mapping[str, Reading], null_values: Collection[str]) -> list[pl.Series]:
    """Read columns of text.

    Args:
        rows: the columns as text; others are ignored.
        readings: how to read each.
        null_values: texts that stand for no value, also with blanks around them.

    Returns:
        Each column's values, in the order of `readings`; null where there is no value or it has no reading.
    """
    absent = [*null_values]
    values = rows.select(_text(name, each, absent, first=True) for name, each in readings.items())
    found = []
    for name, each in readings.items():
        column = values[name]
        text = rows[name]
        if _is_number(each) and column.null_count() > text.null_count():
            # Blanks around numbers are rare, and to look for them everywhere costs more than the casts.
            at = (column.is_null() & text.is_not_null() & ~text.is_in(absent)).arg_true()
            if len(at):
                again = rows[at].select(_text(name, each, absent, first=False))[name]
                column = column.scatter(at, again) if again.null_count() < len(again) else column
        found.append(column)
    return found


def is_absent(name: str, null_values: Collection[str]) -> pl.Expr:
    """Where a column of text has no value."""
    return pl.col(name).is_null() | pl.col(name).str.strip_chars(BLANKS).is_in([*null_values])


def _text(name: str, each: Reading, absent: list[str], *, first: bool) -> pl.Expr:
    text = pl.col(name)
    stripped = text if first and _is_number(each) else text.str.strip_chars(BLANKS)
    kept = text if each.kind == pl.String else stripped
    return each.parse(pl.when(~stripped.is_in(absent)).then(kept)).alias(name)


def _is_number(each: Reading) -> bool:
    return each.kind.is_numeric()


def _truth(text: pl.Expr) -> pl.Expr:
    return text.str.to_lowercase().replace_strict({"true": True, "false": False}, default=None, return_dtype=pl.Boolean)


def _finite(number: pl.Expr) -> pl.Expr:
    """Text such as `nan` and `1e999` is no measured value, and no bound would keep NaN out of silver."""
    return pl.when(number.is_finite()).then(number)


def _moments(contract: str, name: str, kind: pl.Datetime, metadata: Mapping[str, str]) -> Reading:
    zone = metadata.get("time_zone")
    default = LOCAL if kind.time_zone is None or zone else MOMENT
    pattern = metadata.get("format") or default
    has_offset = re.search(r"%[:#]*z|%\+", pattern) is not None
    if kind.time_zone is None and zone:
        raise InvalidInput(
            f"contract {contract}: column {name!r} has a `time_zone`, and its type has none: make it"
            " Datetime(time_unit='us', time_zone='UTC')"
        )
    if kind.time_zone is not None and has_offset == (zone is not None):
        raise InvalidInput(
            f"contract {contract}: column {name!r}: its format {pattern!r}"
            + (
                " has an offset: leave `time_zone` away"
                if has_offset
                else " has no offset: say its `time_zone` in metadata"
            )
        )
    if zone:
        _check_zone(contract, name, zone)
    sixty = _second_sixty(pattern)

    def parse(text: pl.Expr) -> pl.Expr:
        moment = text.str.to_datetime(pattern, time_unit=kind.time_unit, strict=False)
        if zone:
            moment = moment.dt.replace_time_zone(zone, ambiguous="null", non_existent="null")
        if kind.time_zone:
            moment = moment.dt.convert_time_zone(kind.time_zone)
        return moment if sixty is None else pl.when(~text.str.contains(sixty)).then(moment)

    return Reading(kind=kind, meaning=f"a moment in {zone}" if zone else "a timestamp", parse=parse)


def _check_zone(contract: str, name: str, zone: str) -> None:
    """See that there is such a time zone. Raises InvalidInput if not."""
    try:
        pl.Series([None], dtype=pl.Datetime).dt.replace_time_zone(zone)
    except (pl.exceptions.PolarsError, TypeError) as error:
        raise InvalidInput(
            f"contract {contract}: column {name!r}: there is no time zone {quoted(zone)}: give a name of the"
            " IANA's, such as 'America/New_York'"
        ) from error


def _second_sixty(pattern: str) -> str | None:
    """A regular expression of texts with second 60, which the parser takes for the first of the next minute."""
    expanded = pattern.replace("%T", "%H:%M:%S").replace("%F", "%Y-%m-%d").replace("%X", "%H:%M:%S")
    before, seconds, _ = expanded.partition("%S")
    if not seconds:
        return None
    if before.endswith(":"):  # a minute of 60 is none either; other separators may stand before a fraction or a year
        return ":60"
    literal, *fields = re.split(r"%[-_0]?([A-Za-z])", before)
    found = f"^{re.escape(literal)}"
    for field, literal in zip(fields[::2], fields[1::2], strict=True):
        least = "1," if literal else ""  # only what a literal ends may be shorter than its width
        found += rf"\d{{{least}{WIDTHS[field]}}}" if field in WIDTHS else ".+?"
        found += re.escape(literal)
    return f"{found}60"
