"""The API's errors, told apart by what it says, against a server that answers from a script."""

import json
from unittest.mock import Mock

import pytest
from botocore.config import Config
from botocore.exceptions import EndpointConnectionError

from flightline.exceptions import SageMakerRefused, SageMakerUnavailable
from flightline.hooks import sagemaker
from flightline.hooks.sagemaker import TrainingJobsHook
from tests.unit.flightline.conftest import Scripted

API = "POST /"
ONCE = Config(retries={"mode": "standard", "total_max_attempts": 1}, connect_timeout=5, read_timeout=5)
REQUEST = {
    "TrainingJobName": "fit-1",
    "AlgorithmSpecification": {"TrainingImage": "flightline/trainer:1", "TrainingInputMode": "File"},
    "RoleArn": "arn:aws:iam::123456789012:role/training",
    "OutputDataConfig": {"S3OutputPath": "s3://models"},
    "ResourceConfig": {"InstanceType": "ml.m7i.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 1},
    "StoppingCondition": {"MaxRuntimeInSeconds": 60},
}
QUOTA = (
    "The account-level service limit 'ml.g5.xlarge for training job usage' is {} Instances, with current utilization"
)


def refused(code, message="", status=400):
    return status, {"__type": code, "message": message}, {"content-type": "application/x-amz-json-1.1"}


@pytest.fixture(scope="module")
def one():
    """A server and a hook that leads to it: a client of SageMaker takes a second to make."""
    with pytest.MonkeyPatch.context() as patch:
        scripted = Scripted()
        patch.setattr(sagemaker, "CALLS", ONCE)
        extra = {"endpoint_url": f"http://127.0.0.1:{scripted.port}", "region_name": "eu-west-1"}
        connection = {"conn_type": "aws", "login": "key", "password": "secret", "extra": extra}
        patch.setenv("AIRFLOW_CONN_SAGEMAKER", json.dumps(connection))
        yield scripted, TrainingJobsHook("sagemaker")
        scripted.close()


@pytest.fixture
def server(one):
    return one[0]


@pytest.fixture
def hook(one):
    return one[1]


@pytest.mark.parametrize(
    "answer",
    [
        refused("ThrottlingException", "Rate exceeded"),
        refused("InternalFailure", status=500),
        refused("ExpiredTokenException"),
        refused("ResourceLimitExceeded", QUOTA.format(4)),
        refused("ServiceUnavailable", status=503),
        (None, {}),
    ],
    ids=lambda answer: str(answer[1].get("__type", "hangs up")),
)
def test_what_passes_is_retried(hook, server, answer):
    server.on(API, answer)
    with pytest.raises(SageMakerUnavailable, match="CreateTrainingJob fit-1: "):
        hook.create(REQUEST)
    with pytest.raises(SageMakerUnavailable, match="DescribeTrainingJob fit-1: "):
        hook.describe("fit-1")


@pytest.mark.parametrize(
    "answer",
    [
        refused("ValidationException", "Value at 'roleArn' failed to satisfy constraint"),
        refused("AccessDeniedException"),
        refused("UnrecognizedClientException"),
        refused("ResourceLimitExceeded", QUOTA.format(0)),
        refused("ResourceNotFound", "no such key"),
    ],
    ids=lambda answer: answer[1]["__type"],
)
def test_what_never_passes_is_final(hook, server, answer):
    server.on(API, answer)
    with pytest.raises(SageMakerRefused, match="CreateTrainingJob fit-1: "):
        hook.create(REQUEST)


def test_an_endpoint_that_is_down_passes(hook, monkeypatch):
    down = Mock(side_effect=EndpointConnectionError(endpoint_url="https://api.sagemaker"))
    monkeypatch.setattr(hook.get_conn(), "describe_training_job", down)
    with pytest.raises(SageMakerUnavailable, match="DescribeTrainingJob fit-1"):
        hook.describe("fit-1")


def test_a_request_that_the_client_refuses_is_final(hook):
    with pytest.raises(SageMakerRefused, match="Missing required parameter"):
        hook.create({"TrainingJobName": "fit-1"})


def test_a_name_that_is_taken_is_no_error(hook, server):
    server.on(API, refused("ResourceInUse", "Training job names must be unique within an AWS account and region"))
    assert hook.create(REQUEST) is False
    server.on(API, {"TrainingJobArn": "arn"})
    assert hook.create(REQUEST) is True


def test_a_job_that_never_was_is_told_from_a_call_that_is_wrong(hook, server):
    server.on(API, refused("ValidationException", "Requested resource not found."))
    assert hook.describe("fit-1") is None
    hook.stop("fit-1")
    server.on(API, refused("ValidationException", "1 validation error detected"))
    with pytest.raises(SageMakerRefused):
        hook.describe("fit-1")


def test_a_job_that_ends_while_it_is_stopped_is_stopped(hook, server):
    running, ended = {"TrainingJobStatus": "InProgress"}, {"TrainingJobStatus": "Completed"}
    server.on(API, running, refused("ValidationException", "the training job is in status Completed"))
    hook.stop("fit-1")
    server.on(API, running, refused("ValidationException", "something else"))
    with pytest.raises(SageMakerRefused, match="StopTrainingJob"):
        hook.stop("fit-1")
    server.on(API, ended)
    before = len(server.requests)
    hook.stop("fit-1")
    assert len(server.requests) == before + 1


def test_the_log_s_end_is_read_and_a_verdict_stands_without_it(hook, server):
    streams = {"logStreams": [{"logStreamName": "fit-1/algo-1-9"}]}
    server.on(API, streams, {"events": [{"message": f"line {number}\n"} for number in range(4)]})
    assert hook.last_lines("fit-1", most=2) == ["line 2", "line 3"]
    server.on(API, refused("ResourceNotFoundException", "The specified log group does not exist."))
    assert hook.last_lines("fit-1", most=2) == []


def test_without_a_connection_no_other_credentials_are_taken(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody's")
    with pytest.raises(Exception, match="absent"):
        TrainingJobsHook("absent").describe("fit-1")


def test_a_job_has_a_page_where_it_is_aws_that_runs_it(hook, monkeypatch):
    assert hook.page("fit-1") == ""
    monkeypatch.setattr(hook.conn_config, "endpoint_url", None)
    assert hook.page("fit-1") == "https://eu-west-1.console.aws.amazon.com/sagemaker/home?region=eu-west-1#/jobs/fit-1"
