"""What SageMaker's names say, and that they fit."""

from itertools import pairwise

import pytest
from botocore.session import get_session

from include.foundation.spec import load
from include.stages.promotion import endpoint

SPEC = load("flight_delays")
PROFILE = {
    "Model": {"ExecutionRoleArn": "arn:aws:iam::123456789012:role/hosting"},
    "EndpointConfig": {"ProductionVariants": [{"VariantName": "all", "InstanceType": "ml.m7i.large"}]},
}


def variant(**changes):
    given = {
        "version": "12",
        "digest": "a" * 64,
        "bundle": {"uri": "s3://models/_bundles/x.tar.gz", "digest": "b" * 64},
        "image": "registry/flightline/serving:c",
        "profile": PROFILE,
        "records": [{"carrier": "UA"}],
        "expected": [{"probability": 0.5}],
    }
    return endpoint.variant(SPEC, **given | changes)


def test_names_say_version_and_content():
    found = variant()
    model, config = found["model"]["ModelName"], found["config"]["EndpointConfigName"]
    assert model == f"flight-delays-v12-{'b' * 12}"
    assert config.startswith(f"{model}-")
    assert found["config"]["ProductionVariants"][0]["ModelName"] == model
    changed = [variant(), variant(image="other"), variant(profile={**PROFILE, "Model": {}})]
    assert all(a["config"]["EndpointConfigName"] != b["config"]["EndpointConfigName"] for a, b in pairwise(changed))
    assert variant(bundle={"uri": "s3://models/y.tar.gz", "digest": "c" * 64})["model"]["ModelName"] != model
    assert variant() == found


@pytest.mark.parametrize("name", ["a", "flight_delays", "a" * 63, "a" * 62 + "b"])
def test_the_longest_name_fits(name):
    spec = SPEC.model_copy(update={"name": name})
    found = endpoint.variant(
        spec,
        version="123456",
        digest="",
        bundle={"uri": "", "digest": "b" * 64},
        image="",
        profile=PROFILE,
        records=[],
        expected=[],
    )
    shapes = get_session().get_service_model("sagemaker")
    longest = shapes.shape_for("EndpointConfigName").metadata["max"]
    assert len(found["config"]["EndpointConfigName"]) <= longest


def test_long_names_that_begin_alike_have_endpoints_of_their_own():
    names = {endpoint.endpoint_name(SPEC.model_copy(update={"name": "a" * 50 + end})) for end in ("b", "c")}
    assert len(names) == 2


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        (f"flight-delays-v1-{'0' * 12}", True),
        (f"flight-delays-v1-{'0' * 12}-{'f' * 8}", True),
        (f"flight-delays-v1-b-v2-{'0' * 12}", False),
        (f"other-flight-delays-v1-{'0' * 12}", False),
        ("flight-delays-v1-mine", False),
    ],
)
def test_only_what_it_names_is_its_own(name, ours):
    assert endpoint.is_variant("flight-delays", name) is ours
