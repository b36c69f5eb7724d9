"""Columns of an answer that came as values with names of SQL types: what Athena and Trino send."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl
    import pyarrow as pa


def arrow(names: Sequence[str], types: Sequence[str], rows: Sequence[Sequence[Any]]) -> pa.Table:
    """Rows as Arrow; a type that has no column of its own (array, map, row, json, interval) is text.

    Args:
        names: of the columns; one that comes twice gets a number.
        types: SQL's words for their types.
        rows: values, or texts of values; None is null.
    """
    import polars as pl

    columns = []
    for place, (name, kind) in enumerate(zip(names, types, strict=True)):
        dtype = _dtype(kind)
        values = [row[place] for row in rows]
        text = pl.Series(name, [None if each is None else str(each) for each in values], dtype=pl.String)
        column = _read(text, dtype)
        columns.append(column.alias(name if name not in names[:place] else f"{name}_{place + 1}"))
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


def _read(text: pl.Series, dtype: pl.DataType) -> pl.Series:
    import polars as pl

    if dtype == pl.Boolean:
        return text.str.to_lowercase() == "true"
    if isinstance(dtype, pl.Datetime):
        moments = text.str.replace(r" UTC$|\+00:00$", "").str.replace("T", " ", literal=True)
        return moments.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="us", time_zone=dtype.time_zone)
    if dtype == pl.Date:
        return text.str.to_date("%Y-%m-%d")
    return text.cast(dtype)
