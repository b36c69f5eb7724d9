"""The MLflow side of training: one parent run per frozen input, one nested run per trial."""

import json
import logging
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from include.foundation.errors import InvalidInput
from include.foundation.lake import Lake
from include.foundation.problem import problem
from include.foundation.problem.protocol import Problem
from include.foundation.spec import UseCase, load, module
from include.stages.training import dataset
from include.stages.training.frozen import Frozen
from include.stages.training.settings import Settings, services

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from sigopt import Connection

logger = logging.getLogger(__name__)
FROZEN, KEY, TUNING, WORKER = "flightline.frozen", "flightline.key", "flightline.tuning", "flightline.worker"
SUGGESTION = "flightline.suggestion"
REASON = "flightline.reason"  # of a training that monitoring asked for


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
        return read_frozen(self.client, self.run_id)

    @cached_property
    def spec(self) -> UseCase:
        """The use case."""
        return load(self.frozen.use_case)

    @property
    def problem(self) -> Problem:
        """The use case's problem kind."""
        return problem(self.spec.problem)

    @cached_property
    def part(self) -> ModuleType:
        """The use case's model module."""
        part: ModuleType = module(self.frozen.use_case, "model")
        return part

    @cached_property
    def data(self) -> dataset.Dataset:
        """The frozen rows."""
        start = time.monotonic()
        data = dataset.load(self.lake, self.spec, self.frozen)
        sizes = {name: part.height for name, part in data.parts.items()}
        logger.info("rows %s of snapshot %s in %.1f s", sizes, self.frozen.snapshot_id, time.monotonic() - start)
        if data.sampled:
            logger.info("sampled: %s", data.sampled.words)
        return data

    def tag(self, name: str, remedy: str) -> str:
        """A tag of the MLflow run. Raises InvalidInput with the remedy if it is not there."""
        value = self.client.get_run(self.run_id).data.tags.get(name)
        if not value:
            raise InvalidInput(f"MLflow run {self.run_id} has no tag {name}: {remedy}")
        return value


def open_run(client: "MlflowClient", frozen: Frozen, spec: UseCase) -> str:
    """The parent run of a frozen input: the one that exists, else a new one. Returns its id.

    Callers come one at a time: MLflow has nothing to make one run of two calls (the train Dag has one active run).

    Raises:
        InvalidInput: the use case's experiment was deleted.
    """
    from mlflow.entities import Dataset, DatasetInput, InputTag

    experiment_id = _experiment(client, spec)
    found = client.search_runs(
        [experiment_id], f"tags.`{KEY}` = '{frozen.key}'", order_by=["attributes.start_time ASC"]
    )
    if found:
        return str(found[0].info.run_id)
    created = client.create_run(
        experiment_id,
        run_name=f"train-{frozen.window.end}-{frozen.key[:8]}",
        tags={KEY: frozen.key, FROZEN: frozen.model_dump_json()},
    )
    run_id = str(created.info.run_id)
    days = {"start": str(frozen.window.start), "end": str(frozen.window.end), "num_rows": frozen.rows}
    gold = Dataset(
        name=spec.gold,
        digest=str(frozen.snapshot_id),
        source_type="iceberg",
        source=json.dumps({"table": spec.gold, "snapshot_id": str(frozen.snapshot_id)}),
        profile=json.dumps(days),
    )
    client.log_inputs(run_id, [DatasetInput(gold, [InputTag("mlflow.data.context", "training")])])
    return run_id


def read_frozen(client: "MlflowClient", run_id: str) -> Frozen:
    """What the parent run works on.

    Raises:
        InvalidInput: there is no such run, or it was not opened by `open_run` of this version.
    """
    from mlflow.exceptions import MlflowException

    try:
        text = client.get_run(run_id).data.tags.get(FROZEN)
    except MlflowException as error:
        if error.error_code not in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
            raise
        text = None
    if text is None:
        raise InvalidInput(f"there is no MLflow run {run_id} with a tag {FROZEN}: open one with `prepare`")
    try:
        return Frozen.model_validate_json(text)
    except ValidationError as error:
        raise InvalidInput(f"MLflow run {run_id} was prepared by another version: train anew. {error}") from error


