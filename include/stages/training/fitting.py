"""Fit and measure. Pure but for the fitting itself: frames and parameters in, numbers and bytes out.

Knows no use case: `part` is a use case's `model` module (docs/ARCHITECTURE.md, "A use case's modules").
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from include.foundation.artifact import Metadata, Scorer, open_model
from include.foundation.artifact.writer import seal
from include.foundation.errors import InvalidInput, PermanentError
from include.foundation.evidence.metrics import measure
from include.stages.training.dataset import Dataset
from include.stages.training.frozen import Frozen

TOLERANCE = 1e-5  # ONNX sums trees in float32; 200 trees were seen to differ by 5e-7


class ExportDiffersError(PermanentError):
    """The exported model does not answer as the fitted one."""


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """A sealed model and what it showed.

    Attributes:
        data: the model file.
        digest: its SHA-256.
        features: names in order.
        params: parameters as fitted, without the machine's.
        importance: feature -> share.
        scores: of the holdout's rows, by the model file, [n].
        metrics: on the holdout.
        deviation: greatest difference between model file and model on the holdout.
    """

    data: bytes
    digest: str
    features: tuple[str, ...]
    params: dict[str, Any]
    importance: dict[str, float]
    scores: NDArray[np.float64]
    metrics: dict[str, float]
    deviation: float


def evaluate(
    part: ModuleType, dataset: Dataset, *, params: Mapping[str, Any], machine: Mapping[str, Any], seed: int
) -> dict[str, float]:
    """Metrics on the validation rows of a model fitted on the training rows: one trial."""
    model = part.fit(dataset.train, {**params, **machine}, seed, dataset.validation)
    return measure(dataset.validation["label"].to_numpy(), part.predict(model, dataset.validation))


def fit_final(
    part: ModuleType,
    dataset: Dataset,
    frozen: Frozen,
    *,
    params: Mapping[str, Any],
    machine: Mapping[str, Any],
    run_id: str,
) -> Fitted:
    """Refit the best parameters on everything before the holdout, export, seal, check and measure.

    What validation rows decide (how many trees) is settled first, on the rows that the trials saw.

    Args:
        part: the use case's model module.
        dataset: frozen rows.
        frozen: where they come from.
        params: the best parameters.
        machine: parameters that say nothing about the model.
        run_id: the MLflow run, for the file's metadata.

    Raises:
        ExportDiffersError: the model file answers differently from the model on the holdout.
        InvalidInput: a metric is not defined on the holdout (it has one class only).
    """
    settled = part.fit(dataset.train, {**params, **machine}, frozen.seed, dataset.validation).params
    model = part.fit(dataset.fit, settled, frozen.seed)
    metadata = Metadata(
        use_case=frozen.use_case,
        features=tuple(model.features),
        categories=model.categories,
        run_id=run_id,
        created_from={
            "snapshot_id": frozen.snapshot_id,
            "spec_digest": frozen.spec_digest,
            "window": frozen.window.model_dump(mode="json"),
            "seed": frozen.seed,
        },
    )
    data = seal(part.export(model), metadata)
    scorer = open_model(data)
    scores = score(part, scorer, dataset.holdout)
    deviation = float(np.abs(scores - part.predict(model, dataset.holdout)).max())
    if not deviation <= TOLERANCE:
        raise ExportDiffersError(f"export and fitted model differ by {deviation:.2e}, allowed {TOLERANCE}")
    metrics = measure(dataset.holdout["label"].to_numpy(), scores)
    if undefined := [name for name, value in metrics.items() if not np.isfinite(value)]:
        raise InvalidInput(f"{', '.join(undefined)} of the holdout's {len(scores)} rows is not defined: all one class?")
    return Fitted(
        data=data,
        digest=scorer.digest,
        features=metadata.features,
        params={key: value for key, value in model.params.items() if key not in machine},
        importance=dict(model.importance),
        scores=scores,
        metrics=metrics,
        deviation=deviation,
    )


def score(part: ModuleType, scorer: Scorer, frame: pl.DataFrame) -> NDArray[np.float64]:
    """Answers of a model file, float64 [n]: what serving would say.

    A file of an earlier version may want fewer of the use case's features, or in another order.

    Raises:
        InvalidInput: it wants a feature that is gone.
    """
    wanted, have = scorer.metadata.features, list(part.FEATURES)
    matrix = part.encode(frame, scorer.metadata.categories)
    if list(wanted) != have:
        if gone := set(wanted) - set(have):
            raise InvalidInput(f"the model file wants features that are gone: {', '.join(sorted(gone))}")
        matrix = np.ascontiguousarray(matrix[:, [have.index(name) for name in wanted]])
    return scorer.score(matrix).astype(np.float64)
