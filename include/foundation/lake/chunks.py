"""Days that are read at once, so that a bounded number of rows is in memory."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date

ROWS = 100_000  # a day is not divided


def chunks(days: Iterable[date], rows: Mapping[date, int]) -> Iterator[list[date]]:
    """Days in their order, as many together as have no more than `ROWS` rows, one at least.

    Args:
        days: the days.
        rows: of each; a day that is not there has none.
    """
    chunk: list[date] = []
    size = 0
    for day in days:
        if chunk and size + rows.get(day, 0) > ROWS:
            yield chunk
            chunk, size = [], 0
        chunk.append(day)
        size += rows.get(day, 0)
    if chunk:
        yield chunk
