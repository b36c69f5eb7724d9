"""Days that are read at once, so that a bounded number of rows is in memory."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date

ROWS = 100_000  # a day is not divided


def chunks(days: Iterable[date], rows: Mapping[date, int], *, most: int | None = None) -> Iterator[list[date]]:
    """Days in their order, as many together as have no more than `most` rows, one at least.

    Args:
        days: the days.
        rows: of each; a day that is not there has none.
        most: rows at once; None is `ROWS`.
    """
    most = ROWS if most is None else most
    chunk: list[date] = []
    size = 0
    for day in days:
        if chunk and size + rows.get(day, 0) > most:
            yield chunk
            chunk, size = [], 0
        chunk.append(day)
        size += rows.get(day, 0)
    if chunk:
        yield chunk
