"""Judge a version. Fail closed: what is missing, not a number, too small to tell or raises is a failed gate."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from include.foundation.errors import InvalidInput
from include.foundation.problem.bootstrap import paired_gain
from include.foundation.problem.kinds import Metric
from include.foundation.problem.labels import short
from include.foundation.problem.protocol import Answers, Problem, Vector
from include.foundation.spec.gates import Gates, Slice
from include.stages.gates.latency import Timing
from include.stages.gates.report import Gate, Report

LEAST_ROWS, LEAST_OF_A_CLASS = 200, 20  # an interval from fewer rows says nothing
SHOWN = 5  # classes in a detail
BOOTSTRAP_RULE = "no champion to beat: floor, baseline and latency decide, and slices against the overall value"


@dataclass(frozen=True, kw_only=True)
class Holdout:
    """What gates see: the same rows, in the same order, for everyone.

    Attributes:
        labels: encoded (see `Problem`), [n].
        candidate: answers of the judged version, [n] or [n, classes].
        baseline: answers of the simple baseline, the same shape.
        champion: answers of the champion, the same shape; None if the registry has no champion.
        columns: columns that slices are cut by, each [n] of strings.
        timing: how long single answers of the judged version take.
        classes: names of the classes, if answers have a column for each.
    """

    labels: Vector
    candidate: Answers
    baseline: Answers
    champion: Answers | None
    columns: Mapping[str, NDArray[np.str_]]
    timing: Timing
    classes: tuple[str, ...] = ()


def judge(
    gates: Gates,
    holdout: Holdout,
    *,
    problem: Problem,
    metric: str,
    subject: str,
    champion: str | None,
    seed: int,
) -> Report:
    """Hold a version against every gate of the spec.

    Args:
        gates: thresholds, from the spec.
        holdout: the frozen rows.
        problem: the use case's problem kind.
        metric: the spec's metric; one that the kind does not have fails every gate that uses it.
        subject: the judged version, in words.
        champion: the champion, in words; None if there is none.
        seed: of the bootstrap.
    """
    court = _Court(gates=gates, holdout=holdout, problem=problem, metric_name=metric, seed=seed)
    judged = [
        _gate("rows", court.rows),
        _gate("floor", court.floor),
        _gate("champion", court.champion),
        _gate("baseline", court.baseline),
        *(_gate(f"slice:{part.by}", partial(court.slice, part)) for part in gates.slices),
        _gate("latency", court.latency),
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


@dataclass(frozen=True, kw_only=True)
class _Court:
    """The gates of one judgement."""

    gates: Gates
    holdout: Holdout
    problem: Problem
    metric_name: str
    seed: int

    @property
    def metric(self) -> Metric:
        """Raises InvalidInput if the problem kind has no such metric."""
        return self.problem.kind.metric(self.metric_name)

    def rows(self) -> Verdict:
        """There must be enough rows, and enough of each class."""
        labels = self.holdout.labels
        counts = self.problem.counts(labels, self.holdout.classes)
        rows = sum(counts.values()) if counts else int(np.isfinite(labels).sum())
        rule = f"at least {LEAST_ROWS}" + (f", and {LEAST_OF_A_CLASS} of each class" if counts else "")
        passed = rows >= LEAST_ROWS and all(count >= LEAST_OF_A_CLASS for count in counts.values())
        return passed, float(rows), float(LEAST_ROWS), f"{rows} labelled rows{_by_class(counts)} must be {rule}"

    def floor(self) -> Verdict:
        """The metric itself must not be worse than the floor."""
        value, floor = self._measure(self.holdout.candidate), self.gates.floor
        most = "at least" if self.metric.goal == "maximize" else "at most"
        detail = f"{self.metric.name} {value:.4f} must be {most} {floor:g}"
        return self.metric.gain(value, floor) >= 0, value, floor, detail

    def champion(self) -> Verdict:
        """The gain over the champion."""
        if self.holdout.champion is None:
            return True, None, None, BOOTSTRAP_RULE
        return self._better("champion", self.holdout.champion, margin=0.0 - self.gates.champion_margin)

    def baseline(self) -> Verdict:
        """The gain over the baseline."""
        return self._better("baseline", self.holdout.baseline, margin=self.gates.baseline_margin)

    def _better(self, name: str, reference: Answers, *, margin: float) -> Verdict:
        """The lower end of the paired interval of the gain must lie above `margin`."""
        ours, theirs, gates = self._measure(self.holdout.candidate), self._measure(reference), self.gates
        interval = paired_gain(
            self.problem,
            self.metric.name,
            self.holdout.labels,
            self.holdout.candidate,
            reference,
            resamples=gates.resamples,
            confidence=gates.confidence,
            seed=self.seed,
        )
        detail = (
            f"{self.metric.name} {ours:.4f} against the {name}'s {theirs:.4f} is a gain of {interval.value:+.4f}, with "
            f"the {gates.confidence:.0%} interval [{interval.low:+.4f}, {interval.high:+.4f}] of {gates.resamples} "
            f"paired resamples; its lower end must lie above {margin:+.4f}"
        )
        return interval.low > margin, interval.low, margin, detail

    def slice(self, part: Slice) -> Verdict:
        """The value of a column with the smallest gain over the reference: it must not fall below -margin."""
        column = self.holdout.columns[part.by]
        values, sizes = np.unique(column, return_counts=True)
        judged = [value for value, size in zip(values, sizes, strict=True) if size >= part.min_rows]
        if not judged:
            raise InvalidInput(f"no value of {part.by} has {part.min_rows} rows")
        candidate, champion = self.holdout.candidate, self.holdout.champion
        overall = self._measure(candidate) if champion is None else np.nan
        found: dict[str, tuple[float, float]] = {}
        for value in judged:
            rows, where = column == value, f" for {part.by} {short(str(value))}"
            ours = self._measure(candidate, rows, where)
            found[str(value)] = ours, overall if champion is None else self._measure(champion, rows, where)
        gains = {value: self.metric.gain(*pair) for value, pair in found.items()}
        worst = min(gains, key=gains.__getitem__)
        whose = "the version's own overall value" if champion is None else "the champion's on the same rows,"
        ours, theirs = found[worst]
        detail = (
            f"worst is {part.by} {short(worst)}: {self.metric.name} {ours:.4f} against {whose} {theirs:.4f} is a gain "
            f"of {gains[worst]:+.4f}, which must be at least {-part.margin:+.4f}; {len(judged)} values with "
            f"{part.min_rows} rows or more, {len(values) - len(judged)} smaller ones not judged"
        )
        return gains[worst] >= -part.margin, gains[worst], -part.margin, detail

    def latency(self) -> Verdict:
        """The p99 of single answers, neighbours on the machine taken out."""
        timing, most = self.holdout.timing, self.gates.latency_p99_ms
        return timing.p99_ms <= most, timing.p99_ms, most, f"{timing.words()} must be at most {most:g} ms"

    def _measure(self, answers: Answers, rows: NDArray[np.bool_] | None = None, where: str = "") -> float:
        """The metric of all rows or some. Raises InvalidInput where it is not defined."""
        labels, classes = self.holdout.labels, self.holdout.classes
        self.problem.check_answers(answers, rows=len(labels), classes=classes)
        some = np.ones(len(labels), bool) if rows is None else rows
        value = self.problem.measure(self.metric.name, labels[some], answers[some])(None)
        if not np.isfinite(value):
            counts = _by_class(self.problem.counts(labels[some], classes))
            raise InvalidInput(f"{self.metric.name} is not defined{where} on {some.sum()} rows{counts}")
        return value


def _by_class(counts: Mapping[str, int]) -> str:
    """How many rows the rarest classes have, in brackets."""
    rarest = sorted(counts.items(), key=lambda item: item[1])[:SHOWN]
    more = ", ..." if len(counts) > SHOWN else ""
    return " (" + ", ".join(f"{count} {short(name)}" for name, count in rarest) + f"{more})" if counts else ""
