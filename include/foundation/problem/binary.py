"""Binary: how probable is it? Labels are 0 and 1, answers the probability of 1."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from include.foundation.errors import InvalidInput
from include.foundation.problem.kinds import KINDS
from include.foundation.problem.labels import refuse, short
from include.foundation.problem.plots import Chart, Plot
from include.foundation.problem.protocol import Answers, Measure, Vector, mean_of, shrunken_means
from include.foundation.problem.ranking import Ranking, auc

if TYPE_CHECKING:
    import polars as pl

NAME = "probability"
RULE = "labels of a binary problem are true and false, or 1 and 0; for more classes the spec says `problem: multiclass`"


class Binary:
    """The kind `binary`."""

    kind = KINDS["binary"]
    buckets = tuple(step / 20 for step in range(1, 21))

    def check_labels(self, labels: "pl.Series", ids: "pl.Series") -> None:
        """See `Problem`."""
        import polars as pl

        if labels.dtype in (pl.Boolean, pl.Null):
            return
        known = labels.cast(pl.Float64).is_in([0.0, 1.0]) if labels.dtype.is_numeric() else labels.is_null()
        refuse(labels, ids, ~known, RULE)

    def classes(self, labels: "pl.Series") -> tuple[str, ...]:  # noqa: ARG002
        """See `Problem`."""
        return ()

    def encode(self, labels: "pl.Series", classes: Sequence[str]) -> "pl.Series":  # noqa: ARG002
        """See `Problem`."""
        import polars as pl

        return labels.cast(pl.Int8)

    def counts(self, labels: Vector, classes: Sequence[str]) -> dict[str, int]:  # noqa: ARG002
        """See `Problem`."""
        return {"positive": int((labels == 1).sum()), "negative": int((labels == 0).sum())}

    def check_answers(self, answers: Answers, *, rows: int, classes: Sequence[str]) -> None:  # noqa: ARG002
        """See `Problem`."""
        if answers.shape != (rows,) or not np.isfinite(answers).all():
            raise InvalidInput(f"there is not one finite {NAME} for each of {rows} rows: {answers.shape}")

    def measure(self, metric: str, labels: Vector, answers: Answers) -> Measure:
        """See `Problem`."""
        name = self.kind.metric(metric).name
        label, score = np.asarray(labels, np.float64), np.asarray(answers, np.float64)
        if name == "auc":
            return Ranking.of(label, score).auc if np.isfinite(score).all() else lambda _: float("nan")
        if name == "brier":
            return mean_of((score - label) ** 2)
        score = np.clip(score, 1e-15, 1 - 1e-15)
        return mean_of(-(label * np.log(score) + (1 - label) * np.log1p(-score)))

    def baseline(self, train: "pl.DataFrame", frame: "pl.DataFrame", by: Sequence[str]) -> Vector:
        """See `Problem`."""
        import polars as pl

        return shrunken_means(train, frame, by, {"rate": pl.col("label")})[:, 0]

    def scale(self, answers: Answers) -> float:  # noqa: ARG002
        """See `Problem`."""
        return 1.0

    def plots(self, labels: Vector, answers: Answers, classes: Sequence[str] = (), points: int = 200) -> list[Plot]:  # noqa: ARG002
        """ROC, precision-recall and calibration.

        ROC and precision-recall are taken at about `points` thresholds, calibration in ten bins of equally many rows.
        """
        order = np.argsort(-answers, kind="stable")
        positive = np.cumsum(labels[order] == 1)
        called = np.arange(1, len(answers) + 1)
        ends = np.append(np.flatnonzero(np.diff(answers[order])), len(answers) - 1)  # the last row of each score
        at = ends[np.unique(np.linspace(0, len(ends) - 1, points).astype(int))]
        recall, precision = positive[at] / positive[-1], positive[at] / called[at]
        fallout = (called[at] - positive[at]) / (len(answers) - positive[-1])
        every = np.concatenate(([0.0], positive[ends] / positive[-1]))
        average = float((np.diff(every) * positive[ends] / called[ends]).sum())
        bins = [rows for rows in np.array_split(order[::-1], 10) if len(rows)]
        rate = float((labels == 1).mean())
        return [
            Chart(
                title="ROC",
                note=f"AUC {auc(labels, answers):.4f}; the diagonal is chance, 0.5",
                x="false positive rate",
                y="true positive rate",
                series={"": [(0.0, 0.0), *_points(fallout, recall)]},
                diagonal=True,
            ),
            Chart(
                title="Precision and recall",
                note=f"average precision {average:.4f}; chance is the rate of positives, {rate:.4f}",
                x="recall",
                y="precision",
                series={"model": _points(recall, precision), "chance": [(0.0, rate), (1.0, rate)]},
            ),
            Chart(
                title="Calibration",
                note="ten bins of equally many rows; on the diagonal, probabilities are true rates",
                x="mean probability",
                y="observed rate",
                series={"": [(float(answers[rows].mean()), float((labels[rows] == 1).mean())) for rows in bins]},
                diagonal=True,
            ),
        ]

    def fields(self, answers: Answers, classes: Sequence[str]) -> list[dict[str, Any]]:  # noqa: ARG002
        """See `Problem`."""
        return [{NAME: answer} for answer in answers]

    def numbers(self, fields: Mapping[str, Any]) -> dict[str, float]:
        """See `Problem`."""
        if NAME not in fields:
            raise InvalidInput(f"no {NAME}")
        return {NAME: probability(fields[NAME], NAME)}

    def schema(self, classes: Sequence[str]) -> dict[str, Any]:  # noqa: ARG002
        """See `Problem`."""
        return {NAME: {"type": "number", "minimum": 0, "maximum": 1}}

    def observed(self, answers: Answers) -> list[float]:
        """See `Problem`."""
        values: list[float] = answers.tolist()
        return values


def probability(value: Any, name: str) -> float:
    """A probability of a served answer. Raises InvalidInput if it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise InvalidInput(f"{name} {short(value)}")
    return float(value)


def _points(x: Vector, y: Vector) -> list[tuple[float, float]]:
    return list(zip(x.tolist(), y.tolist(), strict=True))
