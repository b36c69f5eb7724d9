"""LightGBM's objectives of each problem kind: those that the ONNX exporter knows. The first is what a kind gets."""

from collections.abc import Mapping
from typing import Any

from include.foundation.errors import InvalidInput

OBJECTIVES: Mapping[str, tuple[str, ...]] = {
    "binary": ("binary",),
    "multiclass": ("multiclass",),
    "regression": ("regression", "regression_l1", "huber", "quantile", "poisson", "gamma", "tweedie"),
}
EARLY_STOPPING = {"binary": "auc", "multiclass": "multi_logloss", "regression": "rmse"}


def goal(problem: str, objective: str | None, *, classes: int) -> dict[str, Any]:
    """What LightGBM minimises, and by what it stops early; None is the kind's first objective.

    Raises:
        InvalidInput: the kind has no such objective, or none at all.
    """
    known = OBJECTIVES.get(problem, ())
    if not known or objective not in (None, *known):
        raise InvalidInput(f"boosted trees have no objective {objective!r} for a {problem} problem: {', '.join(known)}")
    if objective not in (None, known[0]):
        return {"objective": objective}  # LightGBM has a metric of its own for each
    settings = {"objective": known[0], "metric": EARLY_STOPPING[problem]}
    return settings | ({"num_class": classes} if problem == "multiclass" else {})
