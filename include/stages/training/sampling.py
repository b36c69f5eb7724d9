"""A sample of rows that is the same in whatever order and batches they come: those whose ids hash lowest."""

import hashlib

import polars as pl

from include.foundation.evidence.manifest import Sampled

RULE = "those with the lowest SHA-256 of seed and id"
PLACE = "_place"


class Sample:
    """At most so many rows of all that are added; twice as many are in memory.

    Args:
        most: rows to keep; None keeps all.
        seed: another one draws another sample.
    """

    def __init__(self, most: int | None, seed: int) -> None:
        self._most, self._seed = most, seed
        self._held: list[pl.DataFrame] = []
        self._highest: int | None = None  # place that a row must be below to come into the sample
        self._seen = 0

    def add(self, rows: pl.DataFrame) -> None:
        """Add rows with a column `id` that no two of all have the same."""
        self._seen += rows.height
        if self._most is None:
            self._held.append(rows)
            return
        rows = rows.with_columns(places(rows["id"], self._seed).alias(PLACE))
        self._held.append(rows if self._highest is None else rows.filter(pl.col(PLACE) <= self._highest))
        if sum(part.height for part in self._held) > 2 * self._most:
            self._thin(self._most)

    def rows(self) -> pl.DataFrame:
        """The sample, in order of `event_time` and `id`; at least one frame was added."""
        if self._most is not None:
            self._thin(self._most)
        return pl.concat(self._held).drop(PLACE, strict=False).sort("event_time", "id")

    @property
    def sampled(self) -> Sampled | None:
        """How many of how many rows, and by what; None where all were kept."""
        if self._most is None or self._seen <= self._most:
            return None
        return Sampled(rows=self._most, of=self._seen, by=RULE)

    def _thin(self, most: int) -> None:
        kept = pl.concat(self._held).bottom_k(most, by=[PLACE, "id"])
        self._held, self._highest = [kept], kept[PLACE].max() if kept.height == most else None  # type: ignore[assignment]


def places(ids: pl.Series, seed: int) -> pl.Series:
    """Of each id a number, uniform over 64 bits: the first 8 bytes of the SHA-256 of `<seed> <id>`."""
    start = hashlib.sha256(f"{seed} ".encode())

    def place(text: str) -> int:
        found = start.copy()
        found.update(text.encode())
        return int.from_bytes(found.digest()[:8])

    return pl.Series([place(text) for text in ids], dtype=pl.UInt64)
