"""The training job that a job becomes, and how its end is read."""

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import TaskDeferred

from flightline.backends.protocol import JobFailed
from flightline.backends.sagemaker import SageMaker
from flightline.hooks import sagemaker_profile
from include.foundation.errors import InvalidInput
from include.foundation.evidence.code import ROOT
from include.foundation.jobs import Job, Resources
from include.steps import sagemaker as container
from sandbox.sagemaker import shapes

JOB = Job(
    name="fit",
    arguments=("-m", "include.steps", "fit", "--run-id", "r1"),
    image="123456789012.dkr.ecr.us-east-1.amazonaws.com/flightline/trainer:1",
    environment={"FLIGHTLINE_JOB_RESULT": "s3://models/_jobs/1.json"},
)
EXTRA = {
    "region_name": "us-east-1",
    "execution_role": "arn:aws:iam::123456789012:role/training",
    "output": "s3://models/sagemaker/",
    "secret": "flightline/trainer",
    "tags": {"cost-center": "42"},
}


class Hook:
    """The jobs that there are, by name."""

    def __init__(self):
        self.jobs, self.lines, self.taken = {}, [], False

    def expand_role(self, role):
        return role

    def create(self, request):
        taken, self.taken = self.taken, False
        self.jobs[request["TrainingJobName"]] = self.job("InProgress", **request)
        return not taken

    def job(self, status, reason=None, **fields):
        created = datetime(2026, 1, 1, tzinfo=UTC)
        told = {"FailureReason": reason} if reason else {}
        common = {"ResourceConfig": {"InstanceType": "ml.m7i.xlarge"}, "StoppingCondition": {"MaxRuntimeInSeconds": 60}}
        return {**common, **fields, **told, "TrainingJobStatus": status, "CreationTime": created}

    def describe(self, name):
        return self.jobs.get(name)

    def stop(self, name):
        self.jobs[name]["TrainingJobStatus"] = "Stopping"

    def last_lines(self, name, *, most):
        return self.lines

    def page(self, name):
        return f"page of {name}"


@pytest.fixture
def context():
    pushed = {}
    ti = SimpleNamespace(
        dag_id="flights.train", task_id="fit", run_id="manual__2026-01-01T00:00:00+00:00", pushed=pushed
    )
    ti.xcom_push = pushed.__setitem__
    return {"ti": ti}


@pytest.fixture
def connect(monkeypatch):
    def make(**extra):
        connection = {"conn_type": "aws", "extra": {**EXTRA, **extra}}
        monkeypatch.setenv("AIRFLOW_CONN_SAGEMAKER", json.dumps(connection))

    make()
    return make


@pytest.fixture
def backend(connect):
    def make(hook=None, **options):
        made = SageMaker(BaseOperator(task_id="fit", **options), conn_id="sagemaker")
        made._hook = hook or Hook()
        return made

    return make


@pytest.mark.parametrize("profile", sorted(path.stem for path in sagemaker_profile.ROOT.glob("*.yaml")))
def test_every_profile_s_request_is_one_that_the_api_takes(backend, connect, context, profile):
    connect(job_profile=profile)
    request = backend().request(JOB, "fit-1", context)
    shapes.check("CreateTrainingJob", request)
    assert ("CheckpointConfig" in request) is (profile == "spot")
    assert request["Environment"]["FLIGHTLINE_DEVICE"] == ("gpu" if profile == "gpu" else "cpu")


def test_the_request_says_what_the_job_says(backend, context):
    request = backend().request(JOB, "fit-1", context)
    assert json.loads(request["HyperParameters"]["arguments"]) == list(JOB.arguments)
    assert request["AlgorithmSpecification"]["TrainingImage"] == JOB.image
    assert request["OutputDataConfig"] == {"S3OutputPath": "s3://models/sagemaker"}
    assert request["Environment"] == {
        "FLIGHTLINE_DEVICE": "cpu",
        "FLIGHTLINE_IMAGE": JOB.image,
        "FLIGHTLINE_SECRET": "flightline/trainer",
        "FLIGHTLINE_JOB_RESULT": "s3://models/_jobs/1.json",
    }
    tags = {tag["Key"]: tag["Value"] for tag in request["Tags"]}
    assert tags["cost-center"] == "42"
    assert tags["flightline:dag"] == "flights.train"
    assert tags["flightline:job"] == JOB.label


