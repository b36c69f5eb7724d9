"""A version as an endpoint of SageMaker: real containers of bundles by the hosting contract, and what goes wrong."""

import json
from types import SimpleNamespace

import httpx
import pytest
from airflow.sdk.exceptions import TaskDeferred

from flightline.exceptions import SageMakerAnswersDiffer, SageMakerEndpointFailed, SageMakerRefused
from flightline.hooks import sagemaker_profile
from flightline.hooks.sagemaker_endpoint import EndpointsHook
from flightline.operators.sagemaker_endpoint import SageMakerDeployOperator, SageMakerRetireOperator
from include.stages.promotion.endpoint import variant
from tests.integration import marketplace
from tests.integration import sagemaker as sagemaker_service
from tests.integration.marketplace import SPEC

pytestmark = [pytest.mark.integration, pytest.mark.long, pytest.mark.timeout(900)]
NAME = SPEC.slug


@pytest.fixture(scope="module")
def versions(lake):
    return marketplace.versions(lake)


@pytest.fixture(scope="module")
def records():
    return marketplace.requests(60)


@pytest.fixture(scope="module")
def history(records):
    return marketplace.histories(records)


@pytest.fixture(scope="module")
def rest(lake, versions, history, records, postgres_database, tmp_path_factory):
    """What the REST services of both versions say, with history from the online table."""
    dsn = postgres_database()
    marketplace.publish(dsn, history)
    said = {}
    for number, version in versions.items():
        with marketplace.rest(tmp_path_factory.mktemp("rest") / "log", lake, version, dsn) as url:
            said[number] = httpx.post(url, json={"records": records}, timeout=120).raise_for_status().json()
    return said


@pytest.fixture(scope="module")
def variants(lake, versions, history, records, rest):
    """What is hosted of each version."""
    profile = sagemaker_profile.endpoint({"endpoint_profile": "sandbox"})
    profile["Model"]["ExecutionRoleArn"] = "arn:aws:iam::123456789012:role/flightline-training"
    return {
        number: variant(
            SPEC,
            version=number,
            digest=version.tags["model_digest"],
            bundle=marketplace.bundle(lake, versions, number, history),
            image="flightline/serving:c",
            profile=profile,
            records=records[:20],
            expected=[{"probability": answer["probability"]} for answer in rest[number][:20]],
        )
        for number, version in versions.items()
    }


@pytest.fixture(scope="module")
def server(lake, tmp_path_factory):
    home = tmp_path_factory.mktemp("sagemaker")
    with sagemaker_service.running(home, sagemaker_service.images(home / "images.json"), lake.s3) as one:
        yield one


@pytest.fixture
def hook(server, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_SAGEMAKER", json.dumps(server.connection))
    return EndpointsHook("sagemaker")


def context():
    return {"ti": SimpleNamespace(xcom_push=lambda *_, **__: None)}


def deploy(found, **more):
    options = {"deferrable": False, "poll_seconds": 0.1, "timeout": 300, **more}
    return SageMakerDeployOperator(task_id="deploy", variant=found, **options).execute(context())


def retire(keep):
    return SageMakerRetireOperator(task_id="retire", endpoint=NAME, keep=keep).execute(context())


def serves(hook):
    found = hook.describe(NAME)
    return found and (found["EndpointStatus"], found["EndpointConfigName"])


def named(found):
    return found["config"]["EndpointConfigName"], found["model"]["ModelName"]


def test_an_endpoint_goes_from_version_to_version_and_back(hook, server, variants, records, rest):
    """In one story, for each start of a container costs seconds."""
    one, two = variants["1"], variants["2"]
    wrong = {**one, "expected": [{"probability": 0.123}] * 20}
    with pytest.raises(SageMakerAnswersDiffer, match="it is deleted, nothing served before"):
        deploy(wrong)
    assert hook.describe(NAME) is None
    assert hook.models(f"{NAME}-v") == hook.configs(f"{NAME}-v") == []

    server.fault("Endpoint", code="Failed", message="Unable to provision requested ML compute capacity.")
    with pytest.raises(SageMakerEndpointFailed, match="ML compute capacity"):
        deploy(one)
    server.fault("CreateModel", code="ThrottlingException", message="Rate exceeded")
    server.fault("DescribeEndpoint", code="InternalFailure", status=500)
    server.fault("InvokeEndpoint", code="ServiceUnavailable", message="busy", status=503)
    answer = deploy(one)
    assert (answer["config"], answer["model"]) == named(one)
    assert hook.invoke(NAME, {"records": records}) == rest["1"], "the answers of REST, to the last bit"
    assert deploy(one) == answer, "what serves is left as it is"
    with pytest.raises(SageMakerAnswersDiffer, match="answers 422"):
        hook.invoke(NAME, {"records": [{}]})

    server.fault("Endpoint", code="Failed", message="did not pass the ping health check")
    with pytest.raises(SageMakerEndpointFailed, match=f"ping health check. It is InService and serves {named(one)[0]}"):
        deploy(two)
    with pytest.raises(SageMakerAnswersDiffer, match=f"serves {named(one)[0]} again"):
        deploy({**two, "expected": one["expected"]})
    assert serves(hook) == ("InService", named(one)[0])
    assert hook.invoke(NAME, {"records": records}) == rest["1"]
    assert hook.configs(f"{NAME}-v") == [named(one)[0]]

    deploy(two)
    assert hook.invoke(NAME, {"records": records}) == rest["2"]
    with pytest.raises(SageMakerEndpointFailed, match="nothing is deleted"):
        retire(named(one)[0])
    assert retire(named(two)[0]) == [*named(one)]
    assert hook.models(f"{NAME}-v") == [named(two)[1]]
    assert deploy(one)["config"] == named(one)[0], "promoted back"


def test_a_settled_fault_is_left_behind_by_the_next_try(hook, server, variants):
    deploy(variants["1"])
    server.fault("Endpoint", code="UpdateRollbackFailed", message="a mix of both")
    with pytest.raises(SageMakerEndpointFailed, match="a mix of both"):
        deploy(variants["2"])
    assert deploy(variants["2"])["version"] == "2"


def test_a_name_with_other_content_is_refused(hook, variants):
    one = json.loads(json.dumps(variants["1"]))
    hook.ensure(one["model"], one["config"])
    one["model"]["PrimaryContainer"]["ModelDataUrl"] = "s3://models/other.tar.gz"
    with pytest.raises(SageMakerRefused, match="is there with other content"):
        deploy(one)


def test_a_killed_task_leaves_no_endpoint_that_never_answered(hook, server, variants):
    killed = {**variants["1"], "endpoint": f"{NAME}-killed"}
    operator = SageMakerDeployOperator(task_id="deploy", variant=killed)
    with pytest.raises(TaskDeferred):
        operator.execute(context())
    operator.on_kill()
    found = hook.describe(killed["endpoint"])
    assert found is None or found["EndpointStatus"] == "Deleting"
