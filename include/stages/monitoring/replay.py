"""A past period lived again under one retraining strategy or another: what each would have answered, and how well.

Days pass one window at a time. At each step a strategy sees only labels that had matured and models fitted before, and
may have the champion trained on the newest `training_days`. Fits are shared between strategies: they depend on the day
alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Protocol

import numpy as np
import polars as pl

from include.foundation.lake.layout import DAY
from include.foundation.problem.bootstrap import Interval, paired_gain
from include.foundation.problem.protocol import Answers, Problem, Vector
from include.foundation.spec.monitoring import Monitoring
from include.stages.monitoring.observation import Observation, observe
from include.stages.monitoring.policy import decide
from include.stages.monitoring.reference import Reference

RESAMPLES = 200
Fit = Callable[[pl.DataFrame], Callable[[pl.DataFrame], Answers]]


@dataclass(frozen=True, kw_only=True)
class Past:
    """What happened.

    Attributes:
        rows: `event_date`, the features and an encoded `label` of a day later at most, ordered by day; [n].
        features: names of the columns that are watched.
        fit: fits a model on rows, and gives the function that answers for others.
        kind: the problem kind.
        metric: what all is measured by.
        rules: the use case's monitoring.
        start: the first champion is trained on the days before it, and answers from it on.
        training_days: what a training learns from.
        seed: of the bootstrap.
    """

    rows: pl.DataFrame
    features: Sequence[str]
    fit: Fit
    kind: Problem
    metric: str
    rules: Monitoring
    start: date
    training_days: int
    seed: int = 0
    _answers: dict[date, Answers] = field(default_factory=dict, repr=False)
    _references: dict[date, Reference] = field(default_factory=dict, repr=False)

    @property
    def steps(self) -> list[date]:
        """The days on which a strategy is asked."""
        found, day, last = [], self.start + self._step, self.rows[DAY].max()
        while isinstance(last, date) and day <= last:
            found.append(day)
            day += self._step
        return found

    @property
    def _step(self) -> timedelta:
        return timedelta(days=self.rules.window_days)

    def place(self, day: date) -> int:
        """How many rows are of days before `day`."""
        return int(self.rows[DAY].search_sorted(day))

    def labels(self, begin: date, end: date) -> Vector:
        """The labels from `begin` to before `end`."""
        return self.rows["label"][self.place(begin) : self.place(end)].cast(pl.Float64).to_numpy()

    def answers(self, trained: date, begin: date, end: date) -> Answers:
        """Answers for the days from `begin` to before `end`, of the model that was trained on the day `trained`."""
        if trained not in self._answers:
            first = self.place(trained - timedelta(days=self.training_days))
            answer = self.fit(self.rows[first : self.place(trained)])
            self._answers[trained] = np.asarray(answer(self.rows[self.place(trained) :]))
        skipped = self.place(trained)
        return self._answers[trained][self.place(begin) - skipped : self.place(end) - skipped]

    def reference(self, trained: date) -> Reference:
        """What is ordinary for that model: its answers are those of a model that had not seen the newest days."""
        if trained not in self._references:
            held = trained - timedelta(days=self.rules.compare_days)
            rows = self.rows[self.place(held - timedelta(days=self.training_days)) : self.place(trained)]
            self._references[trained] = Reference.of(
                rows.select,
                self.rows[self.place(held) : self.place(trained)],
                self.answers(held, held, trained),
                features=self.features,
                kind=self.kind,
                metric=self.metric,
                rules=self.rules,
            )
        return self._references[trained]

    def observe(self, trained: date, today: date) -> Observation:
        """The window before `today`, as the monitor of that model saw it."""
        begin = today - self._step
        rows = self.rows[self.place(begin) : self.place(today)]
        answers = self.answers(trained, begin, today)
        return observe(self.reference(trained), rows, answers, kind=self.kind, rules=self.rules)

    def challenge(self, trained: date, today: date) -> Interval:
        """What a model that was trained before the newest days gains on them over the champion.

        It could be told from the champion only where it is younger; a champion may not be judged on its own rows.
        """
        begin = max(today - timedelta(days=self.rules.compare_days), trained)
        return paired_gain(
            self.kind,
            self.metric,
            self.labels(begin, today),
            self.answers(begin, begin, today),
            self.answers(trained, begin, today),
            resamples=RESAMPLES,
            confidence=self.rules.retraining.confidence,
            seed=self.seed,
            groups=self.rows[DAY][self.place(begin) : self.place(today)].to_numpy(),
        )


class Strategy(Protocol):
    """When to train again."""

    @property
    def name(self) -> str:
        """For the table."""

    def wants(self, past: Past, today: date, trained: Sequence[date], seen: Sequence[Observation]) -> bool:
        """Whether to train today; `trained` are the days of all trainings, `seen` the champion's observations."""