def test_a_connection_may_say_more_of_the_request(backend, connect, context):
    vpc = {"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}
    connect(training_job={"VpcConfig": vpc, "OutputDataConfig": {"KmsKeyId": "k"}})
    request = backend().request(JOB, "fit-1", context)
    assert request["VpcConfig"] == vpc
    assert request["OutputDataConfig"] == {"KmsKeyId": "k", "S3OutputPath": "s3://models/sagemaker"}


@pytest.mark.parametrize(
    ("extra", "job", "said"),
    [
        ({"execution_role": "", "output": ""}, {}, "needs the extra execution_role, output"),
        ({"job_profile": "huge"}, {}, "no profile 'huge' of SageMaker; there are: cpu, gpu"),
        ({}, {"arguments": ("x" * 3000,)}, "SageMaker takes 2,500"),
        ({}, {"resources": Resources(gpus=1)}, "fit needs GPUs"),
    ],
)
def test_what_cannot_be_asked_for_is_named(backend, connect, context, extra, job, said):
    connect(**extra)
    with pytest.raises(InvalidInput, match=said):
        backend().request(JOB.model_copy(update=job), "fit-1", context)


def test_a_retry_rejoins_what_runs_and_starts_the_next_of_what_failed(backend, context):
    hook = Hook()
    for number, status in enumerate(["Failed", "Stopped", "InProgress"]):
        with pytest.raises(TaskDeferred):
            backend(hook).run(JOB, context)
        name = f"fit-{JOB.key[:32]}-{number}"
        assert list(hook.jobs)[-1] == name
        with pytest.raises(TaskDeferred):
            backend(hook).run(JOB, context)
        assert list(hook.jobs)[-1] == name, "rejoined"
        hook.jobs[name]["TrainingJobStatus"] = status
    assert context["ti"].pushed["job_page"] == f"page of {name}"


def test_two_that_start_at_once_have_one_job(backend, context):
    hook = Hook()
    hook.taken = True
    with pytest.raises(TaskDeferred) as deferred:
        backend(hook).run(JOB, context)
    assert deferred.value.trigger.job_name == f"fit-{JOB.key[:32]}-0"


def test_the_wait_is_as_long_as_the_job_may_take(backend, context):
    with pytest.raises(TaskDeferred) as deferred:
        backend().run(JOB, context)
    begun = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
    assert deferred.value.method_name == "trigger_reentry"
    assert deferred.value.trigger.deadline == begun + 14400 + 1800
    with pytest.raises(TaskDeferred) as deferred:
        backend(execution_timeout=timedelta(seconds=30)).run(JOB, context)
    assert deferred.value.trigger.deadline <= begun + 14400 + 1800


@pytest.mark.parametrize(
    ("status", "reason", "permanent"),
    [
        ("Failed", "AlgorithmError: exit code 65: InvalidInput: no such run, exit code: 65", True),
        ("Failed", "AlgorithmError: exit code 1: killed, exit code: 1", False),
        ("Failed", "AlgorithmError: , exit code: 137", False),
        ("Failed", "ClientError: Cannot pull image", True),
        ("Failed", "CapacityError: Unable to provision requested ML compute capacity", False),
        ("Failed", "InternalServerError: We encountered an internal error", False),
        ("Stopped", None, False),
    ],
)
def test_an_end_without_success_is_told_with_the_last_lines(backend, context, status, reason, permanent):
    hook = Hook()
    hook.jobs["fit-1"], hook.lines = (
        hook.job(status, reason, BillableTimeInSeconds=30),
        [f"line {n}" for n in range(20)],
    )
    with pytest.raises(JobFailed, match=f"fit-1 is {status}: ") as caught:
        backend(hook).resume(JOB, context, {"job_name": "fit-1", "status": "ended", "message": ""})
    assert caught.value.permanent is permanent
    assert str(caught.value).endswith("line 18\n  line 19")
    assert context["ti"].pushed["cost"]["billable_seconds"] == 30


def test_a_job_that_takes_too_long_is_stopped(backend, context):
    hook = Hook()
    hook.jobs["fit-1"] = hook.job("InProgress")
    with pytest.raises(JobFailed, match="its time is over; it was InProgress: Training") as caught:
        backend(hook).resume(
            JOB, context, {"job_name": "fit-1", "status": "timeout", "message": "InProgress: Training"}
        )
    assert hook.jobs["fit-1"]["TrainingJobStatus"] == "Stopping"
    assert not caught.value.permanent


def test_what_the_wait_could_not_do_is_final_and_a_job_that_is_gone_is_not(backend, context):
    with pytest.raises(JobFailed, match="AccessDenied") as caught:
        backend().resume(JOB, context, {"job_name": "fit-1", "status": "error", "message": "AccessDenied"})
    assert caught.value.permanent
    with pytest.raises(JobFailed, match="is gone") as caught:
        backend().resume(JOB, context, {"job_name": "fit-1", "status": "ended", "message": ""})
    assert not caught.value.permanent


def test_a_task_that_started_nothing_stops_nothing(backend):
    hook = Hook()
    backend(hook).kill()
    assert hook.jobs == {}


@pytest.mark.long
def test_what_the_page_shows_for_a_notebook_is_a_job_that_the_api_and_the_image_take(monkeypatch, tmp_path):
    from sagemaker.train import defaults

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "none")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setattr(defaults, "resolve_and_validate_role", lambda provided_role, **_: provided_role)  # asks IAM
    page = (ROOT / "docs" / "systems" / "sagemaker.md").read_text()
    names = {}
    exec(page.partition("```python\n")[2].partition("```")[0], names)
    request = names["trainer"]._create_training_job_args(boto3=True)
    shapes.check("CreateTrainingJob", request)
    config = tmp_path / "input" / "config"
    config.mkdir(parents=True)
    (config / "hyperparameters.json").write_text(json.dumps(request["HyperParameters"]))
    (config / "resourceconfig.json").write_text('{"hosts": ["algo-1"]}')
    assert container._arguments(tmp_path)[:3] == ["-m", "include.steps", "fit"]
