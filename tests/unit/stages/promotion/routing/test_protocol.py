"""What every way of dividing requests must do: one test for all members of the slot."""

import pytest

from include.foundation import spec
from include.foundation.spec.promotion import Stage
from include.stages.promotion import routing
from include.stages.promotion.routing import Split

FLIGHTS = spec.load("flight_delays")
SPLITS = {
    "first": Split(candidate="1"),
    "shadow": Split(candidate="8", stable="7", weight=0, mirror=50),
    "canary": Split(candidate="8", stable="7", weight=10),
    "half": Split(candidate="8", stable="7", weight=50),
    "full": Split(candidate="8", stable="7", weight=100),
    "alone": Split(candidate="8"),
}
SERVING = {"first": "1", "shadow": "7", "canary": "7", "full": "8", "alone": "8"}


@pytest.fixture(params=sorted(routing.ROUTINGS))
def stage(request) -> Stage:
    return Stage(name="production", replicas=4, rollout=request.param)


def manifest(stage, split):
    return routing.of(stage).manifest(FLIGHTS, stage, split, parent="gateways/main")


@pytest.mark.parametrize("name", SPLITS)
def test_it_is_deterministic_and_its_name_and_place_are_the_stages(stage, name):
    made = manifest(stage, SPLITS[name])
    assert made == manifest(stage, SPLITS[name])
    assert (made["metadata"]["name"], made["metadata"]["namespace"]) == ("flight-delays", "flightline-production")


@pytest.mark.parametrize("name", SERVING)
def test_who_serves_is_read_back(stage, name):
    member, split = routing.of(stage), SPLITS[name]
    assert member.serving(manifest(stage, split), member.replicas(stage, split)) == SERVING[name]


@pytest.mark.parametrize("name", SPLITS)
def test_who_answers_has_replicas(stage, name):
    split = SPLITS[name]
    if split.mirror and not routing.of(stage).mirrors:
        pytest.skip("refused by the spec")
    replicas = routing.of(stage).replicas(stage, split)
    assert replicas.keys() == split.shares.keys()
    assert all(replicas[version] > 0 for version, share in split.shares.items() if share)
    assert replicas[split.candidate] > 0 or not split.weight


def test_the_address_does_not_depend_on_who_answers(stage):
    member = routing.of(stage)
    addresses = {str(member.path(FLIGHTS, stage))}
    for split in SPLITS.values():
        made = manifest(stage, split)
        rules = made["spec"].get("rules", [{}])
        addresses.add(str(rules[0].get("matches", [{"path": {"value": None}}])[0]["path"]["value"]))
    assert len(addresses) == 1
