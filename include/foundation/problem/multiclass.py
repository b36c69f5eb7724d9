"""Multiclass: which of several classes is it? Labels are places in `classes`, answers a probability for each class."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from include.foundation.errors import InvalidInput
from include.foundation.problem.binary import probability
from include.foundation.problem.kinds import KINDS
from include.foundation.problem.labels import refuse, short
from include.foundation.problem.plots import Chart, Plot, Table
from include.foundation.problem.protocol import Answers, Measure, Vector, mean_of, shrunken_means

if TYPE_CHECKING:
    import polars as pl

NAME = "probabilities"
MOST = 100  # classes: an answer names each of them
RULE = "labels of a multiclass problem are texts that are not empty, or whole numbers"
CLOSE_TO_ONE = 1e-3  # sum of served probabilities, float32


class Multiclass:
    """The kind `multiclass`."""

    kind = KINDS["multiclass"]
    buckets = tuple(step / 20 for step in range(1, 21))

    def check_labels(self, labels: "pl.Series", ids: "pl.Series") -> None:
        """See `Problem`."""
        import polars as pl

        if labels.dtype in (pl.String, pl.Categorical, pl.Enum):
            refuse(labels, ids, labels.cast(pl.String).str.strip_chars().str.len_chars() == 0, RULE)
        elif not (labels.dtype.is_integer() or labels.dtype in (pl.Boolean, pl.Null)):
            refuse(labels, ids, labels.is_not_null(), f"{RULE}, not {labels.dtype}")
        if (found := labels.drop_nulls().n_unique()) > MOST:
            raise InvalidInput(
                f"labels have {found} classes, {MOST} at most: {short(labels.drop_nulls()[0])}, ...; for quantities "
                "the spec says `problem: regression`"
            )

    def classes(self, labels: "pl.Series") -> tuple[str, ...]:
        """See `Problem`."""
        import polars as pl

        return tuple(labels.drop_nulls().unique().sort().cast(pl.String).to_list())

    def encode(self, labels: "pl.Series", classes: Sequence[str]) -> "pl.Series":
        """See `Problem`."""
        import polars as pl

        return labels.cast(pl.String).cast(pl.Enum(list(classes))).to_physical().cast(pl.Int32)

    def counts(self, labels: Vector, classes: Sequence[str]) -> dict[str, int]:
        """See `Problem`."""
        return {name: int((labels == place).sum()) for place, name in enumerate(classes)}

    def check_answers(self, answers: Answers, *, rows: int, classes: Sequence[str]) -> None:
        """See `Problem`."""
        if answers.shape != (rows, len(classes)) or not np.isfinite(answers).all():
            raise InvalidInput(
                f"there is not one finite probability for each of {rows} rows and {len(classes)} classes: "
                f"{answers.shape}"
            )

    def measure(self, metric: str, labels: Vector, answers: Answers) -> Measure:
        """See `Problem`."""
        name = self.kind.metric(metric).name
        if not np.isfinite(answers).all() or not np.isfinite(labels).all():
            return lambda _: float("nan")
        label = np.asarray(labels, np.intp)
        if name == "log_loss":
            own = np.asarray(answers, np.float64)[np.arange(len(label)), label]
            return mean_of(-np.log(np.clip(own, 1e-15, 1.0)))
        right = (answers.argmax(axis=1) == label).astype(np.float64)
        if name == "accuracy":
            return mean_of(right)
        rows = [label == place for place in np.unique(label)]

        def balanced(weights: Vector | None) -> float:
            """The mean of the classes' accuracies; of those that the weights leave rows to."""
            weight = np.ones(len(label)) if weights is None else weights
            each = [(weight * right)[of].sum() / total for of in rows if (total := weight[of].sum()) > 0]
            return float(np.mean(each)) if each else float("nan")

        return balanced

    def baseline(self, train: "pl.DataFrame", frame: "pl.DataFrame", by: Sequence[str]) -> Vector:
        """See `Problem`."""
        import polars as pl

        places = range(int(train["label"].max()) + 1)  # type: ignore[arg-type]
        return shrunken_means(train, frame, by, {f"rate_{place}": pl.col("label") == place for place in places})

    def scale(self, answers: Answers) -> float:  # noqa: ARG002
        """See `Problem`."""
        return 1.0

    def plots(self, labels: Vector, answers: Answers, classes: Sequence[str]) -> list[Plot]:
        """Confusion matrix, precision and recall of each class, and calibration of the greatest probability."""
        said, k = answers.argmax(axis=1), len(classes)
        seen = np.zeros((k, k), int)
        np.add.at(seen, (np.asarray(labels, np.intp), said), 1)
        hits, rows, calls = np.diag(seen), seen.sum(axis=1), seen.sum(axis=0)
        top = answers.max(axis=1)
        right = said == labels
        bins = [part for part in np.array_split(np.argsort(top, kind="stable"), 10) if len(part)]
        return [
            Table(
                title="Confusion matrix",
                note=f"accuracy {right.mean():.4f}; a row is what was, a column what was answered, in rows",
                columns=("class", *classes),
                rows=[(name, seen[place].tolist()) for place, name in enumerate(classes)],
                shares=True,
            ),
            Table(
                title="Classes",
                columns=("class", "precision", "recall", "rows"),
                rows=[
                    (name, [_share(hits[n], calls[n]), _share(hits[n], rows[n]), int(rows[n])])
                    for n, name in enumerate(classes)
                ],
            ),
            Chart(
                title="Calibration",
                note="ten bins of equally many rows; on the diagonal, probabilities are true rates",
                x="mean probability of the answered class",
                y="share answered rightly",
                series={"": [(float(top[part].mean()), float(right[part].mean())) for part in bins]},
                diagonal=True,
            ),
        ]

    def fields(self, answers: Answers, classes: Sequence[str]) -> list[dict[str, Any]]:
        """See `Problem`."""
        return [
            {"class": classes[top], NAME: dict(zip(classes, answer, strict=True))}
            for answer, top in zip(answers, answers.argmax(axis=1).tolist(), strict=True)
        ]

    def numbers(self, fields: Mapping[str, Any]) -> dict[str, float]:
        """See `Problem`."""
        found = fields.get(NAME)
        if not isinstance(found, Mapping) or not found:
            raise InvalidInput(f"no {NAME}")
        values = {f"probability of {name}": probability(value, f"{NAME}: {name}") for name, value in found.items()}
        if abs(sum(values.values()) - 1) > CLOSE_TO_ONE or fields.get("class") != max(found, key=found.__getitem__):
            raise InvalidInput(f"class {short(fields.get('class'))} with {NAME} {short(dict(found))}")
        return values

    def schema(self, classes: Sequence[str]) -> dict[str, Any]:
        """See `Problem`."""
        one = {"type": "number", "minimum": 0, "maximum": 1}
        return {
            "class": {"type": "string", "enum": list(classes)},
            NAME: {"type": "object", "properties": dict.fromkeys(classes, one)},
        }

    def observed(self, answers: Answers) -> list[float]:
        """The greatest probability of each row."""
        values: list[float] = answers.max(axis=1).tolist()
        return values


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole else 0.0
