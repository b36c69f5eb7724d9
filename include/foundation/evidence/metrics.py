"""Metrics of binary scores. Labels are 0/1 [n], scores are probabilities of 1, [n]; results are floats.

A metric that is not defined on its input (one class only, no rows, scores that are not numbers) is NaN, never a guess.
"""

from collections.abc import Callable, Mapping
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
    """Area under the ROC curve, in [0, 1]; 0.5 is chance."""
    return Ranking.of(labels, scores).auc() if np.isfinite(scores).all() else float("nan")


def log_loss(labels: ArrayLike, scores: ArrayLike) -> float:
    """Mean negative log likelihood, in nats; scores are clipped to [1e-15, 1 - 1e-15]."""
    label, score = np.asarray(labels, np.float64), np.clip(np.asarray(scores, np.float64), 1e-15, 1 - 1e-15)
    return -float(np.mean(label * np.log(score) + (1 - label) * np.log1p(-score))) if len(label) else float("nan")


def brier(labels: ArrayLike, scores: ArrayLike) -> float:
    """Mean squared error of the probabilities, in [0, 1]."""
    label = np.asarray(labels, np.float64)
    return float(np.mean((np.asarray(scores, np.float64) - label) ** 2)) if len(label) else float("nan")


METRICS: Mapping[str, Callable[[ArrayLike, ArrayLike], float]] = {"auc": auc, "log_loss": log_loss, "brier": brier}


def measure(labels: ArrayLike, scores: ArrayLike) -> dict[str, float]:
    """Every metric, by name."""
    return {name: metric(labels, scores) for name, metric in METRICS.items()}