def log_trial(
    client: "MlflowClient",
    parent_id: str,
    *,
    name: str,
    params: Mapping[str, Any],
    metrics: Mapping[str, float],
    suggestion: str,
    started: float,
    worker: str,
    failure: str | None = None,
    lost: bool = False,
    epochs: Sequence[Mapping[str, float]] = (),
) -> None:
    """Write one trial as a nested run, which has failed where there is a `failure`.

    Args:
        client: MLflow.
        parent_id: the training run.
        name: what people see.
        params: what was tried.
        metrics: what was measured.
        suggestion: the trial's id at the tuning service.
        started: seconds since 1970.
        worker: who tried it.
        failure: why it failed.
        lost: its worker ended before it did: the run counts as killed.
        epochs: what each epoch measured, where the model has any.
    """
    parent = client.get_run(parent_id)
    run = client.create_run(
        parent.info.experiment_id,
        run_name=name,
        start_time=int(started * 1000),
        tags={
            "mlflow.parentRunId": parent_id,
            WORKER: worker,
            SUGGESTION: suggestion,
            **({"failure": failure} if failure else {}),
        },
    )
    log(client, run.info.run_id, params=params, metrics=metrics)
    for number, measured in enumerate(epochs, 1):
        log(client, run.info.run_id, metrics=measured, step=number)
    client.set_terminated(run.info.run_id, "KILLED" if lost else "FAILED" if failure else "FINISHED")


def logged(client: "MlflowClient", parent_id: str) -> set[str]:
    """The trials of a training run that have a nested run, by their ids at the tuning service."""
    experiment = client.get_run(parent_id).info.experiment_id
    found, token = set[str](), None
    while True:
        page = client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{parent_id}'", page_token=token)
        found |= {run.data.tags[SUGGESTION] for run in page if SUGGESTION in run.data.tags}
        if not (token := page.token):
            return found


def log(
    client: "MlflowClient",
    run_id: str,
    *,
    params: Mapping[str, Any] | None = None,
    metrics: Mapping[str, float] | None = None,
    tags: Mapping[str, str] | None = None,
    step: int = 0,
) -> None:
    """Write parameters, metrics (at a step) and tags in one request. Writing the same again changes nothing."""
    from mlflow.entities import Metric, Param, RunTag

    now = int(time.time() * 1000)
    client.log_batch(
        run_id,
        metrics=[Metric(key, value, now, step) for key, value in (metrics or {}).items()],
        params=[Param(key, str(value)) for key, value in (params or {}).items()],
        tags=[RunTag(key, value) for key, value in (tags or {}).items()],
    )


def log_files(client: "MlflowClient", run_id: str, folder: str, files: Mapping[str, bytes]) -> None:
    """Write artifacts, by name, into a folder of the run's artifacts."""
    with tempfile.TemporaryDirectory() as local:
        for name, content in files.items():
            (Path(local) / name).write_bytes(content)
        client.log_artifacts(run_id, local, folder)


def _experiment(client: "MlflowClient", spec: UseCase) -> str:
    from mlflow.exceptions import MlflowException

    name = spec.name
    if experiment := client.get_experiment_by_name(name):
        number = str(experiment.experiment_id)
        if experiment.lifecycle_stage != "active":  # MLflow only marks it; somebody meant it, so it is theirs to undo
            raise InvalidInput(
                f"the MLflow experiment {name} (id {number}) was deleted: restore it "
                f"(`mlflow experiments restore --experiment-id {number}`), or let `mlflow gc` remove it for good"
            )
        return number
    # The kind opens MLflow's pages for models (runs, charts) instead of those for language models.
    tags = {"mlflow.experimentKind": "custom_model_development", "mlflow.note.content": spec.description}
    try:
        return str(client.create_experiment(name, tags=tags))
    except MlflowException:  # another was faster
        if experiment := client.get_experiment_by_name(name):
            return str(experiment.experiment_id)
        raise
