"""The area under the ROC curve by ranks."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Ranking:
    """Rows sorted by score, once, so that AUC under many row weights costs two cumulative passes each.

    Attributes:
        order: the sorting permutation, [n].
        positive: sorted labels as 0.0/1.0, [n].
        first: index of the first row with the same score, per sorted row, [n].
        last: index after the last row with the same score, per sorted row, [n].
    """

    order: NDArray[np.intp]
    positive: NDArray[np.float64]
    first: NDArray[np.intp]
    last: NDArray[np.intp]

    @classmethod
    def of(cls, labels: ArrayLike, scores: ArrayLike) -> "Ranking":
        """Rank finite scores."""
        values = np.asarray(scores, np.float64)
        order = np.argsort(values, kind="stable")
        values = values[order]
        positive = np.asarray(labels, np.float64)[order]
        return cls(order, positive, np.searchsorted(values, values, "left"), np.searchsorted(values, values, "right"))

    def auc(self, weights: NDArray[np.float64] | None = None) -> float:
        """Area under the ROC curve: the Mann-Whitney statistic, ties count half, rows weighted by `weights` [n]."""
        weight = np.ones(len(self.order)) if weights is None else weights[self.order]
        positive = weight * self.positive
        below = np.concatenate(([0.0], np.cumsum(weight - positive)))  # weight of negatives before each row
        pairs = float(positive.sum() * below[-1])
        # not a dot product: BLAS wakes its threads for it, which costs more than the sum
        won = float((positive * (below[self.first] + below[self.last])).sum()) / 2
        return won / pairs if pairs > 0 else float("nan")


def auc(labels: ArrayLike, scores: ArrayLike) -> float:
    """Area under the ROC curve, in [0, 1]; 0.5 is chance. Labels 0/1 [n], scores [n]; NaN where it is not defined."""
    return Ranking.of(labels, scores).auc() if np.isfinite(scores).all() else float("nan")
