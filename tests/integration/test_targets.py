"""All targets of a promotion by a use case's own Dags, and what becomes of it where one of them fails."""

import json

import boto3
import httpx
import pytest
from playwright.sync_api import expect

from flightline.targets import STAYS
from include.foundation.lake import Lake
from tests.integration import trips
from tests.integration.test_dags import answer, finish, promotion_of, task_states

pytestmark = [pytest.mark.integration, pytest.mark.soak, pytest.mark.timeout(3600)]
USE_CASES, SERVICES = ("fares",), ("all", "modzy", "sagemaker")
NAME, DAG = "fares", "fares.promote"
RECORD = {"at": "2024-03-10T08:00:00Z", "place": "north", "hour": 8, "warmth": 0.5}
NO_ROOM = "Unable to provision requested ML compute capacity."


def sagemaker(sandbox, service):
    """boto3, at the stand-in."""
    keys = {"aws_access_key_id": "key", "aws_secret_access_key": "secret", "region_name": "us-east-1"}
    return boto3.client(service, endpoint_url=sandbox.endpoints.url("sagemaker"), **keys)


@pytest.fixture(scope="module")
def promotion(sandbox):
    """A promotion for whose endpoint SageMaker has no machine: the id of its run, which has ended."""
    api = sandbox.api
    fault = {"operation": "Endpoint", "code": "Failed", "message": NO_ROOM, "times": 2}
    httpx.post(f"{sandbox.endpoints.url('sagemaker')}/faults", json=fault).raise_for_status()
    trips.land(Lake.from_env(sandbox.endpoints.trainer_env), NAME)
    api.wait_for_dags(*(f"{NAME}.{stage}" for stage in ("ingest", "features", "train", "promote")))
    api.trigger(f"{NAME}.ingest", {"start_date": str(trips.DAYS[0]), "end_date": str(trips.DAYS[-1])})
    run_id = promotion_of(api, NAME, timeout=1800)
    answer(api, run_id, "Approve", use_case=NAME, timeout=600)
    finish(api, DAG, run_id, timeout=1200)
    return run_id


def test_where_a_target_fails_the_run_says_so_and_all_else_stays(sandbox, pages, promotion):
    api, states = sandbox.api, task_states(sandbox.api, DAG, promotion)
    assert api.run(DAG, promotion)["state"] == "failed"
    assert (states.pop("sagemaker.deploy"), states.pop("sagemaker.retire")) == ("failed", "upstream_failed")
    assert {*states.values()} <= {"success", "skipped"}
    assert api.xcom(DAG, promotion, "modzy.publish")["version"] == "1.0.0"
    note = api.run(DAG, promotion)["note"]
    for words in (NO_ROOM, STAYS, "1.0.0 is active in the marketplace", "the champion of fares is version 1"):
        assert words in note
    expect(pages.run(DAG, promotion).get_by_text(NO_ROOM).first).to_be_visible()
    page = pages.linked(DAG, promotion, "modzy.publish", "Marketplace")
    expect(page.get_by_text("active; versions: 1.0.0")).to_be_visible()
    page.close()


def test_cleared_it_goes_on_and_every_target_answers_as_the_stage_does(sandbox, promotion):
    api = sandbox.api
    wanted = {"dry_run": False, "task_ids": ["sagemaker.deploy", "sagemaker.retire"], "dag_run_id": promotion}
    api.request("POST", f"/dags/{DAG}/clearTaskInstances", json=wanted)
    state, logs = finish(api, DAG, promotion)
    assert state == "success", logs
    assert "SageMaker's endpoint fares serves version 1" in api.run(DAG, promotion)["note"]
    endpoint = api.xcom(DAG, promotion, "rollout.production.smoke", key="endpoint")
    (said,) = httpx.post(f"{endpoint}/v1/models/{NAME}/predict", json={"records": [RECORD]}).json()
    assert "value" in said
    body = json.dumps({"records": [RECORD]})
    hosted = sagemaker(sandbox, "sagemaker-runtime").invoke_endpoint(EndpointName=NAME, Body=body)
    assert json.load(hosted["Body"]) == [said]
