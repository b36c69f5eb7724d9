"""The API of endpoints by its real client: states, names, refusals, and a container that really answers."""

import time

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.unit import hosting
from tests.unit.hosting import IMAGE, KEYS, ROLE

QUICK = Config(retries={"total_max_attempts": 1})


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The stand-in, and its clients of both APIs."""
    with hosting.running(tmp_path_factory.mktemp("hosting")) as one:
        client, runtime = (
            boto3.client(name, endpoint_url=one.url, config=QUICK, **KEYS)
            for name in ("sagemaker", "sagemaker-runtime")
        )
        for name in ("one", "two", "broken"):
            container = {"Image": IMAGE, "Environment": {"WHO": name}}
            client.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer=container)
            variant = {"VariantName": "all", "ModelName": name, "InstanceType": "ml.m5.large"}
            variant["InitialInstanceCount"] = 1
            client.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
        yield one, client, runtime


def settled(client, name="flights"):
    deadline = time.monotonic() + 60
    while (found := client.describe_endpoint(EndpointName=name))["EndpointStatus"] in ("Creating", "Updating"):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found["EndpointStatus"], found["EndpointConfigName"], found.get("FailureReason", "")


def asked(runtime, body=b"x"):
    said = runtime.invoke_endpoint(EndpointName="flights", Body=body, ContentType="text/plain")
    return said["Body"].read()


def test_an_endpoint_s_life(server):
    one, client, runtime = server
    client.create_endpoint(EndpointName="flights", EndpointConfigName="one")
    assert settled(client) == ("InService", "one", "")
    assert asked(runtime) == b"onex"
    with pytest.raises(ClientError, match="Cannot create already existing endpoint"):
        client.create_endpoint(EndpointName="flights", EndpointConfigName="one")
    with pytest.raises(runtime.exceptions.ModelError) as refused:
        asked(runtime, b'"bad"')
    assert refused.value.response["OriginalStatusCode"] == 422

    client.update_endpoint(EndpointName="flights", EndpointConfigName="broken")
    with pytest.raises(ClientError, match="Cannot update in-progress endpoint"):
        client.update_endpoint(EndpointName="flights", EndpointConfigName="two")
    status, config, reason = settled(client)
    assert (status, config) == ("InService", "one")
    assert "did not pass the ping health check" in reason
    client.update_endpoint(EndpointName="flights", EndpointConfigName="two")
    assert settled(client) == ("InService", "two", "")
    assert asked(runtime) == b"twox"
    with pytest.raises(ClientError, match="an endpoint uses it"):
        client.delete_endpoint_config(EndpointConfigName="two")

    one.fault("Endpoint", code="OutOfService", message="gone")
    client.update_endpoint(EndpointName="flights", EndpointConfigName="one")
    assert settled(client) == ("OutOfService", "two", "gone")
    client.delete_endpoint(EndpointName="flights")
    deadline = time.monotonic() + 60
    while client.list_endpoints(NameContains="flights")["Endpoints"]:
        assert time.monotonic() < deadline
    with pytest.raises(ClientError, match="Could not find endpoint"):
        client.describe_endpoint(EndpointName="flights")
    with pytest.raises(ClientError, match="not found"):
        asked(runtime)


def test_an_endpoint_that_never_came_up_takes_its_end_alone(server):
    _, client, _ = server
    client.create_endpoint(EndpointName="ill", EndpointConfigName="broken")
    assert settled(client, "ill")[0] == "Failed"
    with pytest.raises(ClientError, match="Cannot update failed endpoint"):
        client.update_endpoint(EndpointName="ill", EndpointConfigName="one")
    client.delete_endpoint(EndpointName="ill")


def test_names_are_taken_once_and_requests_are_held_to_the_api(server):
    _, client, _ = server
    with pytest.raises(ClientError, match="Cannot create already existing model"):
        client.create_model(ModelName="one", ExecutionRoleArn=ROLE, PrimaryContainer={"Image": IMAGE})
    with pytest.raises(ClientError, match="regular expression pattern"):
        client.create_model(ModelName="no_underscores", ExecutionRoleArn=ROLE, PrimaryContainer={"Image": IMAGE})
    arn = client.create_endpoint(EndpointName="tagged", EndpointConfigName="one")["EndpointArn"]
    for value in ("a", "b"):
        client.add_tags(ResourceArn=arn, Tags=[{"Key": "k", "Value": value}])
    assert client.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "k", "Value": "b"}]
