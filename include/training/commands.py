"""The steps of a training run, each safe to repeat. The only module of training that knows other stages.

All that a step needs is found from the parent MLflow run: what was frozen, which tuning experiment, which model file.
"""

import json
import logging
import time
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from include.artifact import Scorer, open_model, store
from include.errors import InvalidInput
from include.evidence import code
from include.evidence.manifest import RunManifest
from include.gates import Report, judge
from include.gates.judge import Holdout, Vector
from include.gates.latency import answer_times
from include.lake import Lake
from include.registry import ModelVersion, champion, register, tag
from include.registry.versions import DIGEST, GATE, URI
from include.spec import UseCase, load, module
from include.training import dataset, runs
from include.training.curves import curves, page
from include.training.fitting import Fitted, evaluate, fit_final, score
from include.training.frozen import Frozen, freeze
from include.training.settings import Settings, services
from include.tuning.experiment import best, create_or_rejoin
from include.tuning.loop import Progress, Trial, run_worker

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from sigopt import Connection

log = logging.getLogger(__name__)
ANSWERS = 500


@dataclass(frozen=True, kw_only=True)
class Training:
    """One training run, found by its MLflow run id; what it needs is read when first asked for."""

    run_id: str
    client: "MlflowClient"
    connection: "Connection"
    lake: Lake
    settings: Settings

    @classmethod
    def from_env(cls, run_id: str) -> "Training":
        """The run, with every endpoint as the environment names it (docs/ARCHITECTURE.md)."""
        return cls(run_id=run_id, settings=Settings.from_env(), **services())

    @cached_property
    def frozen(self) -> Frozen:
        """What the run works on."""
        return runs.read_frozen(self.client, self.run_id)

    @cached_property
    def spec(self) -> UseCase:
        """The use case."""
        return load(self.frozen.use_case)

    @cached_property
    def part(self) -> ModuleType:
        """The use case's model module."""
        return module(self.frozen.use_case, "model")

    @cached_property
    def data(self) -> dataset.Dataset:
        """The frozen rows."""
        start = time.monotonic()
        data = dataset.load(self.lake, self.spec, self.frozen)
        sizes = {name: part.height for name, part in vars(data).items()}
        log.info("rows %s of snapshot %s in %.1f s", sizes, self.frozen.snapshot_id, time.monotonic() - start)
        return data

    def tag(self, name: str, remedy: str) -> str:
        """A tag of the MLflow run. Raises InvalidInput with the remedy if it is not there."""
        value = self.client.get_run(self.run_id).data.tags.get(name)
        if not value:
            raise InvalidInput(f"MLflow run {self.run_id} has no tag {name}: {remedy}")
        return value


def prepare(
    use_case: str,
    *,
    client: "MlflowClient",
    connection: "Connection",
    lake: Lake,
    image: str,
    start: date | None = None,
    end: date | None = None,
    trials: int | None = None,
    parallelism: int | None = None,
    seed: int | None = None,
    clears: int = 0,
) -> dict[str, Any]:
    """Freeze the data and open the MLflow run and the tuning experiment, or rejoin those of the same content.

    Args:
        use_case: name.
        client: MLflow.
        connection: the tuning service.
        lake: the lake.
        image: what will train.
        start: first day of the window; None is what the spec says.
        end: last day of the window; None is gold's newest.
        trials: tuning budget; None is the spec's.
        parallelism: workers; None is the spec's.
        seed: of every random choice; None is the spec's.
        clears: raise it to start afresh on the same data.

    Returns:
        `run_id`, `experiment_id`, `key` and `frozen`, as plain JSON values.
    """
    spec = load(use_case)
    frozen = freeze(lake, spec, image=image, start=start, end=end, trials=trials, seed=seed, clears=clears)
    run_id = runs.open_run(client, frozen, spec)
    plan = {"trials": frozen.trials, "seed": frozen.seed, "parallelism": parallelism or spec.training.parallelism}
    experiment_id = create_or_rejoin(
        connection,
        name=f"{use_case} {frozen.window.end} {frozen.key[:8]}",
        spec=spec.training.model_copy(update=plan),
        metadata={"flightline_key": frozen.key, "mlflow_run": run_id},
    )
    runs.log(client, run_id, tags={runs.TUNING: experiment_id})
    return {
        "run_id": run_id,
        "experiment_id": experiment_id,
        "key": frozen.key,
        "frozen": frozen.model_dump(mode="json"),
    }


def trial(training: Training, worker: str | None = None) -> int:
    """Be a tuning worker until the budget is spent. Returns how many trials this process finished.

    Every trial becomes a nested MLflow run and a line in the log.
    """
    frozen, metric = training.frozen, training.spec.training.metric
    experiment_id = training.tag(runs.TUNING, "prepare the run first")
    worker = worker or training.settings.worker
    code.running(allow_dirty=training.settings.allow_dirty)  # else the fit would refuse, after all trials
    data, part = training.data, training.part  # before the first suggestion: a failure here costs no trial
    measured: dict[str, float] = {}

    def evaluated(assignments: dict[str, Any], progress: Progress) -> float:
        shown = {key: f"{value:.4g}" if isinstance(value, float) else value for key, value in assignments.items()}
        log.info("trial %d/%d starts: %s", progress.trial, progress.budget, shown)
        measured.clear()
        params = {**frozen.fixed, **assignments}
        measured.update(evaluate(part, data, params=params, machine=training.settings.machine, seed=frozen.seed))
        return measured[metric]

    def told(trial: Trial) -> None:
        name = f"{trial.progress.trial}/{trial.progress.budget}"
        runs.log_trial(
            training.client,
            training.run_id,
            name=f"trial {name}",
            params=trial.assignments,
            metrics={} if trial.failure else measured,
            started=trial.started,
            worker=worker,
            failure=trial.failure,
        )
        if trial.failure:
            log.warning("trial %s failed after %.1f s: %s", name, trial.seconds, trial.failure)
            return
        value, ahead = trial.values[metric], best(training.connection, experiment_id)[1]
        training.client.log_metric(training.run_id, f"trial_{metric}", value, step=trial.progress.trial)
        log.info("trial %s %s %.4f best %.4f %.1f s", name, metric, value, ahead, trial.seconds)

    return run_worker(training.connection, experiment_id, worker=worker, evaluate=evaluated, on_trial=told)


