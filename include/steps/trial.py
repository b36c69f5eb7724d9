"""Be a tuning worker: suggest, fit, evaluate, observe."""

import logging
from typing import Any

from include.foundation.evidence import code
from include.foundation.progress import reporting
from include.stages.training import runs
from include.stages.training.fitting import evaluate
from include.stages.training.progress import Recorded
from include.stages.training.runs import Training
from include.stages.tuning.calls import patiently
from include.stages.tuning.experiment import best, observations
from include.stages.tuning.loop import Progress, Trial, run_worker

log = logging.getLogger(__name__)


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
    seen = Recorded()

    def evaluated(assignments: dict[str, Any], progress: Progress) -> float:
        shown = (
            f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}" for key, value in assignments.items()
        )
        log.info("trial %d/%d starts: %s", progress.trial, progress.budget, ", ".join(shown))
        measured.clear()
        seen.begin()
        params = {**frozen.fixed, **assignments}
        machine = training.settings.machine
        with reporting(seen):
            measured.update(evaluate(part, data, training.problem, params=params, machine=machine, seed=frozen.seed))
        return measured[metric]

    def log_result(trial: Trial) -> None:
        name = f"{trial.progress.trial}/{trial.progress.budget}"
        runs.log_trial(
            training.client,
            training.run_id,
            name=f"trial {name}",
            params=trial.assignments,
            suggestion=trial.suggestion,
            metrics={} if trial.failure else measured,
            epochs=seen.epochs,
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

    return run_worker(
        training.connection,
        experiment_id,
        worker=worker,
        evaluate=evaluated,
        on_trial=log_result,
        facts=seen.facts,
    )


def log_lost(training: Training) -> int:
    """Write the nested MLflow runs of trials that the tuning service has and MLflow has not. Returns how many.

    Their workers were killed during the trial, or between their two reports. To be called when no worker runs.
    """
    experiment_id, metric = training.tag(runs.TUNING, "prepare the run first"), training.spec.metric.name
    logged = runs.logged(training.client, training.run_id)
    lost = [each for each in observations(training.connection, experiment_id) if each.suggestion not in logged]
    for each in lost:
        suggestion = patiently(training.connection.experiments(experiment_id).suggestions(each.suggestion).fetch)
        metadata = each.metadata or {}
        runs.log_trial(
            training.client,
            training.run_id,
            name=f"trial {suggestion.to_json().get('number', '?')}",
            params=dict(each.assignments),
            metrics={} if each.failed else {metric: each.values[0].value},
            suggestion=each.suggestion,
            started=suggestion.created,
            worker=metadata.get("worker", ""),
            failure=metadata.get("failure", "its worker did not say why") if each.failed else None,
            lost=each.failed,
        )
    return len(lost)
