"""The problem kinds by name: their metrics and their model's output. Imports nothing heavy."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Literal

from include.foundation.errors import InvalidInput


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A measure of answers against labels.

    Attributes:
        name: in specs, MLflow and reports.
        goal: which way is better.
        low: least value that it can have.
        high: greatest value that it can have.
        unit: of its values; empty for a plain number.
    """

    name: str
    goal: Literal["maximize", "minimize"]
    low: float = 0.0
    high: float = inf
    unit: str = ""

    def gain(self, ours: float, theirs: float) -> float:
        """How much better `ours` is than `theirs`: above 0 is better, whichever way the metric goes."""
        return ours - theirs if self.goal == "maximize" else theirs - ours


@dataclass(frozen=True, kw_only=True)
class Output:
    """A model file's only output, float32: [n], or [n, classes] with a column for each class.

    Attributes:
        name: of the ONNX output and of the tensor that serving answers with.
        plural: what answers are called.
        per_class: whether there is a column for each class.
    """

    name: str
    plural: str
    per_class: bool = False


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A problem kind.

    Attributes:
        name: in specs.
        asks: what a model of this kind answers, in words.
        metrics: what can be tuned for and judged by; the first is what a spec gets that names none.
        output: of its model files.
    """

    name: str
    asks: str
    metrics: tuple[Metric, ...]
    output: Output

    def metric(self, name: str | None = None) -> Metric:
        """The metric of that name; the kind's first without a name.

        Raises:
            InvalidInput: the kind has no such metric.
        """
        for metric in self.metrics:
            if name in (None, metric.name):
                return metric
        known = ", ".join(metric.name for metric in self.metrics)
        raise InvalidInput(f"a {self.name} problem has no metric {name!r}; it has {known}")


_TARGETS = "the target's unit"
KINDS: Mapping[str, Kind] = {
    each.name: each
    for each in (
        Kind(
            name="binary",
            asks="how probable is it?",
            metrics=(
                Metric(name="auc", goal="maximize", high=1.0),
                Metric(name="log_loss", goal="minimize", unit="nats"),
                Metric(name="brier", goal="minimize", high=1.0),
            ),
            output=Output(name="probability", plural="Probabilities"),
        ),
        Kind(
            name="multiclass",
            asks="which of several classes is it?",
            metrics=(
                Metric(name="log_loss", goal="minimize", unit="nats"),
                Metric(name="accuracy", goal="maximize", high=1.0),
                Metric(name="balanced_accuracy", goal="maximize", high=1.0),
            ),
            output=Output(name="probabilities", plural="Probabilities of the classes", per_class=True),
        ),
        Kind(
            name="regression",
            asks="how much is it?",
            metrics=(
                Metric(name="rmse", goal="minimize", unit=_TARGETS),
                Metric(name="mae", goal="minimize", unit=_TARGETS),
                Metric(name="r2", goal="maximize", low=-inf, high=1.0),
            ),
            output=Output(name="value", plural="Values"),
        ),
    )
}


def kind(name: str) -> Kind:
    """The kind of that name.

    Raises:
        InvalidInput: there is none.
    """
    if name not in KINDS:
        raise InvalidInput(f"there is no problem kind {name!r}; there are {', '.join(KINDS)}")
    return KINDS[name]
