"""How the values of a column are distributed, and how far another distribution is from it.

A profile is a few dozen shares, so it can be kept with a version: judging a window reads no training rows. Numbers fall
into bins of equally many reference values, texts into the most frequent ones, nulls into a bin of their own. The
distance of two distributions is Jensen and Shannon's (J. Lin, Divergence measures based on the Shannon entropy, 1991),
to base 2: 0 for equal ones, 1 for those that have nothing in common, defined where a bin is empty.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

Shares = NDArray[np.float64]
BINS = 20
VALUES = 50  # of a text column that have bins of their own


@dataclass(frozen=True, kw_only=True)
class Profile:
    """The distribution of one column.

    Attributes:
        numeric: whether values are numbers (booleans and moments are).
        edges: the bins' upper ends without the last, or the texts that have bins; sorted.
        shares: of the rows, by bin; then of all greater numbers or other texts, and last of nulls.
    """

    numeric: bool
    edges: tuple[float, ...] | tuple[str, ...]
    shares: tuple[float, ...]

    @classmethod
    def of(cls, values: pl.Series) -> "Profile":
        """The profile of a column's values, [n]."""
        numeric = values.dtype != pl.String
        edges: tuple[float, ...] | tuple[str, ...]
        if numeric:
            numbers = _numbers(values).drop_nulls().to_numpy()
            inner = np.linspace(0, 1, BINS + 1)[1:-1]
            edges = tuple(np.unique(np.quantile(numbers, inner, method="lower")).tolist()) if len(numbers) else ()
        else:
            common = values.drop_nulls().value_counts(sort=True).head(VALUES)
            edges = tuple(sorted(common[values.name]))
        empty = cls(numeric=numeric, edges=edges, shares=())
        return cls(numeric=numeric, edges=edges, shares=tuple(empty.count(values).tolist()))

    def count(self, values: pl.Series) -> Shares:
        """The shares of other values, [n], in this profile's bins."""
        nulls, places = self._places(values)
        counts = np.bincount(places, minlength=len(self.edges) + 1).astype(np.float64)
        return np.append(counts, nulls) / max(len(values), 1)

    def distance(self, values: pl.Series) -> float:
        """How far the distribution of other values is from this one, in [0, 1]; NaN without values."""
        from scipy.spatial.distance import jensenshannon

        return float(jensenshannon(self.shares, self.count(values), base=2)) if len(values) else float("nan")

    def _places(self, values: pl.Series) -> tuple[int, NDArray[np.intp]]:
        """How many are null, and the bins of the others."""
        if self.numeric:
            numbers = _numbers(values).drop_nulls().to_numpy()
            return len(values) - len(numbers), np.searchsorted(np.array(self.edges, np.float64), numbers)
        known = {text: place for place, text in enumerate(self.edges)}
        texts = values.drop_nulls()
        found = texts.replace_strict(known, default=len(known), return_dtype=pl.Int64)
        return len(values) - len(texts), found.to_numpy().astype(np.intp)


def _numbers(values: pl.Series) -> pl.Series:
    """As float64; what is not a number is null, as what is absent."""
    if values.dtype.is_temporal():
        values = values.to_physical()
    return values.cast(pl.Float64).fill_nan(None)


@dataclass(frozen=True, kw_only=True)
class Limit:
    """A profile, and how far a window of ordinary rows is from it.

    Attributes:
        profile: of the reference rows.
        limit: distance beyond which a window has drifted.
    """

    profile: Profile
    limit: float

    @classmethod
    def of(cls, values: pl.Series, windows: Sequence[pl.Series], *, sigmas: float) -> "Limit":
        """Learn how much windows of the reference differ from the whole: their mean distance and `sigmas` deviations.

        Shewhart's control limit. So a column that changes from week to week has a wider limit than one that does not,
        and a short window than a long one.

        Args:
            values: the reference rows.
            windows: the same rows, cut into windows as long as those to be judged.
            sigmas: standard deviations.
        """
        profile = Profile.of(values)
        distances = np.array([profile.distance(window) for window in windows])
        return cls(profile=profile, limit=float(distances.mean() + sigmas * distances.std(ddof=1)))
