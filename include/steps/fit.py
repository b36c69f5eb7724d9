"""Refit the best parameters, store the model file that ships and write its evidence to the MLflow run."""

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, replace
from types import ModuleType
from typing import Any

import numpy as np

from include.foundation.artifact import store
from include.foundation.errors import InvalidInput
from include.foundation.evidence import code
from include.foundation.evidence.manifest import RunManifest
from include.foundation.progress import reporting
from include.foundation.spec import UseCase, blame, module
from include.stages.registry import champion, description, mlmodel
from include.stages.registry.versions import DIGEST, FORM, URI
from include.stages.training import runs
from include.stages.training.curves import page
from include.stages.training.fitting import Fitted, contest, fit_final
from include.stages.training.progress import Checkpointed
from include.stages.training.runs import Training
from include.stages.tuning.experiment import best
from include.steps.ship import ship
from include.steps.trial import log_lost

log = logging.getLogger(__name__)
MODEL = "model"  # the module without challengers; and where there are some, the parameter that names the best
EXAMPLES = 3  # rows that MLflow shows as the model's input


def fit(training: Training) -> Fitted:
    """Refit the best parameters, choose the form that ships, store it and write all evidence to the MLflow run.

    A run that was fitted keeps its evidence, for a version may stand on it: fitting it again only shows that the same
    file results.

    Raises:
        MissingInput: no trial has succeeded.
        ExportDiffersError: the model file answers differently from the model.
        InvalidInput: the checkout is dirty and may not be, or the run was fitted to another file before.
    """
    frozen, client, run_id = training.frozen, training.client, training.run_id
    log_lost(training)
    assignments, value = best(training.connection, training.tag(runs.TUNING, "prepare the run first"))
    state = code.running(allow_dirty=training.settings.allow_dirty)
    parent = champion(client, frozen.use_case)
    machine, key = training.settings.machine, frozen.key
    progress = Checkpointed(
        training.lake.objects(),
        f"{training.lake.models.rstrip('/')}/_checkpoints/{key}/",
        lambda number, measured: _log_epoch(training, number, measured),
    )
    with reporting(progress):
        name, part, params = _best(training, {**frozen.fixed, **assignments}, value)
        with blame(part):
            fitted = fit_final(part, training.data, frozen, training.problem, params=params, machine=machine)
    if training.spec.training.models:
        fitted = replace(fitted, params={MODEL: name, **fitted.params})
    shipped = ship(training, fitted)
    fitted = shipped.fitted
    if before := client.get_run(run_id).data.tags.get(DIGEST):
        if before != fitted.digest:
            raise InvalidInput(
                f"MLflow run {run_id} has model {before}, the fit now gives {fitted.digest}: what its version was made "
                "from stays. Raise `rerun` in the form to train once more"
            )
        return fitted
    data = training.data
    uri = store.put(training.lake.objects(), training.lake.models, frozen.use_case, fitted.data)
    manifest = RunManifest(
        use_case=frozen.use_case,
        spec_digest=frozen.spec_digest,
        snapshots={training.spec.gold: str(frozen.snapshot_id)},
        window=frozen.window,
        commit=state.commit,
        dirty=state.dirty,
        image=training.settings.image,
        serving_image=frozen.serving_image,
        feature_code=code.feature_code(frozen.use_case),
        run_id=run_id,
        seed=frozen.seed,
        parameters=fitted.params,
        parent_version=parent.version if parent else None,
        metrics=fitted.metrics,
        artifacts={"model.onnx": fitted.digest},
        sample=data.sampled,
    )
    plots = training.problem.plots(data.holdout.labels, fitted.answers, data.classes)
    plots = [*plots, *shipped.plots]
    title = f"{training.spec.title}: holdout {frozen.window.holdout_start} to {frozen.window.end}"
    example = training.part.encode(data.holdout.head(EXAMPLES), fitted.metadata.categories)
    files = {
        "model.onnx": fitted.data,
        "manifest.json": manifest.json_text().encode(),
        "features.json": _json(fitted.metadata.features),
        "importance.json": _json(fitted.importance),
        "curves.json": _json([asdict(plot) for plot in plots]),
        "curves.html": page(title, plots, fitted.importance).encode(),
        "forms.csv": shipped.table,
        **mlmodel.files(fitted.metadata, run_id=run_id, example=example.tolist()),
    }
    measured = {f"holdout_{name}": value for name, value in fitted.metrics.items()}
    # Parameters first, for MLflow refuses to change them; the digest last, for it says that all is there.
    runs.log(client, run_id, params=fitted.params, metrics={**measured, "onnx_deviation": fitted.deviation})
    runs.log_files(client, run_id, "model", files)
    tags = {DIGEST: fitted.digest, URI: uri, FORM: shipped.form, "mlflow.source.git.commit": state.commit}
    runs.log(client, run_id, tags={**tags, **description.tags(manifest), **manifest.tags()})
    client.set_terminated(run_id)
    progress.clear()
    return fitted


def fitted_by(spec: UseCase, parameters: Mapping[str, Any]) -> tuple[ModuleType, dict[str, Any]]:
    """The module that fitted a version, and what it was given, of the parameters that its manifest tells."""
    own = dict(parameters)
    return module(spec.name, own.pop(MODEL, MODEL) if spec.training.models else MODEL), own


def _best(training: Training, tuned: Mapping[str, Any], value: float) -> tuple[str, ModuleType, Mapping[str, Any]]:
    """The model that is best on validation, its module and parameters: of `model.py` the best trial counts."""
    spec, metric = training.spec, training.spec.metric
    parts = {each.name: (module(spec.name, each.name), each.fixed) for each in spec.training.models}
    few = training.data.validation.head(EXAMPLES)
    for name, (part, _) in parts.items():
        if not np.array_equal(part.encode(few, {}), training.part.encode(few, {}), equal_nan=True):
            raise InvalidInput(f"{spec.name}/{name}.py: encode must be that of model.py, by which serving encodes")
    found = contest(
        parts, training.data, training.problem, machine=training.settings.machine, seed=training.frozen.seed
    )
    values = {MODEL: value, **{name: metrics[metric.name] for name, metrics in found.items()}}
    if not parts:
        return MODEL, training.part, tuned
    runs.log(
        training.client,
        training.run_id,
        metrics={f"validation_{metric.name}_{name}": value for name, value in values.items()},
    )
    winner = max(values, key=lambda name: metric.gain(values[name], value))
    log.info("best on validation is %s: %s", winner, values)
    return (winner, *parts.get(winner, (training.part, tuned)))


def _log_epoch(training: Training, number: int, measured: Mapping[str, float]) -> None:
    """Rows to stop by: what is settled on the trials' rows; none: the final fit."""
    which = "settling" if "valid_loss" in measured else "fit"
    metrics = {f"{which}_{name}": value for name, value in measured.items()}
    runs.log(training.client, training.run_id, metrics=metrics, step=number)


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False).encode()
