"""Judge a version. Fail closed: what is missing, not a number, too small to tell or raises is a failed gate."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from include.foundation.errors import InvalidInput
from include.foundation.evidence.metrics import auc
from include.foundation.spec.gates import Gates, Slice
from include.stages.gates.bootstrap import paired_auc
from include.stages.gates.report import Gate, Report

Vector = NDArray[np.float64]
LEAST_ROWS, LEAST_OF_A_CLASS = 200, 20  # an interval from fewer rows says nothing
BOOTSTRAP_RULE = "no champion to beat: floor, baseline and latency decide, and slices against the overall value"


@dataclass(frozen=True, kw_only=True)
class Holdout:
    """What gates see: the same rows, in the same order, for everyone.

    Attributes:
        labels: 0/1, [n].
        candidate: scores of the judged version, [n].
        baseline: scores of the simple baseline, [n].
        champion: scores of the champion, [n]; None if the registry has no champion.
        columns: columns that slices are cut by, each [n] of strings.
        answer_ms: milliseconds of single answers of the judged version, [any].
    """

    labels: Vector
    candidate: Vector
    baseline: Vector
    champion: Vector | None
    columns: Mapping[str, NDArray[np.str_]]
    answer_ms: Vector


def judge(gates: Gates, holdout: Holdout, *, metric: str, subject: str, champion: str | None, seed: int) -> Report:
    """Hold a version against every gate of the spec.

    Args:
        gates: thresholds, from the spec.
        holdout: the frozen rows.
        metric: the spec's metric; gates know how to bootstrap `auc` only, another one fails every gate that uses it.
        subject: the judged version, in words.
        champion: the champion, in words; None if there is none.
        seed: of the bootstrap.
    """
    judged = [
        _gate("rows", partial(_rows, holdout)),
        _gate("floor", partial(_floor, gates, holdout, metric)),
        _gate("champion", partial(_champion, gates, holdout, metric, seed)),
        _gate("baseline", partial(_baseline, gates, holdout, metric, seed)),
        *(_gate(f"slice:{part.by}", partial(_slice, part, holdout, metric)) for part in gates.slices),
        _gate("latency", partial(_latency, gates, holdout)),
    ]
    return Report(
        subject=subject,
        reference=champion or BOOTSTRAP_RULE,
        metric=metric,
        rows=len(holdout.labels),
        gates=tuple(judged),
    )


Verdict = tuple[bool, float | None, float | None, str]


def _gate(name: str, verdict: Callable[[], Verdict]) -> Gate:
    try:
        passed, value, threshold, detail = verdict()
    except Exception as error:  # noqa: BLE001  whatever goes wrong, the gate stays closed
        return Gate(name=name, passed=False, value=None, threshold=None, detail=f"could not be judged: {error}")
    return Gate(name=name, passed=bool(passed), value=value, threshold=threshold, detail=detail)


def _rows(holdout: Holdout) -> Verdict:
    positives = int((holdout.labels == 1).sum())
    negatives = int((holdout.labels == 0).sum())
    passed = min(positives, negatives) >= LEAST_OF_A_CLASS and positives + negatives >= LEAST_ROWS
    detail = f"{positives} positive and {negatives} negative rows; at least {LEAST_OF_A_CLASS} of each"
    return passed, float(positives + negatives), float(LEAST_ROWS), detail


def _floor(gates: Gates, holdout: Holdout, metric: str) -> Verdict:
    value = _measure(metric, holdout.labels, holdout.candidate)
    return value >= gates.floor, value, gates.floor, f"{metric} at least the floor"


def _champion(gates: Gates, holdout: Holdout, metric: str, seed: int) -> Verdict:
    if holdout.champion is None:
        return True, None, None, BOOTSTRAP_RULE
    return _better(gates, holdout, metric=metric, seed=seed, name="champion", margin=0.0 - gates.champion_margin)


def _baseline(gates: Gates, holdout: Holdout, metric: str, seed: int) -> Verdict:
    return _better(gates, holdout, metric=metric, seed=seed, name="baseline", margin=gates.baseline_margin)


def _better(gates: Gates, holdout: Holdout, *, metric: str, seed: int, name: str, margin: float) -> Verdict:
    """The lower end of the paired interval against the reference must exceed `margin`."""
    reference = getattr(holdout, name)
    ours = _measure(metric, holdout.labels, holdout.candidate)
    theirs = _measure(metric, holdout.labels, reference)
    interval = paired_auc(
        holdout.labels,
        holdout.candidate,
        reference,
        resamples=gates.resamples,
        confidence=gates.confidence,
        seed=seed,
    )
    detail = (
        f"{metric} {ours:.4f} against the {name}'s {theirs:.4f}: {interval.value:+.4f}, whose {gates.confidence:.0%} "
        f"interval [{interval.low:+.4f}, {interval.high:+.4f}] ({gates.resamples} paired resamples) must lie above"
    )
    return interval.low > margin, interval.low, margin, detail


def _slice(part: Slice, holdout: Holdout, metric: str) -> Verdict:
    """The worst value of a column: its metric minus the reference's must not fall below -margin."""
    column = holdout.columns[part.by]
    values, sizes = np.unique(column, return_counts=True)
    judged = [value for value, size in zip(values, sizes, strict=True) if size >= part.min_rows]
    if not judged:
        raise InvalidInput(f"no value of {part.by} has {part.min_rows} rows")
    overall = _measure(metric, holdout.labels, holdout.candidate)
    gaps = {}
    for value in judged:
        rows = column == value
        ours = _measure(metric, holdout.labels[rows], holdout.candidate[rows])
        theirs = overall
        if holdout.champion is not None:
            theirs = _measure(metric, holdout.labels[rows], holdout.champion[rows])
        gaps[value] = ours - theirs
    worst = min(gaps, key=gaps.__getitem__)
    against = "the version's own overall value" if holdout.champion is None else "the champion on the same slice"
    detail = (
        f"{metric} minus that of {against}; worst is {worst} of {len(judged)} values with {part.min_rows} rows or "
        f"more, {len(values) - len(judged)} smaller ones not judged"
    )
    return gaps[worst] >= -part.margin, gaps[worst], -part.margin, detail


def _latency(gates: Gates, holdout: Holdout) -> Verdict:
    p99 = float(np.quantile(holdout.answer_ms, 0.99))
    detail = f"p99 ms of {len(holdout.answer_ms)} single answers (encode and score) on one thread"
    return p99 <= gates.latency_p99_ms, p99, gates.latency_p99_ms, detail


def _measure(metric: str, labels: Vector, scores: Vector) -> float:
    """The metric. Raises InvalidInput where it is not defined."""
    if metric != "auc":
        raise InvalidInput(f"gates can judge auc, not {metric}")
    if len(scores) != len(labels) or not np.isfinite(scores).all():
        raise InvalidInput("there is not one finite score per row")
    value = auc(labels, scores)
    if not np.isfinite(value):
        raise InvalidInput(f"{metric} is not defined on {len(labels)} rows with {int(np.sum(labels))} positives")
    return value
