"""Skew: the features that answers were made of, against those that the lake has for the same rows, bit for bit.

Gold is the recomputation. It is made by the same code, of the history that was known at the moment that is asked about
(`known_at`), however much later it was built. So a difference says that serving had other history by then, or computed
something else.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict

from include.foundation.artifact import Metadata, encoded, matrix
from include.foundation.artifact.scoring import Encoder

SHOWN = 5  # features in a sentence


class Skew(BaseModel):
    """How many answers were compared; and of the features that differ in some, the share of those, the greatest first.

    JSON-able; in words by `str`.
    """

    model_config = ConfigDict(frozen=True)

    rows: int = 0
    shares: Mapping[str, float] = {}

    @property
    def greatest(self) -> float | None:
        """The greatest share; None where nothing was compared."""
        return max(self.shares.values(), default=0.0) if self.rows else None

    def __str__(self) -> str:
        """Such as `of 500 answers, served features differ from the lake's: past in 12.00%`."""
        shown = ", ".join(f"{name} in {share:.2%}" for name, share in [*self.shares.items()][:SHOWN])
        more = f" and {len(self.shares) - SHOWN} more features" if len(self.shares) > SHOWN else ""
        return f"of {self.rows:,} answers, served features differ from the lake's: {shown or 'none'}{more}"


def together(parts: Iterable[Skew]) -> Skew:
    """That of all rows of several parts."""
    rows, differing = 0, Counter[str]()
    for part in parts:
        rows += part.rows
        differing.update({name: round(share * part.rows) for name, share in part.shares.items()})
    return Skew(rows=rows, shares={name: count / rows for name, count in differing.most_common()})


def skew(logged: Sequence[Mapping[str, Any]], gold: pl.DataFrame, *, part: Encoder, metadata: Metadata) -> Skew:
    """Compare.

    Args:
        logged: of each answer the features as the prediction log has them, [n].
        gold: the rows that were asked about, [n].
        part: the use case's `model` module.
        metadata: of the model file that answered.

    Raises:
        InvalidInput: the log has other features than the model file.
    """
    if not logged:
        return Skew()
    served, lake = matrix(metadata, logged), encoded(part, metadata, gold)
    same = (served.view(np.uint32) == lake.view(np.uint32)) | (np.isnan(served) & np.isnan(lake))
    shares = sorted(zip((~same).mean(axis=0).tolist(), metadata.features, strict=True), reverse=True)
    return Skew(rows=len(logged), shares={name: share for share, name in shares if share})
