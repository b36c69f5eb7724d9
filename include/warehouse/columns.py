"""Columns of an answer that came as values with names of SQL types: what Athena and Trino send."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl
    import pyarrow as pa


def distinct(names: Sequence[str]) -> list[str]:
    """The names, each once whatever the size of its letters: one that comes again gets a number."""
    found: dict[str, str] = {}  # in small letters -> as it is
    asked = {name.lower() for name in names}
    for name in names:
        own = name
        if name.lower() in found:
            numbered = (f"{name}_{number}" for number in count(2))
            own = next(each for each in numbered if each.lower() not in asked | found.keys())
        found[own.lower()] = own
    return [*found.values()]


def arrow(names: Sequence[str], types: Sequence[str], rows: Sequence[Sequence[Any]]) -> pa.Table:
    """Rows as Arrow; a type that has no column of its own (array, map, row, json, interval) is text.

    Args:
        names: of the columns; one that comes twice gets a number.
        types: SQL's words for their types.
        rows: values, or texts of values; None is null.
    """
    import polars as pl

    columns = []
    for place, (name, kind) in enumerate(zip(distinct(names), types, strict=True)):
        texts = [None if row[place] is None else _text(row[place]) for row in rows]
        columns.append(_read(pl.Series(name, texts, dtype=pl.String), _dtype(kind)))
    return pl.DataFrame(columns).to_arrow()


def _dtype(kind: str) -> pl.DataType:
    import polars as pl

    name, *numbers = re.findall(r"[a-z ]+|\d+", kind.lower())
    name = name.strip()
    if name == "decimal":
        precision, scale = (int(each) for each in (*numbers, "0")[:2]) if numbers else (38, 0)
        return pl.Decimal(precision, scale)
    if name.startswith("timestamp"):
        return pl.Datetime("us", "UTC" if "with time zone" in kind.lower() else None)
    known = {
        **dict.fromkeys(("tinyint", "smallint", "integer", "int", "bigint"), pl.Int64()),
        **dict.fromkeys(("real", "float", "double"), pl.Float64()),
        "boolean": pl.Boolean(),
        "date": pl.Date(),
    }
    return known.get(name, pl.String())


def _text(value: Any) -> str:
    """A value as text; a moment that knows its zone in UTC."""
    return str(value.astimezone(UTC) if isinstance(value, datetime) and value.tzinfo else value)


def _read(text: pl.Series, dtype: pl.DataType) -> pl.Series:
    import polars as pl

    if dtype == pl.Boolean:
        return text.str.to_lowercase() == "true"
    if isinstance(dtype, pl.Datetime):
        moments = text.str.replace(r" UTC$|\+00:00$", "").str.replace("T", " ", literal=True)
        read = moments.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="us", time_zone=dtype.time_zone, strict=False)
        # In another zone, by its name: the text says it, and nothing is lost.
        return read if read.null_count() == text.null_count() else text
    if dtype == pl.Date:
        return text.str.to_date("%Y-%m-%d")
    return text.cast(dtype)
