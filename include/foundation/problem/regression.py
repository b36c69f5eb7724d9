"""Regression: how much is it? Labels and answers are quantities in the target's unit."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from include.foundation.errors import InvalidInput
from include.foundation.problem.kinds import KINDS
from include.foundation.problem.labels import refuse, short
from include.foundation.problem.plots import Chart, Plot, spread
from include.foundation.problem.protocol import Answers, Measure, Vector, mean_of, shrunken_means

if TYPE_CHECKING:
    import polars as pl

NAME = "value"
RULE = "labels of a regression are finite numbers within float32"
GREATEST = float(np.finfo(np.float32).max)
_STEPS = sorted(step * 10.0**power for power in range(-3, 7) for step in (1, 2, 5))


class Regression:
    """The kind `regression`."""

    kind = KINDS["regression"]
    buckets = (*(-step for step in reversed(_STEPS)), 0.0, *_STEPS)

    def check_labels(self, labels: "pl.Series", ids: "pl.Series") -> None:
        """See `Problem`."""
        import polars as pl

        if labels.dtype == pl.Null:
            return
        if not labels.dtype.is_numeric():
            refuse(labels, ids, labels.is_not_null(), f"{RULE}, not {labels.dtype}")
            return
        values = labels.cast(pl.Float64)
        refuse(labels, ids, ~(values.is_finite() & (values.abs() <= GREATEST)), RULE)

    def classes(self, labels: "pl.Series") -> tuple[str, ...]:  # noqa: ARG002
        """See `Problem`."""
        return ()

    def encode(self, labels: "pl.Series", classes: Sequence[str]) -> "pl.Series":  # noqa: ARG002
        """See `Problem`."""
        import polars as pl

        return labels.cast(pl.Float64)

    def counts(self, labels: Vector, classes: Sequence[str]) -> dict[str, int]:  # noqa: ARG002
        """See `Problem`."""
        return {}

    def check_answers(self, answers: Answers, *, rows: int, classes: Sequence[str]) -> None:  # noqa: ARG002
        """See `Problem`."""
        if answers.shape != (rows,) or not np.isfinite(answers).all():
            raise InvalidInput(f"there is not one finite {NAME} for each of {rows} rows: {answers.shape}")

    def measure(self, metric: str, labels: Vector, answers: Answers) -> Measure:
        """See `Problem`."""
        name = self.kind.metric(metric).name
        label = np.asarray(labels, np.float64)
        error = np.asarray(answers, np.float64) - label
        if name == "mae":
            return mean_of(np.abs(error))
        squares = mean_of(error**2)
        if name == "rmse":
            return lambda weights: math.sqrt(squares(weights))

        def r2(weights: Vector | None) -> float:
            """The share of the labels' variance that is explained; NaN where they have none."""
            variance = mean_of((label - mean_of(label)(weights)) ** 2)(weights)
            return 1 - squares(weights) / variance if variance > 0 else float("nan")

        return r2

    def baseline(self, train: "pl.DataFrame", frame: "pl.DataFrame", by: Sequence[str]) -> Vector:
        """See `Problem`."""
        import polars as pl

        return shrunken_means(train, frame, by, {"mean": pl.col("label")})[:, 0]

    def scale(self, answers: Answers) -> float:
        """See `Problem`."""
        return float(np.abs(answers).max(initial=0.0)) or 1.0

    def plots(self, labels: Vector, answers: Answers, classes: Sequence[str] = (), points: int = 1000) -> list[Plot]:  # noqa: ARG002
        """Answers against labels and errors against answers, at most `points` rows each, and the errors' quantiles."""
        rows = np.linspace(0, len(labels) - 1, min(points, len(labels))).astype(int)
        error = answers - labels
        both = spread(float(min(labels.min(), answers.min())), float(max(labels.max(), answers.max())))
        shares = np.linspace(0, 1, 101)
        sizes = np.quantile(np.abs(error), shares)
        rmse, mae, r2 = (self.measure(metric.name, labels, answers)(None) for metric in self.kind.metrics)
        return [
            Chart(
                title="Predicted against actual",
                note=f"R2 {r2:.4f}; on the diagonal, the answer is right",
                x="actual value",
                y="predicted value",
                series={"": list(zip(labels[rows].tolist(), answers[rows].tolist(), strict=True))},
                lines=False,
                x_range=both,
                y_range=both,
                diagonal=True,
            ),
            Chart(
                title="Residuals",
                note=f"mean {error.mean():.4g}, RMSE {rmse:.4g}",
                x="predicted value",
                y="predicted minus actual",
                series={"": list(zip(answers[rows].tolist(), error[rows].tolist(), strict=True))},
                lines=False,
                x_range=spread(float(answers.min()), float(answers.max())),
                y_range=spread(float(error.min()), float(error.max())),
            ),
            Chart(
                title="Size of errors",
                note=f"MAE {mae:.4g}; half of the errors are smaller than {sizes[50]:.4g}",
                x="share of rows",
                y="absolute error",
                series={"": list(zip(shares.tolist(), sizes.tolist(), strict=True))},
                y_range=spread(0.0, float(sizes[-1])),
            ),
        ]

    def fields(self, answers: Answers, classes: Sequence[str]) -> list[dict[str, Any]]:  # noqa: ARG002
        """See `Problem`."""
        return [{NAME: answer} for answer in answers]

    def numbers(self, fields: Mapping[str, Any]) -> dict[str, float]:
        """See `Problem`."""
        if NAME not in fields:
            raise InvalidInput(f"no {NAME}")
        value = fields[NAME]
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise InvalidInput(f"{NAME} {short(value)}")
        return {NAME: float(value)}

    def schema(self, classes: Sequence[str]) -> dict[str, Any]:  # noqa: ARG002
        """See `Problem`."""
        return {NAME: {"type": "number"}}

    def observed(self, answers: Answers) -> list[float]:
        """See `Problem`."""
        values: list[float] = answers.tolist()
        return values
