"""Where a Service is reached, on answers of the Kubernetes client."""

import json
from types import SimpleNamespace as Answer

import pytest
from kubernetes.client import ApiException

from flightline.hooks.cluster import ClusterHook
from include.foundation.errors import ServiceUnavailable
from include.foundation.spec import load


def node(address, *, ready="True", kind="InternalIP"):
    status = Answer(
        addresses=[Answer(type="Hostname", address="n"), Answer(type=kind, address=address)],
        conditions=[Answer(type="Ready", status=ready)],
    )
    return Answer(status=status)


@pytest.fixture
def url(monkeypatch):
    """The URL that is found, given the nodes and what the load balancer has."""

    def found(nodes=(), ingress=(), node_port=30080):
        service = Answer(
            spec=Answer(ports=[Answer(port=80, node_port=node_port)], type="NodePort"),
            status=Answer(load_balancer=Answer(ingress=list(ingress))),
        )
        core = Answer(read_namespaced_service=lambda *_: service, list_node=lambda: Answer(items=list(nodes)))
        monkeypatch.setattr(ClusterHook, "get_conn", lambda _: Answer(core_v1_client=core))
        return ClusterHook().service_url("rain", "flightline-production")

    return found


def test_a_port_of_a_node(url):
    assert url([node("10.0.0.1")]) == "http://10.0.0.1:30080"
    assert url([node("10.0.0.1"), node("192.0.2.1", kind="ExternalIP")]) == "http://192.0.2.1:30080"


def test_a_load_balancer_comes_first(url):
    assert url([node("10.0.0.1")], [Answer(hostname="rain.example", ip=None)]) == "http://rain.example:80"
    assert url([], [Answer(hostname=None, ip="192.0.2.7")]) == "http://192.0.2.7:80"


def test_ipv6_is_in_brackets(url):
    assert url([node("fd00:10::5")]) == "http://[fd00:10::5]:30080"
    assert url([], [Answer(hostname=None, ip="2001:db8::7")]) == "http://[2001:db8::7]:80"


@pytest.mark.parametrize("ready", ["Unknown", "False"])
def test_a_node_that_is_not_ready_is_passed_over(url, ready):
    assert url([node("10.0.0.1", ready=ready), node("10.0.0.2")]) == "http://10.0.0.2:30080"
    with pytest.raises(ServiceUnavailable, match="none of the cluster's 1 nodes is Ready"):
        url([node("10.0.0.1", ready=ready)])


def test_no_way_in_from_outside(url):
    with pytest.raises(ServiceUnavailable, match="make it NodePort or LoadBalancer"):
        url([node("10.0.0.1")], node_port=None)


FLIGHTS = load("flight_delays")
PRODUCTION = FLIGHTS.promotion.stages[-1]


@pytest.fixture
def gateway(monkeypatch):
    """A hook of a cluster whose Gateway has these addresses."""

    def made(*addresses, **extra):
        spec = {"listeners": [{"protocol": "HTTP", "port": 8080}]}
        found = {"spec": spec, "status": {"addresses": [{"value": address} for address in addresses]}}
        asked = []
        custom = Answer(get_namespaced_custom_object=lambda *key: asked.append(key) or found)
        monkeypatch.setattr(ClusterHook, "get_conn", lambda _: Answer(custom_object_client=custom))
        monkeypatch.setenv("AIRFLOW_CONN_CLUSTER", json.dumps({"conn_type": "kubernetes", "extra": extra}))
        return ClusterHook(), asked

    return made


def test_a_stage_has_one_address_on_the_gateway(gateway):
    hook, asked = gateway("10.0.0.9", gateway="edge/main")
    assert hook.endpoint(FLIGHTS, PRODUCTION) == "http://10.0.0.9:8080/production/flight-delays"
    assert asked == [("gateway.networking.k8s.io", "v1", "edge", "gateways", "main")]
    assert gateway()[0].gateway == "flightline/flightline"


def test_the_connection_may_say_how_callers_reach_the_gateway(gateway):
    hook, asked = gateway(gateway_url="https://models.example/")
    assert hook.endpoint(FLIGHTS, PRODUCTION) == "https://models.example/production/flight-delays"
    assert asked == []


def test_a_gateway_that_nobody_serves_has_no_address(gateway):
    with pytest.raises(ServiceUnavailable, match="Gateway flightline/flightline has no address"):
        gateway()[0].endpoint(FLIGHTS, PRODUCTION)


def test_each_replica_is_asked_and_one_that_does_not_answer_still_tells_its_restarts(monkeypatch):
    def pod(name, *restarts):
        statuses = [Answer(restart_count=count) for count in restarts]
        return Answer(metadata=Answer(name=name), status=Answer(container_statuses=statuses))

    def metrics(name, namespace, path, **_):
        if name.startswith("b"):
            raise ApiException(reason="Service Unavailable")
        assert (name, namespace, path) == ("a:8080", "flightline-production", "metrics")
        return Answer(data=b"up 1\n")

    asked = []
    core = Answer(
        list_namespaced_pod=lambda namespace, label_selector: (
            asked.append(label_selector) or Answer(items=[pod("a", 0), pod("b", 2, 1)])
        ),
        connect_get_namespaced_pod_proxy_with_path=metrics,
    )
    monkeypatch.setattr(ClusterHook, "get_conn", lambda _: Answer(core_v1_client=core))
    found = ClusterHook().expositions(FLIGHTS, "7", "flightline-production")
    assert found == {"a": (0, "up 1\n"), "b": (3, "")}
    assert asked[0].endswith("app.kubernetes.io/version=7")
