"""Confidence interval of how much better one model is than another on the same rows.

The paired (percentile) bootstrap: rows are drawn with replacement, both models are measured on the same draw, and the
quantiles of the differences are the interval (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, ch. 13).
Where rows come in groups that share their luck (those of a day), whole groups are drawn.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from include.foundation.problem.protocol import Answers, Problem, Vector


@dataclass(frozen=True, kw_only=True)
class Interval:
    """Gain of the candidate over the reference, above 0 if it is better, with its interval; NaN where not defined."""

    value: float
    low: float
    high: float


def paired_gain(
    problem: Problem,
    metric: str,
    labels: Vector,
    candidate: Answers,
    reference: Answers,
    *,
    resamples: int,
    confidence: float,
    seed: int,
    groups: NDArray[np.generic] | None = None,
) -> Interval:
    """Interval of the gain in a metric over rows [n], two-sided at `confidence`; `groups` [n] are drawn as wholes.

    Each model is prepared once and a draw is a vector of row counts, so a draw costs O(n): 1,000 draws of AUC on
    30,000 rows take about a second on one core.

    Raises:
        InvalidInput: the problem kind has no such metric.
    """
    gain = problem.kind.metric(metric).gain
    names, group = np.unique(np.arange(len(labels)) if groups is None else groups, return_inverse=True)
    new, old = problem.measure(metric, labels, candidate), problem.measure(metric, labels, reference)
    rng = np.random.default_rng(seed)
    gains = np.empty(resamples)
    for draw in range(resamples):
        counts = np.bincount(rng.integers(0, len(names), len(names)), minlength=len(names)).astype(np.float64)[group]
        gains[draw] = gain(new(counts), old(counts))
    low, high = np.quantile(gains, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(value=gain(new(None), old(None)), low=float(low), high=float(high))


def measure(problem: Problem, labels: Vector, answers: Answers) -> dict[str, float]:
    """Every metric of the kind, by name; NaN where it is not defined."""
    return {each.name: problem.measure(each.name, labels, answers)(None) for each in problem.kind.metrics}
