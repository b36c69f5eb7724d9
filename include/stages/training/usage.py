"""What the jobs of a training took, as metrics of its MLflow run: `usage/<step>[.<worker>]/<what>`.

A job writes them when it ends well; done again, it writes them again. Of tries that ended otherwise nothing is known.
"""

import logging
from typing import TYPE_CHECKING

from include.foundation.echo import cause
from include.foundation.jobs.usage import used
from include.stages.training import runs

if TYPE_CHECKING:
    from mlflow import MlflowClient

PREFIX = "usage"
log = logging.getLogger(__name__)


def record(client: "MlflowClient", run_id: str, step: str, worker: str = "") -> None:
    """Write what this process took until now; an MLflow that does not take it costs a warning, and never the work."""
    from mlflow.exceptions import MlflowException

    name = f"{step}.{worker}" if worker else step
    metrics = {f"{PREFIX}/{name}/{what}": value for what, value in used().model_dump().items()}
    try:
        runs.log(client, run_id, metrics=metrics)
    except MlflowException as error:
        log.warning("MLflow did not take what %s took of its machine: %s", name, cause(error))


def total(client: "MlflowClient", run_id: str) -> dict[str, float]:
    """What all jobs of a run took together, by name; the most of any for `memory_bytes`. Empty if none has said."""
    found: dict[str, float] = {}
    for key, value in client.get_run(run_id).data.metrics.items():
        prefix, _, what = key.rpartition("/")
        if prefix.startswith(f"{PREFIX}/"):
            before = found.get(what, 0.0)
            found[what] = max(before, value) if what == "memory_bytes" else before + value
    return found
