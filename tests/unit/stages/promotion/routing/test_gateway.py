from include.foundation import spec
from include.stages.promotion.routing import Split
from include.stages.promotion.routing.gateway import Gateway

FLIGHTS = spec.load("flight_delays")
PRODUCTION = FLIGHTS.promotion.stages[-1]


def rule(**split):
    made = Gateway().manifest(FLIGHTS, PRODUCTION, Split(candidate="8", stable="7", **split), parent="gateways/main")
    assert made["spec"]["parentRefs"] == [{"name": "main", "namespace": "gateways"}]
    return made["spec"]["rules"][0]


def test_weights_are_those_of_the_versions_services():
    backends = [
        {"name": "flight-delays-v7", "port": 80, "weight": 90},
        {"name": "flight-delays-v8", "port": 80, "weight": 10},
    ]
    assert rule(weight=10)["backendRefs"] == backends
    assert [each["type"] for each in rule(weight=10)["filters"]] == ["URLRewrite"]


def test_a_shadow_gets_copies_and_answers_nothing():
    found = rule(weight=0, mirror=50)
    assert [each["weight"] for each in found["backendRefs"]] == [100, 0]
    mirror = {"backendRef": {"name": "flight-delays-v8", "port": 80}, "percent": 50}
    assert found["filters"][-1] == {"type": "RequestMirror", "requestMirror": mirror}
    rule(weight=0, mirror=50)["filters"].clear()
    assert len(rule(weight=0, mirror=50)["filters"]) == 2, "the template is not changed"


def test_a_version_that_ends_like_another_is_not_taken_for_it():
    made = Gateway().manifest(FLIGHTS, PRODUCTION, Split(candidate="11", stable="1", weight=90), parent="g/m")
    assert Gateway().serving(made, {"1": 2, "11": 2}) == "11"
