"""Register what a run fitted as a version."""

from include.stages.registry import ModelVersion, register
from include.stages.registry.versions import DIGEST, of_run
from include.stages.training.runs import Training


def registered(training: Training) -> str | None:
    """The version of what the run fitted last; None if it was not registered."""
    digest = training.tag(DIGEST, "run fit first")
    found = of_run(training.client, training.spec.name, training.run_id, digest)
    return found.version if found else None


def register_version(training: Training) -> ModelVersion:
    """Register what `fit` made; the same version again if it is registered."""
    training.tag(DIGEST, "run fit first")
    spec = training.spec
    return register(training.client, spec.name, run_id=training.run_id, description=spec.description)
