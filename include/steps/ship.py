"""Choose the form of the fitted model that ships."""

import logging
from dataclasses import dataclass, replace

from include.foundation.artifact import encoded
from include.foundation.problem.bootstrap import measure
from include.foundation.problem.plots import Plot
from include.stages.export import choice, record
from include.stages.export.candidates import FLOAT32, candidates
from include.stages.export.timing import BATCH
from include.stages.training.fitting import Fitted, answer
from include.stages.training.runs import Training

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Shipped:
    """What ships, and why.

    Attributes:
        fitted: with the file that ships, its answers and metrics; `deviation` is of the float32 export.
        form: its name.
        table: every form, as CSV.
        plots: of the forms.
    """

    fitted: Fitted
    form: str
    table: bytes
    plots: list[Plot]


def ship(training: Training, fitted: Fitted) -> Shipped:
    """Make the model's other forms, measure all of them and choose by the spec (`export`).

    The same model ships in the same form when it is fitted again: see `export.record`.

    Raises:
        InvalidInput: the record of an earlier measurement cannot be read.
    """
    data, part, kind, metric = training.data, training.part, training.problem, training.spec.metric
    found = candidates(fitted.data, encoded(part, fitted.metadata, data.fit))
    of = {FLOAT32: fitted}
    for each in found[1:]:
        if each.scorer:
            answers = answer(part, each.scorer, data.holdout)
            metrics = measure(kind, data.holdout.labels, answers)
            of[each.name] = replace(fitted, data=each.data, digest=each.scorer.digest, answers=answers, metrics=metrics)
    files = {name: each.data for name, each in of.items()}
    timed = encoded(part, fitted.metadata, data.holdout.head(BATCH))
    rows = choice.choose(
        found,
        values={name: each.metrics[metric.name] for name, each in of.items()},
        times=record.times(training.lake.objects(), training.lake.models, files, timed),
        metric=metric,
        rule=training.spec.export,
    )
    for row in rows:
        log.info("%s %s: %s", row.name, "ships" if row.ships else "does not ship", row.why)
    form = next(row.name for row in rows if row.ships)
    return Shipped(fitted=of[form], form=form, table=choice.table(rows, metric), plots=choice.plots(rows, metric))