@dataclass(frozen=True)
class Every:
    """Train by the calendar; None: never."""

    name: str
    days: int | None = None

    def wants(self, past: Past, today: date, trained: Sequence[date], seen: Sequence[Observation]) -> bool:  # noqa: ARG002
        """See `Strategy`."""
        return self.days is not None and (today - trained[-1]).days >= self.days


@dataclass(frozen=True)
class OnSignal:
    """Train whenever one detector says so."""

    signal: str

    @property
    def name(self) -> str:
        """See `Strategy`."""
        return f"on {self.signal}"

    def wants(self, past: Past, today: date, trained: Sequence[date], seen: Sequence[Observation]) -> bool:  # noqa: ARG002
        """See `Strategy`."""
        return self.signal in seen[-1].signals


@dataclass(frozen=True)
class ByPolicy:
    """Flightline's: see `policy`."""

    name: str = "policy"

    def wants(self, past: Past, today: date, trained: Sequence[date], seen: Sequence[Observation]) -> bool:
        """See `Strategy`."""
        return decide(
            past.rules.retraining,
            seen,
            today=today,
            trained=trained,
            challenge=lambda: past.challenge(trained[-1], today),
        ).train


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a strategy did.

    Attributes:
        name: the strategy's.
        trained: days of the trainings after the first.
        values: the metric, period by period.
        regret: mean over the periods of what the better of the first model and a fresh one would have gained.
    """

    name: str
    trained: tuple[date, ...]
    values: tuple[float, ...]
    regret: float

    @property
    def mean(self) -> float:
        """Of the values."""
        return float(np.mean(self.values))


def replay(past: Past, strategy: Strategy, periods: Sequence[tuple[date, date]]) -> Outcome:
    """Live the past again.

    Args:
        past: what happened.
        strategy: when to train.
        periods: for the figures; first days and the days after the last ones, from `past.start` on.
    """
    trained: list[date] = [past.start]
    seen: list[Observation] = []
    for today in past.steps:
        seen.append(past.observe(trained[-1], today))
        if strategy.wants(past, today, trained, seen):
            trained.append(today)
            seen = []
    reach = [*trained[1:], date.max]
    answers = [
        past.answers(champion, max(champion, begin), min(left, end))
        for begin, end in periods
        for champion, left in zip(trained, reach, strict=True)
        if champion < end and left > begin
    ]
    whole, values, regret = np.concatenate(answers), [], []
    for begin, end in periods:
        labels = past.labels(begin, end)
        own, whole = whole[: len(labels)], whole[len(labels) :]
        values.append(past.kind.measure(past.metric, labels, own)(None))
        best = [
            past.kind.measure(past.metric, labels, past.answers(champion, begin, end))(None)
            for champion in (past.start, begin)
        ]
        gain = past.kind.kind.metric(past.metric).gain
        regret.append(max(gain(each, values[-1]) for each in best))
    return Outcome(name=strategy.name, trained=tuple(trained[1:]), values=tuple(values), regret=float(np.mean(regret)))
