"""A few rows of a table, as text, with sensitive columns masked."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from include.foundation.echo import cut
from include.foundation.lake import tables
from include.foundation.lake.chunks import chunks

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    import polars as pl

    from include.foundation.lake import Lake

Texts = tuple[list[str], list[list[str]]]  # names, and rows of values
MASK = "•••"
LONGEST = 120  # characters of a value
_DERIVED = ": cannot be derived ("
# The rest of the text is one value as `quoted` writes it: from the first place on where that is so.
_QUOTED = re.compile(
    r"""(.+?):\ (?:'(?:[^'\\]|\\.)*' | "(?:[^"\\]|\\.)*") (?:\.\.\.\ \([\d,]+\ characters\))?""", re.VERBOSE | re.DOTALL
)


def newest(lake: Lake, identifier: str, *, rows: int, hidden: Collection[str] = ()) -> Texts:
    """Column names, and rows of the newest day; values of hidden columns are `MASK`.

    Raises:
        MissingInput: there is no such table.
        InvalidInput: another program laid it out otherwise.
    """
    days = tables.days(lake, identifier)
    last = days[-1] if days else None
    return texts(tables.read(lake, identifier, start=last, end=last, most=rows), hidden)


def quarantined(
    lake: Lake, identifier: str, *, rows: int, hidden: Collection[str] = ()
) -> tuple[Mapping[str, int], Texts]:
    """Rows by reason (without the value), the most frequent first, and the newest failed rows.

    Where a table has hidden columns, reasons are shown without the values that they name. Of all rows the reasons are
    read, some days at a time; of the rows that are shown no more than these.

    Raises:
        MissingInput: there is no such table.
    """
    import polars as pl

    days, counts = tables.counts(lake, identifier), Counter[str]()
    for chunk in chunks(sorted(days), days):
        said = tables.read(lake, identifier, start=chunk[0], end=chunk[-1], columns=["reasons"])
        each = said["reasons"].explode().drop_nulls()
        for reason, count in each.value_counts(name="rows").iter_rows():
            counts[without_value(reason)] += count
    shown = tables.read(lake, identifier, most=0)
    for day in sorted(days, reverse=True):
        if shown.height >= rows:
            break
        shown = pl.concat([shown, tables.read(lake, identifier, start=day, end=day, most=rows - shown.height)])
    if hidden:
        shown = shown.with_columns(
            pl.Series("reasons", [[without_value(each) for each in said or ()] for said in shown["reasons"].to_list()])
        )
    first = ["reasons", "event_date", "source_uri", "source_position"]
    order = [*(name for name in first if name in shown.columns), *(name for name in shown.columns if name not in first)]
    return dict(counts.most_common()), texts(shown.select(order), hidden)


def without_value(reason: str) -> str:
    """`column: check: 'value'` as `column: check`, whatever the value holds; no word of a derivation's error either."""
    if _DERIVED in reason:
        return reason.partition(_DERIVED)[0] + _DERIVED.removesuffix(" (")
    if found := _QUOTED.fullmatch(reason):
        return found[1]
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