def fit(training: Training) -> Fitted:
    """Refit the best parameters, store the model file and write all evidence to the MLflow run.

    Raises:
        MissingInput: no trial has succeeded.
        ExportDiffersError: the model file answers differently from the model.
        InvalidInput: the checkout is dirty and may not be.
    """
    frozen, client, run_id = training.frozen, training.client, training.run_id
    assignments, _ = best(training.connection, training.tag(runs.TUNING, "prepare the run first"))
    state = code.running(allow_dirty=training.settings.allow_dirty)
    parent = champion(client, frozen.use_case)
    fitted = fit_final(
        training.part,
        training.data,
        frozen,
        params={**frozen.fixed, **assignments},
        machine=training.settings.machine,
        run_id=run_id,
    )
    uri = store.put(training.lake.objects(), training.lake.models, frozen.use_case, fitted.data)
    manifest = RunManifest(
        use_case=frozen.use_case,
        spec_digest=frozen.spec_digest,
        snapshots={training.spec.gold: frozen.snapshot_id},
        window=frozen.window,
        commit=state.commit,
        dirty=state.dirty,
        image=training.settings.image,
        run_id=run_id,
        seed=frozen.seed,
        parameters=fitted.params,
        parent_version=parent.version if parent else None,
        metrics=fitted.metrics,
        artifacts={"model.onnx": fitted.digest},
    )
    charts = curves(training.data.holdout["label"].to_numpy(), fitted.scores)
    title = f"{training.spec.title}: holdout {frozen.window.holdout_start} to {frozen.window.end}"
    files = {
        "model.onnx": fitted.data,
        "manifest.json": manifest.json_text().encode(),
        "features.json": _json(fitted.features),
        "importance.json": _json(fitted.importance),
        "curves.json": _json(charts),
        "curves.html": page(title, charts, fitted.importance).encode(),
    }
    runs.log_files(client, run_id, "model", files)
    runs.log(
        client,
        run_id,
        params=fitted.params,
        metrics={
            **{f"holdout_{name}": value for name, value in fitted.metrics.items()},
            "onnx_deviation": fitted.deviation,
        },
        tags={DIGEST: fitted.digest, URI: uri, "mlflow.source.git.commit": state.commit, **manifest.tags()},
    )
    client.set_terminated(run_id)
    return fitted


def registered(training: Training) -> ModelVersion:
    """Register what `fit` made; the same version again if it is registered."""
    training.tag(DIGEST, "run fit first")
    spec = training.spec
    return register(training.client, spec.name, run_id=training.run_id, description=spec.description)


def gate(training: Training, version: str | None) -> Report:
    """Judge the run's model file on the frozen holdout, write the report to the run and the verdict to run and version.

    Args:
        training: the run.
        version: the registered version to tag; None tags the run only.

    Raises:
        DigestMismatch: stored bytes are not those of the run or of the champion.
    """
    client, spec, rows = training.client, training.spec, training.data.holdout
    scorer = _open(training, training.tag(URI, "run fit first"), training.tag(DIGEST, "run fit first"))
    reference = champion(client, spec.name)
    if reference and reference.version == version:
        reference = None  # judged once more, the champion is no rival of its own
    few = rows.head(ANSWERS)
    report = judge(
        spec.gates,
        Holdout(
            labels=rows["label"].to_numpy().astype(np.float64),
            candidate=score(training.part, scorer, rows),
            baseline=training.part.baseline(training.data.fit, rows),
            champion=_champion_scores(training, reference) if reference else None,
            columns={part.by: rows[part.by].fill_null("none").to_numpy() for part in spec.gates.slices},
            answer_ms=answer_times(lambda row: score(training.part, scorer, few[row]), few.height),
        ),
        metric=spec.training.metric,
        subject=f"{spec.name} version {version or '-'} (run {training.run_id}, model {scorer.digest[:12]})",
        champion=f"champion version {reference.version} (model {reference.digest[:12]})" if reference else None,
        seed=training.frozen.seed,
    )
    client.log_text(training.run_id, report.json(), "gates/report.json")
    client.log_text(training.run_id, report.markdown(), "gates/report.md")
    verdict = "passed" if report.passed else "failed"
    runs.log(client, training.run_id, tags={"flightline.gate": verdict})
    if version is not None:
        tag(client, spec.name, version, {GATE: verdict})
    return report


def _open(training: Training, uri: str, digest: str) -> Scorer:
    return open_model(store.fetch(training.lake.objects(), uri, digest), digest)


def _champion_scores(training: Training, version: ModelVersion) -> Vector:
    """The champion's answers on the same rows; NaN, so that the gate fails, if it cannot answer on today's features."""
    try:
        return score(training.part, _open(training, version.uri, version.digest), training.data.holdout)
    except InvalidInput as error:
        log.warning("champion version %s cannot answer on these rows: %s", version.version, error)
        return np.full(training.data.holdout.height, np.nan)


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False).encode()
