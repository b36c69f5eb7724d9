"""How well two versions did on what they were asked and whose label has come, over the same time. Pure.

Where both answered the same (a shadow), the rows are paired; where each answered its share (a canary), they are not.
One bootstrap serves both: what was asked is drawn with replacement, and each version is measured on its own rows of a
draw (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, ch. 8 and 13).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from include.foundation.problem.bootstrap import Interval
from include.foundation.problem.logged import numbers
from include.foundation.problem.protocol import Problem
from include.foundation.spec.promotion import Criteria

COLUMNS = ("id", "version", "stage", "scored_at", "answer", "label")
RESAMPLES = 500


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """What labels say; in words by `str`.

    Attributes:
        metric: that was compared.
        stable: answers of the stable version with a label, since the candidate's first one in the stage.
        candidate: those of the candidate.
        least: that each must have.
        gain: of the candidate in the metric, above 0 if it is better; None where it was not compared.
        margin: how much worse it may be.
    """

    metric: str
    stable: int
    candidate: int
    least: int
    gain: Interval | None
    margin: float

    @property
    def worse(self) -> list[str]:
        """In words, where the whole interval says so; absent labels say nothing."""
        if self.gain is None or not self.gain.high < -self.margin:
            return []
        return [f"{self}, allowed is a loss of {self.margin:.4f}"]

    def __str__(self) -> str:
        rows = f"{self.candidate} labelled answers of it and {self.stable} of the stable version"
        if self.gain is None:
            few = min(self.candidate, self.stable) < self.least
            why = f"wanted are {self.least} of each" if few else "it is not defined on them"
            return f"{self.metric} is not judged: {rows}, {why}"
        return (
            f"its gain in {self.metric} is {self.gain.value:+.4f}, from {self.gain.low:+.4f} to {self.gain.high:+.4f}"
            f" ({rows})"
        )


def labelled(
    answered: pl.DataFrame,
    *,
    stable: str,
    candidate: str,
    stage: str,
    problem: Problem,
    metric: str,
    criteria: Criteria,
) -> Labelled:
    """Compare two versions on the labels that have come.

    Args:
        answered: rows of the table `predictions.<use case>`: `COLUMNS`.
        stable: version.
        candidate: version.
        stage: where both serve.
        problem: the problem kind.
        metric: its metric.
        criteria: of the spec.
    """
    here = answered.filter(pl.col("version").is_in([stable, candidate]), stage=stage)
    begun = pl.col("scored_at") >= pl.col("scored_at").filter(version=candidate).min()
    rows = here.filter(begun).filter(pl.col("label").is_not_null(), pl.col("id").is_not_null())
    rows = rows.with_columns(_asked=pl.col("id").rank("dense") - 1)
    both = {each: rows.filter(version=each) for each in (stable, candidate)}
    found = {each: part.height for each, part in both.items()}
    gain = None
    if min(found.values()) >= criteria.label_rows:
        gain = _gain(both, problem, metric, criteria.label_confidence)
    return Labelled(
        metric=metric,
        stable=found[stable],
        candidate=found[candidate],
        least=criteria.label_rows,
        gain=gain,
        margin=criteria.label_loss,
    )


def _gain(both: Mapping[str, pl.DataFrame], problem: Problem, metric: str, confidence: float) -> Interval | None:
    """Of the second version's rows over the first one's; None where the metric is not defined on them."""
    classes = problem.classes(pl.concat(rows["label"] for rows in both.values()))
    measures, places = [], []
    for rows in both.values():
        if (answers := numbers(rows["answer"], classes)) is None:  # of classes that no label is of
            return None
        labels = problem.encode(rows["label"], classes).cast(pl.Float64).to_numpy()
        measures.append(problem.measure(metric, labels, answers))
        places.append(rows["_asked"].to_numpy())
    better, asked = problem.kind.metric(metric).gain, 1 + max(int(place.max()) for place in places)
    rng = np.random.default_rng(0)
    gains = np.empty(RESAMPLES)
    for draw in range(RESAMPLES):
        counts = np.bincount(rng.integers(0, asked, asked), minlength=asked).astype(np.float64)
        old, new = (measure(counts[place]) for measure, place in zip(measures, places, strict=True))
        gains[draw] = better(new, old)
    value = better(measures[1](None), measures[0](None))
    if not np.isfinite([value, *gains]).all():
        return None
    low, high = np.quantile(gains, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(value=value, low=float(low), high=float(high))
