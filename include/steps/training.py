"""The steps of a training run, each safe to repeat. The only module of training that knows other stages.

All that a step needs is found from the parent MLflow run: what was frozen, which tuning experiment, which model file.
"""

import json
import logging
from dataclasses import asdict
from datetime import date
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from include.foundation.artifact import Scorer, open_model, score, store
from include.foundation.errors import InvalidInput
from include.foundation.evidence import code
from include.foundation.evidence.manifest import RunManifest
from include.foundation.evidence.verdict import Verdict, text_digest
from include.foundation.lake import Lake, tables
from include.foundation.problem.protocol import Answers
from include.foundation.spec import UseCase, load
from include.stages.features.stale import made_by, made_by_other_code
from include.stages.gates import Report, judge
from include.stages.gates.judge import Holdout
from include.stages.gates.latency import time_answers
from include.stages.registry import ModelVersion, champion, description, get, mlmodel, register, tag
from include.stages.registry.versions import DIGEST, GATE, JUDGED_AGAINST, URI
from include.stages.training import runs
from include.stages.training.curves import page
from include.stages.training.fitting import Fitted, evaluate, fit_final
from include.stages.training.frozen import Frozen, freeze
from include.stages.training.runs import Training
from include.stages.tuning.experiment import best, create_or_rejoin
from include.stages.tuning.loop import Progress, Trial, run_worker

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from sigopt import Connection

log = logging.getLogger(__name__)
ANSWERS = 500
EXAMPLES = 3  # rows that MLflow shows as the model's input


