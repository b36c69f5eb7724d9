"""Fit and measure. Pure but for the fitting itself: frames and parameters in, numbers and bytes out.

Knows no use case: `part` is a use case's `model` module (docs/ARCHITECTURE.md, "A use case's modules").
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from include.foundation.artifact import Metadata, Scorer, open_model, score
from include.foundation.artifact.writer import seal
from include.foundation.errors import FlightlineError, InvalidInput, PermanentError
from include.foundation.problem.bootstrap import measure
from include.foundation.problem.protocol import Answers, Problem
from include.stages.training.dataset import Dataset
from include.stages.training.frozen import Frozen
from include.stages.training.holdout import Holdout

logger = logging.getLogger(__name__)
TOLERANCE = 1e-5  # of the answers' scale. ONNX sums trees in float32; 200 trees were seen to differ by 5e-7


class DivergedError(FlightlineError):
    """A fit went so wrong that its answers are no numbers; other parameters may do better."""


class ExportDiffersError(PermanentError):
    """The exported model does not answer as the fitted one."""


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """A sealed model and what it showed.

    Attributes:
        data: the model file.
        digest: its SHA-256.
        metadata: what it says about itself.
        params: parameters as fitted, without the machine's.
        importance: feature -> share.
        answers: of the holdout's rows, by the model file, [n] or [n, classes].
        metrics: on the holdout.
        deviation: greatest difference between model file and model on the holdout, in the answers' scale.
    """

    data: bytes
    digest: str
    metadata: Metadata
    params: dict[str, Any]
    importance: dict[str, float]
    answers: Answers
    metrics: dict[str, float]
    deviation: float


def evaluate(
    part: ModuleType,
    dataset: Dataset,
    kind: Problem,
    *,
    params: Mapping[str, Any],
    machine: Mapping[str, Any],
    seed: int,
) -> dict[str, float]:
    """Metrics on the validation rows of a model fitted on the training rows: one trial.

    Raises:
        DivergedError: some of the model's answers are no numbers.
        InvalidInput: the model's answers are not of the problem kind, whatever the parameters.
    """
    model = part.fit(dataset.train, {**params, **machine}, seed, dataset.validation)
    answers = part.predict(model, dataset.validation)
    kind.check_answers(np.nan_to_num(answers), rows=dataset.validation.height, classes=dataset.classes)
    if wrong := answers.size - int(np.isfinite(answers).sum()):
        raise DivergedError(f"{wrong:,} of {answers.size:,} answers are no numbers")
    return measure(kind, dataset.validation["label"].to_numpy(), answers)


def contest(
    parts: Mapping[str, tuple[ModuleType, Mapping[str, Any]]],
    dataset: Dataset,
    kind: Problem,
    *,
    machine: Mapping[str, Any],
    seed: int,
) -> dict[str, dict[str, float]]:
    """Metrics of other models on the validation rows, each with its parameters, as those of trials.

    One whose fit diverged is left out.

    Raises:
        InvalidInput: a model's answers are not of the problem kind.
    """
    found: dict[str, dict[str, float]] = {}
    for name, (part, params) in parts.items():
        try:
            found[name] = evaluate(part, dataset, kind, params=params, machine=machine, seed=seed)
        except DivergedError as error:
            logger.warning("%s is left out: %s", name, error)
            continue
        logger.info("%s: %s", name, ", ".join(f"{key} {value:.4f}" for key, value in found[name].items()))
    return found


def fit_final(
    part: ModuleType,
    dataset: Dataset,
    frozen: Frozen,
    kind: Problem,
    *,
    params: Mapping[str, Any],
    machine: Mapping[str, Any],
) -> Fitted:
    """Refit the best parameters on everything before the holdout, export, seal, check and measure.

    What validation rows decide (how many trees) is settled first, on the rows that the trials saw.

    Args:
        part: the use case's model module.
        dataset: frozen rows.
        frozen: where they come from.
        kind: the problem kind.
        params: the best parameters.
        machine: parameters that say nothing about the model.

    Raises:
        ExportDiffersError: the model file answers differently from the model on the holdout.
        InvalidInput: a metric is not defined on the holdout (its labels are all the same).
    """
    settled = part.fit(dataset.train, {**params, **machine}, frozen.seed, dataset.validation).params
    model = part.fit(dataset.fit, settled, frozen.seed)
    metadata = Metadata(
        use_case=frozen.use_case,
        features=tuple(model.features),
        categories=model.categories,
        created_from={"window": frozen.window.model_dump(mode="json"), "seed": frozen.seed},
        problem=kind.kind.name,
        classes=dataset.classes,
    )
    data = seal(part.export(model), metadata)
    scorer = open_model(data)
    answers = answer(part, scorer, dataset.holdout)
    reference = dataset.holdout.each(lambda rows: part.predict(model, rows))
    deviation = float(np.abs(answers - reference).max()) / kind.scale(reference)
    if not deviation <= TOLERANCE:
        raise ExportDiffersError(f"export and fitted model differ by {deviation:.2e}, allowed {TOLERANCE}")
    metrics = measure(kind, dataset.holdout.labels, answers)
    if undefined := [name for name, value in metrics.items() if not np.isfinite(value)]:
        raise InvalidInput(
            f"{', '.join(undefined)} of the holdout's {len(answers)} rows is not defined: are its labels all the same?"
        )
    return Fitted(
        data=data,
        digest=scorer.digest,
        metadata=metadata,
        params={key: value for key, value in model.params.items() if key not in machine},
        importance=dict(model.importance),
        answers=answers,
        metrics=metrics,
        deviation=deviation,
    )


def answer(part: ModuleType, scorer: Scorer, holdout: Holdout) -> Answers:
    """A model file's answers for the holdout, float64 [n] or [n, classes]. Raises as `score` does."""
    return holdout.each(lambda rows: score(part, scorer, rows).astype(np.float64))
