import pytest

from include.foundation import spec
from include.foundation.errors import InvalidInput
from include.stages.promotion import manifests
from include.stages.promotion.routing import Split
from include.stages.promotion.served import Served, served

FLIGHTS = spec.load("flight_delays")
STAGING, PRODUCTION = FLIGHTS.promotion.stages
VERSION = {
    **{"model_uri": "s3://m", "digest": "a" * 64, "image": "i", "manifest_digest": "b" * 64},
    **{"feature_code": "d" * 64, "run_id": "r1"},
}


def rendered(stage, version):
    return manifests.render(FLIGHTS, stage, Split(candidate=version), before={}, parent="flightline/main", **VERSION)


def test_an_empty_repository_serves_nothing():
    nothing = (Served(stage="staging", version=None), Served(stage="production", version=None))
    assert served(FLIGHTS, {}) == nothing
    assert served(FLIGHTS, dict(manifests.readme(FLIGHTS, stage) for stage in (STAGING, PRODUCTION))) == nothing


def test_what_promotions_commit_is_read_back():
    files = rendered(STAGING, "4") | rendered(PRODUCTION, "3")
    assert served(FLIGHTS, files) == (Served(stage="staging", version="4"), Served(stage="production", version="3"))


def test_a_file_of_somebody_is_named():
    files = rendered(PRODUCTION, "3") | {"flight-delays/production/extra.yaml": "x", "flight-delays/notes.md": "x"}
    assert served(FLIGHTS, files)[1].foreign == ("flight-delays/production/extra.yaml",)


@pytest.mark.parametrize("text", ["{", "[]", "metadata: {}", "metadata: {annotations: {other: 1}}"])
def test_a_deployment_that_does_not_say_its_version_is_not_guessed(text):
    with pytest.raises(InvalidInput, match=r"flight-delays/production/deployment\.yaml .* does not say which version"):
        served(FLIGHTS, {"flight-delays/production/deployment.yaml": text})
