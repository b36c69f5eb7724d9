"""Where a Service is reached, on answers of the Kubernetes client."""

from types import SimpleNamespace as Answer

import pytest

from flightline.hooks.cluster import ClusterHook
from include.foundation.errors import ServiceUnavailable


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
