"""A few rows of a table, as text, with sensitive columns masked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from include.foundation.echo import cut
from include.foundation.lake import tables

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    import polars as pl

    from include.foundation.lake import Lake

Texts = tuple[list[str], list[list[str]]]  # names, and rows of values
MASK = "•••"
LONGEST = 120  # characters of a value


def newest(lake: Lake, identifier: str, *, rows: int, hidden: Collection[str] = ()) -> Texts:
    """Column names, and rows of the newest day; values of hidden columns are `MASK`.

    Raises:
        MissingInput: there is no such table.
        InvalidInput: another program laid it out otherwise.
    """
    days = tables.days(lake, identifier)
    frame = tables.read(lake, identifier, start=days[-1], end=days[-1]) if days else tables.read(lake, identifier)
    return texts(frame.head(rows), hidden)


def quarantined(
    lake: Lake, identifier: str, *, rows: int, hidden: Collection[str] = ()
) -> tuple[Mapping[str, int], Texts]:
    """Rows by reason (without the value), the most frequent first, and the newest failed rows.

    Where a table has hidden columns, reasons are shown without the values that they name.

    Raises:
        MissingInput: there is no such table.
    """
    import polars as pl

    frame = tables.read(lake, identifier)
    reasons = frame.select(pl.col("reasons").explode()).to_series().drop_nulls().to_list()
    counts: dict[str, int] = {}
    for reason in reasons:
        kind = without_value(reason)
        counts[kind] = counts.get(kind, 0) + 1
    if hidden and "reasons" in frame.columns:
        frame = frame.with_columns(
            pl.Series("reasons", [[without_value(each) for each in said or ()] for said in frame["reasons"].to_list()])
        )
    first = ["reasons", "event_date", "source_uri", "source_position"]
    order = [*(name for name in first if name in frame.columns), *(name for name in frame.columns if name not in first)]
    shown = frame.sort("event_date", descending=True).head(rows).select(order)
    return dict(sorted(counts.items(), key=lambda item: -item[1])), texts(shown, hidden)


def without_value(reason: str) -> str:
    """`column: check: 'value'` as `column: check`."""
    head, separator, _ = reason.rpartition(": ")
    return head if separator and ": " in head else reason


def texts(frame: pl.DataFrame, hidden: Collection[str] = ()) -> Texts:
    """A frame as bounded text."""

    def text(name: str, value: Any) -> str:
        if value is None:
            return ""
        if name in hidden:
            return MASK
        words = isinstance(value, list) and value and all(isinstance(each, str) for each in value)
        return cut("; ".join(value) if words else str(value), LONGEST)

    names = frame.columns
    return names, [[text(name, value) for name, value in zip(names, row, strict=True)] for row in frame.iter_rows()]
