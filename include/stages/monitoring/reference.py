"""What is ordinary for a version: learnt from the rows that it was trained and judged on, before it is watched."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl

from include.foundation.errors import InvalidInput
from include.foundation.lake.layout import DAY
from include.foundation.problem.protocol import Answers, Measure, Problem
from include.foundation.spec.monitoring import Monitoring
from include.stages.monitoring.profile import Limit

LEAST_WINDOWS = 3  # fewer say nothing of how much windows differ
RESAMPLES = 50
VALUES = 8_000_000  # of features that are in memory at once; a column is not divided


@dataclass(frozen=True, kw_only=True)
class Reference:
    """What is ordinary for a version.

    Attributes:
        until: last day of its training, the holdout included.
        features: column -> how its values were distributed, and how far windows differed.
        answers: the same of its answers.
        metric: the metric's name.
        value: its mean over the windows of the holdout.
        spread: a loss beyond it is not ordinary; above 0, in the metric's unit.
    """

    until: date
    features: Mapping[str, Limit]
    answers: Limit
    metric: str
    value: float
    spread: float

    @classmethod
    def of(
        cls,
        columns: Callable[[Sequence[str]], pl.DataFrame],
        holdout: pl.DataFrame,
        answers: Answers,
        *,
        features: Sequence[str],
        kind: Problem,
        metric: str,
        rules: Monitoring,
    ) -> "Reference":
        """Learn what is ordinary.

        Args:
            columns: gives columns, `event_date` or features, of all rows of the training window, in one order always.
            holdout: rows that the judged model had not seen: `event_date` and an encoded `label`, [n].
            answers: the model's, of these rows.
            features: names of the columns that are watched.
            kind: the problem kind.
            metric: what performance is measured by.
            rules: the spec's section.

        Raises:
            InvalidInput: there are too few windows to tell what is ordinary.
        """
        days = columns([DAY])[DAY]
        parts = windows(days, rules.window_days)
        observed = pl.Series("answers", kind.observed(answers), dtype=pl.Float64)
        judged = holdout.select(DAY, "label").with_columns(place=pl.int_range(pl.len()), answers=observed)
        held = [judged.filter(window) for window in windows(judged[DAY], rules.window_days)]
        for name, found in (("training window", parts), ("holdout", held)):
            if len(found) < LEAST_WINDOWS:
                raise InvalidInput(
                    f"the {name} has {len(found)} windows of {rules.window_days} days; monitoring needs {LEAST_WINDOWS}"
                )
        measures = [kind.measure(metric, each["label"].to_numpy(), answers[each["place"].to_numpy()]) for each in held]
        values = [measure(None) for measure in measures]
        if not np.isfinite(values).all():
            raise InvalidInput(f"{metric} is not defined in a window of the holdout: {values}")
        # A few windows may happen to differ less than chance alone makes them differ.
        chance = max(_sampling_error(measure, each.height) for measure, each in zip(measures, held, strict=True))
        limits = {}
        at_once = max(1, VALUES // len(days))
        for place in range(0, len(features), at_once):
            for column in columns(features[place : place + at_once]):
                inside = [column.filter(window) for window in parts]
                limits[column.name] = Limit.of(column, inside, sigmas=rules.sigmas)
        return cls(
            until=days.max(),  # type: ignore[arg-type]
            features=limits,
            answers=Limit.of(observed, [each["answers"] for each in held], sigmas=rules.sigmas),
            metric=metric,
            value=float(np.mean(values)),
            spread=float(rules.sigmas * max(float(np.std(values, ddof=1)), chance)),
        )


def _sampling_error(measure: Measure, rows: int) -> float:
    """Standard deviation of a metric over bootstrap draws of its rows; draws where it is not defined are left out."""
    rng = np.random.default_rng(0)
    draws = [
        measure(np.bincount(rng.integers(0, rows, rows), minlength=rows).astype(np.float64)) for _ in range(RESAMPLES)
    ]
    return float(np.nanstd(draws))


def windows(days: pl.Series, length: int) -> list[pl.Series]:
    """Which rows, by their days, are of which whole window of so many days: from the last one backwards, told in order.

    A window without rows is left out.
    """
    last, first = days.max(), days.min()
    found = []
    while isinstance(last, date) and isinstance(first, date) and last - timedelta(days=length - 1) >= first:
        begin = last - timedelta(days=length - 1)
        found.append(days.is_between(begin, last))
        last = begin - timedelta(days=1)
    return [each for each in reversed(found) if each.any()]
