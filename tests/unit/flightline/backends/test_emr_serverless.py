"""What EMR Serverless is asked for, against its API as botocore and moto know it."""

import json

import boto3
import pytest
from airflow.sdk import BaseOperator
from moto import mock_aws
from moto.emrserverless import emrserverless_backends, models

from flightline.backends import emr_serverless
from flightline.backends.emr_serverless import TRIES, EmrServerless
from flightline.backends.protocol import JobFailed
from include.foundation.errors import InvalidInput
from include.foundation.jobs import Job

JOB = Job(
    name="publish",
    arguments=("-m", "include.steps.data", "ingest", "flight_delays", "--days", "2013-01-01"),
    image="flightline/spark:1",
    environment={"FLIGHTLINE_JOB_RESULT": "s3://models/_jobs/k.json"},
)
ROLE = "arn:aws:iam::123456789012:role/flightline"


@pytest.fixture
def application(monkeypatch):
    """An application, and the Connection that names it."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "key")
    with mock_aws():
        client = boto3.client("emr-serverless", region_name="us-east-1")
        made = client.create_application(type="SPARK", releaseLabel="emr-7.5.0", clientToken="t")["applicationId"]
        extra = {
            "region_name": "us-east-1",
            "application_id": made,
            "execution_role_arn": ROLE,
            "image": "registry/flightline/spark:1",
            "spark_submit_parameters": ["--conf spark.executor.cores=4"],
        }
        connection = {"conn_type": "aws", "login": "key", "password": "word", "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_EMR_SERVERLESS", json.dumps(connection))
        yield made


@pytest.fixture
def runs(application):
    return lambda: emrserverless_backends["123456789012"]["us-east-1"].job_runs.get(application, [])


def backend():
    return EmrServerless(BaseOperator(task_id="publish"), conn_id="emr_serverless")


def test_a_run_that_succeeds(monkeypatch, runs):
    monkeypatch.setattr(models, "JOB_STATUS", "SUCCESS")
    backend().run(JOB, {})
    (run,) = runs()
    submit = run.job_driver["sparkSubmit"]
    assert submit["entryPoint"].endswith("include/steps/data.py")
    assert submit["entryPointArguments"] == ["ingest", "flight_delays", "--days", "2013-01-01"]
    assert "--conf spark.executor.cores=4" in submit["sparkSubmitParameters"]
    assert "driverEnv.FLIGHTLINE_JOB_RESULT=s3://models/_jobs/k.json" in submit["sparkSubmitParameters"]
    assert run.tags == {"flightline/job": JOB.label}


def test_the_same_job_has_the_same_token_and_another_try_another(monkeypatch, runs):
    monkeypatch.setattr(models, "JOB_STATUS", "SUCCESS")
    backend().run(JOB, {})
    backend().run(JOB, {})
    backend().run(JOB.model_copy(update={"rerun": "again"}), {})
    first, second, third = (run.client_token for run in runs())
    assert first == second != third


def test_a_job_whose_runs_all_fail_is_given_up(monkeypatch, runs):
    monkeypatch.setattr(models, "JOB_STATUS", "FAILED")
    with pytest.raises(JobFailed, match="20 runs of job") as failed:
        backend().run(JOB, {})
    assert failed.value.permanent
    assert len({run.client_token for run in runs()}) == TRIES


def test_a_kill_cancels_the_run(monkeypatch, runs):
    monkeypatch.setattr(models, "JOB_STATUS", "RUNNING")
    one = backend()
    monkeypatch.setattr(emr_serverless.time, "sleep", lambda _: one.kill())
    with pytest.raises(JobFailed) as failed:
        one.run(JOB, {})
    assert [run.state for run in runs()] == ["CANCELLED"]
    assert not failed.value.permanent


def test_what_is_missing_or_does_not_fit_is_named(monkeypatch, application):
    with pytest.raises(InvalidInput, match=r"not -m include\.steps"):
        backend().run(JOB.model_copy(update={"arguments": ("-m", "include.steps", "fit")}), {})
    monkeypatch.setenv("AIRFLOW_CONN_EMR_SERVERLESS", json.dumps({"conn_type": "aws"}))
    with pytest.raises(InvalidInput, match="needs the extra application_id, execution_role_arn"):
        backend().run(JOB, {})


def test_the_image_is_the_connection_s(application):
    assert EmrServerless.image("emr_serverless") == "registry/flightline/spark:1"
