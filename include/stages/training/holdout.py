"""The rows that nobody but gates and report sees: read batch by batch, so that they need not fit into memory."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

Columns = Sequence[str] | None  # None: all


@dataclass(frozen=True)
class Holdout:
    """Labelled rows in their order.

    Attributes:
        batches: gives them with these columns and `label`, anew each time.
    """

    batches: Callable[[Columns], Iterable[pl.DataFrame]]

    @classmethod
    def of(cls, rows: pl.DataFrame) -> "Holdout":
        """Rows that are in memory."""
        return cls(lambda _: [rows])

    def each(self, answer: Callable[[pl.DataFrame], NDArray[Any]], columns: Columns = None) -> NDArray[Any]:
        """What a function of rows says of all of them, [n] or [n, k]; a batch is in memory at a time."""
        parts = [answer(rows) for rows in self.batches(columns)]
        return np.concatenate(parts) if parts else np.empty(0)

    @cached_property
    def labels(self) -> NDArray[Any]:
        """Encoded labels, [n]."""
        return self.each(lambda rows: rows["label"].to_numpy(), ())

    @property
    def height(self) -> int:
        """How many rows."""
        return len(self.labels)

    def texts(self, column: str) -> NDArray[np.str_]:
        """A column as texts, `none` where it is null, [n]."""
        return self.each(
            lambda rows: rows[column].cast(pl.String).fill_null("none").to_numpy().astype(np.str_), [column]
        )

    def head(self, rows: int) -> pl.DataFrame:
        """The first rows."""
        found: list[pl.DataFrame] = []
        for batch in self.batches(None):
            found.append(batch.head(rows - sum(part.height for part in found)))
            if sum(part.height for part in found) == rows:
                break
        return pl.concat(found)

    def whole(self, columns: Columns = None) -> pl.DataFrame:
        """These columns of all rows at once: they must fit into memory."""
        return pl.concat([rows if columns is None else rows.select(columns) for rows in self.batches(columns)])
