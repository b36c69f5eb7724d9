"""A whole training as one job: trials, fit, registration and gate in turn."""

from include.stages.gates import Report
from include.stages.training.fitting import Fitted
from include.stages.training.runs import Training
from include.steps.fit import fit
from include.steps.gate import gate
from include.steps.register import register_version
from include.steps.trial import trial

WORKER = "worker-0"  # the same when the job is done again, so that it finds what it left open


def train(training: Training) -> tuple[Fitted, Report]:
    """Trials until the budget is spent, then the rest. Done again, it goes on with the trials that there are."""
    trial(training, WORKER)
    fitted = fit(training)
    return fitted, gate(training, register_version(training).version)
