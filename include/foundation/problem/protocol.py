"""What every problem kind does: labels, metrics, baseline, plots and the served answer."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from include.foundation.echo import listing
from include.foundation.errors import InvalidInput
from include.foundation.problem.kinds import Kind
from include.foundation.problem.plots import Plot

if TYPE_CHECKING:
    import polars as pl

Vector = NDArray[np.float64]
Answers = NDArray[np.floating[Any]]
Measure = Callable[[Vector | None], float]
PRIOR_ROWS = 100.0  # weight of the overall mean in a baseline's means


class Problem(Protocol):
    """A problem kind.

    Labels are of one type from the dataset on: 0.0 and 1.0 (binary), the place of the class in `classes` (multiclass),
    or the target (regression); [n]. Answers are what a model file gives: [n], or [n, classes] where the kind's output
    has a column for each class. `classes` is empty where the kind's output has none.
    """

    @property
    def kind(self) -> Kind:
        """Name, metrics and output."""

    def check_labels(self, labels: "pl.Series", ids: "pl.Series") -> None:
        """Check labels as the use case gives them, [n], nulls among them.

        Args:
            labels: the labels.
            ids: of their rows, for the message.

        Raises:
            InvalidInput: some cannot be labels of this kind; names examples.
        """

    def classes(self, labels: "pl.Series") -> tuple[str, ...]:
        """The classes that checked labels have, in their order, as texts; none where the kind's output has none."""

    def encode(self, labels: "pl.Series", classes: Sequence[str]) -> "pl.Series":
        """Checked labels as models are fitted on them."""

    def counts(self, labels: Vector, classes: Sequence[str]) -> dict[str, int]:
        """How many encoded labels each class has; empty where labels are no classes."""

    def check_answers(self, answers: Answers, *, rows: int, classes: Sequence[str]) -> None:
        """Check a model's answers.

        Raises:
            InvalidInput: they are not one finite answer for each row.
        """

    def measure(self, metric: str, labels: Vector, answers: Answers) -> Measure:
        """A metric of these rows, as a function of the rows' weights [n]; None weighs all the same.

        Where the metric is not defined (no rows, one class only, answers that are not numbers) it is NaN.

        Raises:
            InvalidInput: the kind has no such metric.
        """

    def baseline(self, train: "pl.DataFrame", frame: "pl.DataFrame", by: Sequence[str]) -> Vector:
        """What a table would say: the mean label of `train` by some columns, as answers for `frame`.

        Means are drawn towards the overall mean as if `PRIOR_ROWS` more rows had shown it.
        """

    def scale(self, answers: Answers) -> float:
        """What differences between answers are measured in: 1 for probabilities, the greatest size for values."""

    def plots(self, labels: Vector, answers: Answers, classes: Sequence[str]) -> list[Plot]:
        """What people look at before they trust a model."""

    def fields(self, answers: Answers, classes: Sequence[str]) -> list[dict[str, Any]]:
        """Answers as serving gives them for records: the JSON fields of each."""

    def numbers(self, fields: Mapping[str, Any]) -> dict[str, float]:
        """The numbers of a served answer, by what they are.

        Raises:
            InvalidInput: it is no answer of this kind.
        """

    def schema(self, classes: Sequence[str]) -> dict[str, Any]:
        """JSON schemas of the fields."""

    def observed(self, answers: Answers) -> list[float]:
        """One number a row for the histogram of answers."""

    @property
    def buckets(self) -> tuple[float, ...]:
        """Of the histogram of answers."""


def shrunken_means(
    train: "pl.DataFrame", frame: "pl.DataFrame", by: Sequence[str], targets: Mapping[str, "pl.Expr"]
) -> Vector:
    """Means of `targets` in `train` by columns, drawn towards the overall means, for rows of `frame`: [n, targets].

    Raises:
        InvalidInput: there is no column of a name in `by`.
    """
    import polars as pl

    if strange := [name for name in by if name not in frame.columns]:
        raise InvalidInput(f"the baseline is by {listing(strange)}, which is no feature (`baseline_by` in model.py)")

    overall = train.select(**{name: target.mean() for name, target in targets.items()}).row(0, named=True)
    if not by:
        return np.tile(np.array(list(overall.values()), np.float64), (frame.height, 1))
    means = train.group_by(by).agg(
        **{
            name: (target.sum() + PRIOR_ROWS * overall[name]) / (pl.len() + PRIOR_ROWS)
            for name, target in targets.items()
        }
    )
    joined = frame.select(by).join(means, on=by, how="left", nulls_equal=True, maintain_order="left")
    return joined.select(pl.col(name).fill_null(overall[name]).cast(pl.Float64) for name in targets).to_numpy()


def mean_of(values: Vector) -> Measure:
    """The (weighted) mean of a value for each row."""

    def measure(weights: Vector | None) -> float:
        if not len(values):
            return float("nan")
        return float(np.mean(values)) if weights is None else float((weights * values).sum() / weights.sum())

    return measure
