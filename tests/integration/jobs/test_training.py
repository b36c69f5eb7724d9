"""A use case is trained on each system by the real operator; one line of its spec chooses. The model is the same."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
import sigopt
from airflow.sdk.exceptions import TaskDeferred
from mlflow import MlflowClient

from flightline.hooks.kubeflow import KubeflowHook
from flightline.operators.jobs import JobOperator
from include.foundation.lake.commit import replace_days
from include.foundation.spec import load, module
from include.stages.features.stale import MADE_BY, made_by
from include.stages.registry.versions import DIGEST
from include.steps.prepare import prepare
from tests.integration.jobs.conftest import Task

pytestmark = [pytest.mark.integration, pytest.mark.long, pytest.mark.timeout(900)]
USE_CASE, DAYS, A_DAY, TRIALS = "flight_delays", 6, 200, 2
WORKERS = {"sagemaker": 2}  # trials at once, as the Dag maps them; the first suggestions depend on their number alone
FITTED: list[dict[str, float | str]] = []  # digest and metric of each training


@pytest.fixture(scope="module")
def step_env(lake, tuning_env, mlflow_url):
    """More of what the Secret of jobs holds here; gold has some days."""
    spec, features = load(USE_CASE), module(USE_CASE, "features").FEATURES
    rng, rows = np.random.default_rng(7), DAYS * A_DAY
    columns = {
        name: pl.Series(rng.choice(["AA", "B6", "UA"], rows))
        if dtype == pl.String
        else pl.Series(rng.integers(0, 24, rows)).cast(dtype)
        for name, dtype in features.items()
    }
    for part in spec.gates.slices:
        columns.setdefault(part.by, pl.Series(rng.choice(["AA", "B6", "UA"], rows)))
    asked = [datetime(2013, 1, 1, 6, tzinfo=UTC) + timedelta(days=n // A_DAY, minutes=n % A_DAY) for n in range(rows)]
    frame = pl.DataFrame(columns).with_columns(
        id=pl.Series([f"{n:06}" for n in range(rows)]),
        event_time=pl.Series(asked),
        event_date=pl.Series([at.date() for at in asked]),
        label=pl.Series(rng.random(rows) < np.where(columns["carrier"] == "AA", 0.7, 0.3)).cast(pl.Int8),
        label_known_at=pl.Series([at + timedelta(hours=3) for at in asked]),
    )
    replace_days(lake, spec.gold, frame, frame["event_date"].unique(), {MADE_BY: made_by(spec)})
    return {**tuning_env, "MLFLOW_TRACKING_URI": mlflow_url, "FLIGHTLINE_ALLOW_DIRTY": "1"}


class Steps(Task):
    """The steps of a training run as tasks."""

    def operator(self, *arguments, **options):
        """The task as the Dag file says it, with a spec's line `training.backend`."""
        return JobOperator(task_id=arguments[0], arguments=list(arguments), backend=self.backend, retries=2, **options)

    def begin(self, *arguments, **options):
        """Start it; what `finish` takes."""
        operator, context = self.operator(*arguments, **options), self.context()
        with pytest.raises(TaskDeferred) as deferred:
            operator.execute(context)
        return operator, context, deferred.value


@pytest.fixture(scope="module")
def services(lake, step_env, mlflow_url):
    """As `prepare` takes them. Afterwards others count the use case's versions and trainings from the first again."""
    connection = sigopt.Connection(client_token=step_env["SIGOPT_API_TOKEN"])
    connection.set_api_url(step_env["SIGOPT_API_URL"])
    client = MlflowClient(tracking_uri=mlflow_url, registry_uri=mlflow_url)
    there = {model.name for model in client.search_registered_models()}
    yield {"client": client, "connection": connection, "lake": lake}
    if USE_CASE not in there:
        client.delete_registered_model(USE_CASE)


def prepared(services, **options):
    return prepare(USE_CASE, image="flightline/trainer:test", trials=TRIALS, seed=5, **services, **options)["run_id"]


def fitted(services, run_id):
    """Keep what the run fitted; it must be what every training before it gave."""
    logged = services["client"].get_run(run_id).data
    FITTED.append({"digest": logged.tags[DIGEST], "auc": logged.metrics["holdout_auc"]})
    assert FITTED[-1] == FITTED[0], "digest and metric, on every system"
    assert services["client"].list_artifacts(run_id, "model"), "metrics and artifacts are in MLflow"


on_each_system = pytest.mark.parametrize(
    "number_and_backend", list(enumerate(["pods", "sagemaker", "kubeflow"])), ids=lambda each: each[1]
)


@on_each_system
def test_the_model_is_the_same_wherever_it_was_trained(request, number_and_backend, tmp_path, services):
    number, backend = number_and_backend
    system, workers = request.getfixturevalue(backend), WORKERS.get(backend, 1)
    run_id = prepared(services, parallelism=workers, rerun=number)
    steps = Steps(backend, tmp_path)
    begun = [steps.begin("trial", "--run-id", run_id, "--worker", f"worker-{n}") for n in range(workers)]
    if backend == "sagemaker":
        names = [deferred.trigger.job_name for _, _, deferred in begun]
        jobs = [system.client().describe_training_job(TrainingJobName=name) for name in names]
        assert [job["TrainingJobStatus"] for job in jobs] == ["InProgress"] * 2
    assert sum(steps.finish(each)["trials"] for each in begun) == TRIALS, "one experiment"
    answer = steps.finish(steps.begin("fit", "--run-id", run_id))
    fitted(services, run_id)
    assert FITTED[-1] == {name: answer[name] for name in FITTED[-1]}


@on_each_system
def test_a_whole_training_is_one_job_and_its_model_is_the_same(request, number_and_backend, tmp_path, services):
    number, backend = number_and_backend
    request.getfixturevalue(backend)
    run_id = prepared(services, parallelism=2, rerun=10 + number)
    parts = {"trials": [["trial", "--run-id", run_id, "--worker", f"worker-{n}"] for n in range(2)]}
    parts |= {step: [step, "--run-id", run_id] for step in ("fit", "register", "gate")}
    steps = Steps(backend, tmp_path)
    answer = steps.finish(steps.begin("train", "--run-id", run_id, parts=parts))
    fitted(services, run_id)
    client, (version,) = services["client"], services["client"].search_model_versions(f"run_id = '{run_id}'")
    assert answer.keys() == {"passed", "failed"}
    assert version.tags["gate"] == ("passed" if answer["passed"] else "failed")
    assert client.get_run(run_id).data.metrics["usage/train/seconds" if backend != "kubeflow" else "usage/gate/seconds"]
    if backend == "kubeflow":
        hook = KubeflowHook()
        (run,) = hook.runs("train-")
        tasks = [task["display_name"] for task in run["run_details"]["task_details"]]
        assert tasks == ["trial", "trial", "fit", "register", "gate"], "its graph is the training's"
