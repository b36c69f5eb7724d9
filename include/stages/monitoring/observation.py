"""One window of what arrived after a version's training, held against what was ordinary."""

from datetime import date

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict

from include.foundation.errors import MissingInput
from include.foundation.lake.layout import DAY
from include.foundation.problem.protocol import Answers, Problem
from include.foundation.spec.monitoring import SIGNALS, Monitoring
from include.stages.monitoring.reference import Reference
from include.stages.monitoring.skew import Skew


class Observation(BaseModel):
    """What a window showed; JSON-able.

    Attributes:
        start: first day.
        end: last day, inclusive.
        rows: predictions in it.
        labelled: of these, rows whose label has matured.
        value: the metric on them; None where it is not defined, as without labels.
        drifted: features whose distance is beyond their limit, the farthest beyond first.
        answers: distance of the answers' distribution.
        signals: what of `SIGNALS` is not ordinary.
        skew: of what was really answered. It is no drift, and no training mends it, so it is no signal.
    """

    model_config = ConfigDict(frozen=True)

    start: date
    end: date
    rows: int
    labelled: int
    value: float | None
    drifted: tuple[str, ...]
    answers: float
    signals: tuple[str, ...]
    skew: Skew = Skew()


def observe(
    reference: Reference, rows: pl.DataFrame, answers: Answers, *, kind: Problem, rules: Monitoring
) -> Observation:
    """Hold a window against what was ordinary.

    Args:
        reference: of the version that answered.
        rows: `event_date`, the features, and an encoded `label`, null where it has not matured; [n].
        answers: the version's, of these rows.
        kind: the problem kind.
        rules: the spec's section.

    Raises:
        MissingInput: there are no rows: nothing can be said.
    """
    if rows.is_empty():
        raise MissingInput("no predictions in the window: is the endpoint asked, and are its answers logged?")
    beyond = {
        name: distance / limit.limit if limit.limit else float("inf")
        for name, limit in reference.features.items()
        if (distance := limit.profile.distance(rows[name])) > limit.limit
    }
    observed = pl.Series("answers", kind.observed(answers), dtype=pl.Float64)
    far = reference.answers.profile.distance(observed)
    known = rows["label"].is_not_null()
    value = float("nan")
    if known.any():
        labels = rows.filter(known)["label"].cast(pl.Float64).to_numpy()
        value = kind.measure(reference.metric, labels, answers[known.to_numpy()])(None)
    lost = -kind.kind.metric(reference.metric).gain(value, reference.value)
    end: date = rows[DAY].max()  # type: ignore[assignment]
    found = (
        bool(lost > reference.spread),
        len(beyond) >= rules.features_share * len(reference.features) > 0,
        far > reference.answers.limit,
        (end - reference.until).days > rules.max_age_days,
    )
    return Observation(
        start=rows[DAY].min(),
        end=end,
        rows=rows.height,
        labelled=int(known.sum()),
        value=value if np.isfinite(value) else None,
        drifted=tuple(sorted(beyond, key=beyond.__getitem__, reverse=True)),
        answers=far,
        signals=tuple(name for name, shown in zip(SIGNALS, found, strict=True) if shown),
    )
