"""Where jobs run. Each backend is a module with a class that satisfies `protocol.Backend`; adding one adds it here.

A backend's client libraries cost seconds to import: its module imports them when a job starts and not before.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from include.foundation.errors import InvalidInput

if TYPE_CHECKING:
    from flightline.backends.protocol import Backend

BACKENDS = {
    "pods": "flightline.backends.pods.Pods",
    "kubeflow": "flightline.backends.kubeflow.Kubeflow",
    "sagemaker": "flightline.backends.sagemaker.SageMaker",
    "emr_serverless": "flightline.backends.emr_serverless.EmrServerless",
    "spark_application": "flightline.backends.spark_application.SparkApplication",
}


def backend(name: str) -> "type[Backend]":
    """The class of a backend.

    Raises:
        InvalidInput: there is no such backend.
    """
    if name not in BACKENDS:
        raise InvalidInput(f"there is no job backend {name[:60]!r}; there are: {', '.join(BACKENDS)}")
    module, _, cls = BACKENDS[name].rpartition(".")
    found: type[Backend] = getattr(import_module(module), cls)
    return found
