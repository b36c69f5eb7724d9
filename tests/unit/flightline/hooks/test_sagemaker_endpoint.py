"""Hook and operator against the stand-in with containers that echo; real ones: tests/integration/test_endpoint.py."""

import json
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import TaskDeferred

from flightline.exceptions import (
    SageMakerAnswersDiffer,
    SageMakerEndpointFailed,
    SageMakerRefused,
)
from flightline.hooks.sagemaker_endpoint import EndpointsHook
from flightline.operators.sagemaker_endpoint import SageMakerDeployOperator, SageMakerRetireOperator
from include.stages.promotion import marketplace
from tests.unit import hosting
from tests.unit.hosting import IMAGE, ROLE


def variant(number, endpoint="flight-delays", who=""):
    model, config = f"{endpoint}-v{number}-{number * 12}", f"{endpoint}-v{number}-{number * 12}-00000000"
    machines = {"VariantName": "all", "ModelName": model, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    container = {"Image": IMAGE, "Environment": {"WHO": who}}
    return {
        "use_case": "flight_delays",
        "endpoint": endpoint,
        "version": number,
        "digest": "",
        "model": {"ModelName": model, "ExecutionRoleArn": ROLE, "PrimaryContainer": container},
        "config": {"EndpointConfigName": config, "ProductionVariants": [machines]},
        "records": [number],
        "expected": [{"records": [number]}],
    }


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    """The stand-in and a hook that leads to it: a client of SageMaker takes a second to make."""
    with hosting.running(tmp_path_factory.mktemp("hosting")) as server, pytest.MonkeyPatch.context() as patch:
        extra = {"region_name": "us-east-1", "endpoint_url": server.url}
        connection = {"conn_type": "aws", "login": "key", "password": "secret", "extra": extra}
        patch.setenv("AIRFLOW_CONN_SAGEMAKER", json.dumps(connection))
        hook = EndpointsHook("sagemaker")

        async def aopen(conn_id):
            return hook

        patch.setattr(EndpointsHook, "aopen", aopen)
        yield server, hook


@pytest.fixture
def server(one):
    return one[0]


@pytest.fixture
def hook(one, monkeypatch):
    """The hook of every operator; an answer is right if it is the expected one."""

    def check(spec, answers, *, expected, digest):
        if [answers] != expected:
            raise SageMakerAnswersDiffer("another answer")

    monkeypatch.setattr(marketplace, "check", check)
    for kind in (SageMakerDeployOperator, SageMakerRetireOperator):
        monkeypatch.setattr(kind, "hook", one[1])
    return one[1]


def context():
    return {"ti": SimpleNamespace(xcom_push=lambda *_, **__: None)}


def deploy(found):
    return SageMakerDeployOperator(
        task_id="deploy", variant=found, deferrable=False, poll_seconds=0.02, timeout=60
    ).execute(context())


def names(found):
    return found["config"]["EndpointConfigName"], found["model"]["ModelName"]


def test_an_endpoint_goes_from_version_to_version_and_back(hook, server):
    one, two = variant("1"), variant("2")
    server.fault("CreateModel", code="ThrottlingException", message="Rate exceeded")
    server.fault("DescribeEndpoint", code="InternalFailure", status=500)
    assert deploy(one) == {"endpoint": "flight-delays", "config": names(one)[0], "model": names(one)[1], "version": "1"}
    assert hook.verified(hook.describe("flight-delays")["EndpointArn"]) == names(one)[0]
    assert hook.invoke("flight-delays", 7) == 7
    with pytest.raises(SageMakerAnswersDiffer, match="answers 422"):
        hook.invoke("flight-delays", "bad")
    server.fault("InvokeEndpoint", code="ValidationError", message="no")
    with pytest.raises(SageMakerRefused, match="InvokeEndpoint flight-delays"):
        hook.invoke("flight-delays", 7)

    server.fault("Endpoint", code="Failed", message="Unable to provision requested ML compute capacity.")
    with pytest.raises(SageMakerEndpointFailed, match=f"compute capacity.*It is InService and serves {names(one)[0]}"):
        deploy(two)
    with pytest.raises(SageMakerAnswersDiffer, match=f"another answer. it serves {names(one)[0]} again"):
        deploy({**two, "expected": []})
    assert hook.configs("flight-delays-v") == [names(one)[0]]
    deploy(two)
    retire = SageMakerRetireOperator(task_id="retire", endpoint="flight-delays", keep=names(two)[0])
    assert retire.execute(context()) == [*names(one)]
    assert retire.execute(context()) == []
    assert deploy(one)["version"] == "1", "promoted back"


def test_an_endpoint_that_never_was_right_is_deleted(hook):
    with pytest.raises(SageMakerAnswersDiffer, match="it is deleted, nothing served before"):
        deploy({**variant("3", "wrong"), "expected": []})
    assert hook.describe("wrong") is None
    with pytest.raises(SageMakerEndpointFailed, match="did not pass the ping health check"):
        deploy(variant("3", "broken", who="broken"))
    killed = SageMakerDeployOperator(task_id="deploy", variant=variant("3", "killed"))
    with pytest.raises(TaskDeferred):
        killed.execute(context())
    killed.on_kill()
    found = hook.describe("killed")
    assert found is None or found["EndpointStatus"] == "Deleting"


def test_a_name_with_other_content_is_refused(hook):
    found = variant("4", "taken")
    hook.ensure(found["model"], found["config"])
    found["model"]["PrimaryContainer"]["Image"] = "app:2"
    with pytest.raises(SageMakerRefused, match="is there with other content"):
        deploy(found)
