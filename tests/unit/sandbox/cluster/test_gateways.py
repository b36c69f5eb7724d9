import json

import pytest

from sandbox.cluster.gateways import NAME, Gateways


@pytest.fixture
def routes(registry, tmp_path):
    """What Traefik reads after the controller has worked."""
    registry.create("gatewayclasses", "", {"metadata": {"name": "c"}, "spec": {"controllerName": NAME}})
    gateway = {"metadata": {"name": "g"}, "spec": {"gatewayClassName": "c", "listeners": []}}
    registry.create("gateways", "n", gateway)
    controller = Gateways(registry, tmp_path / "gateway")

    def read():
        controller.reconcile("", "")
        return json.loads((tmp_path / "gateway" / "routes.yml").read_text())

    return read


def route(*, parent="g", filters=()):
    backend = {"name": "s", "port": 80, "weight": 1}
    rule = {
        "matches": [{"path": {"type": "PathPrefix", "value": "/x"}}],
        "filters": list(filters),
        "backendRefs": [backend],
    }
    return {"metadata": {"name": "r"}, "spec": {"parentRefs": [{"name": parent}], "rules": [rule]}}


def conditions(store):
    (parent,) = store.get("httproutes", "n", "r")["status"]["parents"]
    assert parent["parentRef"] == {"name": "g"}
    return {each["type"]: (each["status"], each["reason"], each["observedGeneration"]) for each in parent["conditions"]}


def test_a_route_leads_to_the_ready_pods_and_says_so(registry, store, routes):
    assert routes() == {}
    assert store.get("gateways", "n", "g")["status"]["addresses"] == [{"type": "IPAddress", "value": "127.0.0.1"}]
    registry.create("services", "n", {"metadata": {"name": "s"}, "spec": {"ports": [{"name": "http", "port": 80}]}})
    subset = {"addresses": [{"ip": "127.0.0.1"}], "ports": [{"name": "http", "port": 4321, "protocol": "TCP"}]}
    registry.create("endpoints", "n", {"metadata": {"name": "s"}, "subsets": [subset]})
    registry.create("httproutes", "n", route())
    servers = routes()["http"]["services"]["n-s-80"]["loadBalancer"]["servers"]
    assert servers == [{"url": "http://127.0.0.1:4321"}]
    assert conditions(store) == {"Accepted": ("True", "Accepted", 1), "ResolvedRefs": ("True", "ResolvedRefs", 1)}
    version = store.version
    routes()
    assert store.version == version, "what has not changed is not written again"


def test_a_route_to_nobody_or_of_what_is_left_out_says_so(registry, store, routes):
    registry.create("httproutes", "n", route())
    routes()
    assert conditions(store)["ResolvedRefs"] == ("False", "BackendNotFound", 1)
    registry.replace("httproutes", "n", "r", route(filters=[{"type": "RequestRedirect"}]))
    assert routes() == {}
    assert conditions(store)["Accepted"] == ("False", "UnsupportedValue", 2)


def test_a_route_of_another_gateway_is_left_alone(registry, store, routes):
    registry.create("httproutes", "n", route(parent="other"))
    assert routes() == {}
    assert "status" not in store.get("httproutes", "n", "r")
