"""A user's expression or check on a frame, where it may raise on some rows: the others still get their answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from include.foundation.echo import cause
from include.foundation.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable

MOST = 200  # rows: finding each takes as many tries as the frame's size has digits in base two


def by_parts(
    evaluate: Callable[[pl.DataFrame], pl.Series], frame: pl.DataFrame, *, what: str
) -> tuple[pl.Series, dict[int, str]]:
    """Evaluate a frame; if that raises, its halves, down to single rows.

    Args:
        evaluate: gives a value for each row.
        frame: the rows.
        what: how messages call what is evaluated.

    Returns:
        The values, null where a single row raises, and the cause by the index of that row.

    Raises:
        InvalidInput: it raises on more than `MOST` rows: it is wrong, not the rows.
    """
    causes: dict[int, str] = {}

    def halves(begin: int, end: int) -> list[pl.Series]:
        part = frame[begin:end]
        try:
            return [evaluate(part)]
        except Exception as error:
            if part.is_empty():
                return [pl.Series(dtype=pl.Null)]
            if len(part) == 1:
                causes[begin] = cause(error)
                if len(causes) > MOST:
                    raise InvalidInput(f"{what} cannot be evaluated: {cause(error)}") from error
                return [pl.Series([None])]
        middle = (begin + end) // 2
        return halves(begin, middle) + halves(middle, end)

    found = halves(0, frame.height)
    if len(found) == 1:
        return found[0], causes
    kinds = [each.dtype for each in found if each.dtype != pl.Null]
    return pl.concat([each.cast(kinds[0]) if kinds else each for each in found]), causes