def prepare(
    use_case: str,
    *,
    client: "MlflowClient",
    connection: "Connection",
    lake: Lake,
    image: str,
    serving_image: str = "none",
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
        serving_image: what will serve the version.
        start: first day of the window; None is what the spec says.
        end: last day of the window; None is gold's newest.
        trials: tuning budget; None is the spec's.
        parallelism: workers; None is the spec's.
        seed: of every random choice; None is the spec's.
        clears: raise it to start afresh on the same data.

    Returns:
        `run_id`, `experiment_id`, `key` and `frozen`, as plain JSON values.

    Raises:
        MissingInput: gold has no rows in the window, or none up to its end (yet).
        InvalidInput: the window is too short, or other code than that of here made some of its days.
    """
    spec = load(use_case)
    images = {"image": image, "serving_image": serving_image}
    frozen = freeze(lake, spec, **images, start=start, end=end, trials=trials, seed=seed, clears=clears)
    _require_one_code(lake, spec, frozen)
    run_id = runs.open_run(client, frozen, spec)
    plan = {"trials": frozen.trials, "seed": frozen.seed, "parallelism": parallelism or spec.training.parallelism}
    experiment_id = create_or_rejoin(
        connection,
        name=f"{use_case} {frozen.window.end} {frozen.key[:8]}",
        spec=spec.training.model_copy(update=plan),
        metric=spec.metric,
        metadata={"flightline_key": frozen.key, "mlflow_run": run_id},
    )
    runs.log(client, run_id, tags={runs.TUNING: experiment_id})
    return {
        "run_id": run_id,
        "experiment_id": experiment_id,
        "key": frozen.key,
        "frozen": frozen.model_dump(mode="json"),
    }


def _require_one_code(lake: Lake, spec: UseCase, frozen: Frozen) -> None:
    """Raise InvalidInput if other code made some of the window's days: features of two codes are not one feature."""
    at, window = frozen.snapshot_id, frozen.window
    days = [day for day in tables.days(lake, spec.gold, snapshot_id=at) if window.start <= day <= window.end]
    if other := made_by_other_code(lake, spec, days, snapshot_id=at):
        by = sorted({" ".join(part[:12] for part in maker.split()) for maker in other.values()})
        here = " ".join(part[:12] for part in made_by(spec).split())
        raise InvalidInput(
            f"{len(other)} of {len(days)} days of {spec.gold}, {min(other)} to {max(other)}, were made by other code "
            f"and spec ({', '.join(by[:3])}) than those of here ({here}): run {spec.name}.features with start_date "
            f"{min(other)} and end_date {max(other)}, then train again"
        )


def trial(training: Training, worker: str | None = None) -> int:
    """Be a tuning worker until the budget is spent. Returns how many trials this process finished.

    Every trial becomes a nested MLflow run and a line in the log.
    """
    frozen, metric = training.frozen, training.spec.metric.name
    experiment_id = training.tag(runs.TUNING, "prepare the run first")
    worker = worker or training.settings.worker
    code.running(allow_dirty=training.settings.allow_dirty)  # else the fit would refuse, after all trials
    data, part = training.data, training.part  # before the first suggestion: a failure here costs no trial
    measured: dict[str, float] = {}

    def evaluated(assignments: dict[str, Any], progress: Progress) -> float:
        shown = (
            f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}" for key, value in assignments.items()
        )
        log.info("trial %d/%d starts: %s", progress.trial, progress.budget, ", ".join(shown))
        measured.clear()
        params = {**frozen.fixed, **assignments}
        machine = training.settings.machine
        measured.update(evaluate(part, data, training.problem, params=params, machine=machine, seed=frozen.seed))
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

    A run that was fitted keeps its evidence, for a version may stand on it: fitting it again only shows that the same
    file results.

    Raises:
        MissingInput: no trial has succeeded.
        ExportDiffersError: the model file answers differently from the model.
        InvalidInput: the checkout is dirty and may not be, or the run was fitted to another file before.
    """
    frozen, client, run_id = training.frozen, training.client, training.run_id
    assignments, _ = best(training.connection, training.tag(runs.TUNING, "prepare the run first"))
    state = code.running(allow_dirty=training.settings.allow_dirty)
    parent = champion(client, frozen.use_case)
    fitted = fit_final(
        training.part,
        training.data,
        frozen,
        training.problem,
        params={**frozen.fixed, **assignments},
        machine=training.settings.machine,
    )
    if before := client.get_run(run_id).data.tags.get(DIGEST):
        if before != fitted.digest:
            raise InvalidInput(
                f"MLflow run {run_id} has model {before}, the fit now gives {fitted.digest}: what its version was made "
                "from stays. Raise `repeat` in the form to train once more"
            )
        return fitted
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
    )
    data = training.data
    plots = training.problem.plots(data.holdout["label"].to_numpy(), fitted.answers, data.classes)
    title = f"{training.spec.title}: holdout {frozen.window.holdout_start} to {frozen.window.end}"
    example = training.part.encode(data.holdout.head(EXAMPLES), fitted.metadata.categories)
    files = {
        "model.onnx": fitted.data,
        "manifest.json": manifest.json_text().encode(),
        "features.json": _json(fitted.metadata.features),
        "importance.json": _json(fitted.importance),
        "curves.json": _json([asdict(plot) for plot in plots]),
        "curves.html": page(title, plots, fitted.importance).encode(),
        **mlmodel.files(fitted.metadata, run_id=run_id, example=example.tolist()),
    }
    measured = {f"holdout_{name}": value for name, value in fitted.metrics.items()}
    # Parameters first, for MLflow refuses to change them; the digest last, for it says that all is there.
    runs.log(client, run_id, params=fitted.params, metrics={**measured, "onnx_deviation": fitted.deviation})
    runs.log_files(client, run_id, "model", files)
    tags = {DIGEST: fitted.digest, URI: uri, "mlflow.source.git.commit": state.commit}
    runs.log(client, run_id, tags={**tags, **description.tags(manifest), **manifest.tags()})
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
        InvalidInput: the version is not of this run and its model file.
        DigestMismatch: stored bytes are not those of the run or of the champion.
    """
    client, spec = training.client, training.spec
    uri, model = (training.tag(name, "run fit first") for name in (URI, DIGEST))
    if version is not None:
        found = get(client, spec.name, version)
        if (found.run_id, found.digest) != (training.run_id, model):
            raise InvalidInput(
                f"{spec.name} version {version} is model {found.digest} of run {found.run_id}, not {model} of "
                f"{training.run_id}: judge it by its own run"
            )
        # An earlier verdict does not outlive a judgement that breaks.
        tag(client, spec.name, version, {GATE: "judging"})
    rows, scorer = training.data.holdout, _open(training, uri, model)
    reference = champion(client, spec.name)
    if reference and reference.version == version:
        reference = None  # judged once more, the champion is no rival of its own
    rival, words = _champion(training, reference) if reference else (None, None)
    few = rows.head(ANSWERS)
    report = judge(
        spec.gates,
        Holdout(
            labels=rows["label"].to_numpy().astype(np.float64),
            candidate=score(training.part, scorer, rows).astype(np.float64),
            baseline=training.part.baseline(training.data.fit, rows),
            champion=rival,
            columns={part.by: rows[part.by].fill_null("none").to_numpy() for part in spec.gates.slices},
            timing=time_answers(lambda row: score(training.part, scorer, few[row]), few.height),
            classes=training.data.classes,
        ),
        problem=training.problem,
        metric=spec.metric.name,
        subject=f"{spec.name} version {version or '-'} (run {training.run_id}, model {scorer.digest[:12]})",
        champion=words,
        seed=training.frozen.seed,
    )
    texts = {"gates/report.json": report.json(), "gates/report.md": report.markdown()}
    for path, text in texts.items():
        client.log_text(training.run_id, text, path)
    word: Literal["passed", "failed"] = "passed" if report.passed else "failed"
    runs.log(client, training.run_id, tags={"flightline.gate": word})
    if version is not None:
        verdict = Verdict(
            gate=word,
            champion=reference.version if reference else "none",
            run_manifest=found.manifest().digest,
            model=model,
            reports={path: text_digest(text) for path, text in texts.items()},
        )
        text = description.describe(found.manifest(), gates=[asdict(each) for each in report.gates])
        client.update_model_version(spec.name, version, text)
        # The word comes last: it is believed only beside its verdict.
        tag(client, spec.name, version, {**verdict.tags(), JUDGED_AGAINST: verdict.champion, GATE: word})
    return report


def _open(training: Training, uri: str, digest: str) -> Scorer:
    return open_model(store.fetch(training.lake.objects(), uri, digest), digest)


def _champion(training: Training, version: ModelVersion) -> tuple[Answers, str]:
    """The champion's answers on the same rows, and who it is; NaN, so that the gate fails, and why, if it has none."""
    name = f"champion version {version.version} (model {version.digest[:12]})"
    rows = training.data.holdout
    try:
        scorer = _open(training, version.file(training.lake.models), version.digest)
        if (scorer.metadata.problem, scorer.metadata.classes) != (training.spec.problem, training.data.classes):
            raise InvalidInput(
                f"it answers {scorer.metadata.problem} {list(scorer.metadata.classes)}, the rows are "
                f"{training.spec.problem} {list(training.data.classes)}"
            )
        return score(training.part, scorer, rows).astype(np.float64), name
    except InvalidInput as error:
        remedy = "Bring back what it needs, or promote a version that can"
        return np.full(rows.height, np.nan), f"{name}, which cannot answer on these rows: {error}. {remedy}"


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False).encode()
