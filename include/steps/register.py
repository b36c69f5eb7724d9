"""Register what a run fitted as a version."""

from include.stages.registry import ModelVersion, register
from include.stages.registry.versions import DIGEST
from include.stages.training.runs import Training


def register_version(training: Training) -> ModelVersion:
    """Register what `fit` made; the same version again if it is registered."""
    training.tag(DIGEST, "run fit first")
    spec = training.spec
    return register(training.client, spec.name, run_id=training.run_id, description=spec.description)
