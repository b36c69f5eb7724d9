"""Be a tuning worker: suggest, fit, evaluate, observe."""

import logging
from typing import Any

from include.foundation.evidence import code
from include.stages.training import runs
from include.stages.training.fitting import evaluate
from include.stages.training.runs import Training
from include.stages.tuning.experiment import best
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

    def log_result(trial: Trial) -> None:
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

    return run_worker(training.connection, experiment_id, worker=worker, evaluate=evaluated, on_trial=log_result)
