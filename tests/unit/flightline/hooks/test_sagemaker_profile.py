import json

import pytest

from flightline.hooks import sagemaker_profile as profiles
from include.foundation.errors import InvalidInput
from sandbox.sagemaker import shapes


def test_a_connection_says_what_it_lacks(monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_SAGEMAKER", json.dumps({"conn_type": "aws", "extra": {"output": "s3://x"}}))
    assert profiles.settings("sagemaker", needs=("output",)) == {"output": "s3://x"}
    with pytest.raises(InvalidInput, match="execution_role"):
        profiles.settings("sagemaker", needs=("execution_role", "output"))


def test_what_comes_later_stands_over_what_came_before():
    assert profiles.merged({"a": {"b": 1, "c": 1}, "d": 1}, {"a": {"b": 2}}, {"a": {"e": 3}}) == {
        "a": {"b": 2, "c": 1, "e": 3},
        "d": 1,
    }


def test_a_profile_that_is_not_there_is_named_with_those_that_are():
    with pytest.raises(InvalidInput, match=r"'big' of SageMaker; there are: cpu, gpu, sandbox, spot"):
        profiles.job({"job_profile": "big"})
    with pytest.raises(InvalidInput, match=r"'\.\./cpu' of SageMaker; there are: cpu, sandbox"):
        profiles.endpoint({"endpoint_profile": "../cpu"})


@pytest.mark.parametrize("name", [path.stem for path in (profiles.ROOT / "endpoints").glob("*.yaml")])
def test_the_profiles_of_endpoints_are_requests_of_the_api(name):
    found = profiles.endpoint({"endpoint_profile": name, "endpoint": {"EndpointConfig": {"KmsKeyId": "key"}}})
    container = {"Image": "flightline/serving:1", "ModelDataUrl": "s3://models/x.tar.gz"}
    role = "arn:aws:iam::123456789012:role/hosting"
    shapes.check(
        "CreateModel", {"ModelName": "m", "ExecutionRoleArn": role, "PrimaryContainer": container, **found["Model"]}
    )
    for each in found["EndpointConfig"]["ProductionVariants"]:
        each["ModelName"] = "m"
    shapes.check("CreateEndpointConfig", {"EndpointConfigName": "c", **found["EndpointConfig"]})
