"""Where a Service is reached, on answers of the Kubernetes client."""

import json
from types import SimpleNamespace as Answer
from urllib.parse import parse_qs

import pytest
from kubernetes.client import ApiClient, Configuration, CoreV1Api

from flightline.hooks.cluster import ClusterHook
from include.foundation.errors import InvalidInput, RetryableError, ServiceUnavailable
from include.foundation.jobs import PERMANENT
from include.foundation.spec import load

HANG = (None, {"seconds": 5})  # of `server`


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
        core = Answer(read_namespaced_service=lambda *_, **__: service, list_node=lambda **_: Answer(items=list(nodes)))
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
        custom = Answer(get_namespaced_custom_object=lambda *key, **_: asked.append(key) or found)
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


PODS = "/api/v1/namespaces/flightline-production/pods"


def replica(name, *restarts, **metadata):
    statuses = [
        {"name": f"c{i}", "image": "i", "imageID": "i", "ready": True, "restartCount": count}
        for i, count in enumerate(restarts)
    ]
    return {"metadata": {"name": name, **metadata}, "status": {"phase": "Running", "containerStatuses": statuses}}


@pytest.fixture
def api(monkeypatch, server):
    """A scripted API server, behind the real client."""
    settings = Configuration(host=f"http://127.0.0.1:{server.port}")
    settings.retries = 0
    core = CoreV1Api(ApiClient(settings))
    monkeypatch.setattr(ClusterHook, "get_conn", lambda _: Answer(core_v1_client=core))
    monkeypatch.setenv("AIRFLOW_CONN_CLUSTER", json.dumps({"conn_type": "kubernetes", "extra": {"profile": "gpu"}}))
    monkeypatch.setattr("flightline.hooks.cluster.POLL_SECONDS", 0)
    monkeypatch.setattr("flightline.hooks.cluster.METRICS_SECONDS", 1)
    monkeypatch.setattr("flightline.hooks.cluster.ANSWER_SECONDS", 20)
    return server


def test_each_replica_is_asked_and_one_that_does_not_answer_still_tells_its_restarts(api):
    gone = {"deletionTimestamp": "2026-01-01T00:00:00Z"}
    pods = [replica("a", 0), replica("refuses", 2, 1), replica("hangs", 1), replica("goes", 0, **gone)]
    api.on(f"GET {PODS}", {"items": pods})
    api.on(f"GET {PODS}/a%3A8080/proxy/metrics", (200, "up 1\n"))
    api.on(f"GET {PODS}/refuses%3A8080/proxy/metrics", (503, {}))
    api.on(f"GET {PODS}/hangs%3A8080/proxy/metrics", HANG)
    api.on(f"GET {PODS}/goes%3A8080/proxy/metrics", (None, {}))
    found = ClusterHook().expositions(FLIGHTS, "7", "flightline-production")
    assert found == {"a": (0, "up 1\n"), "refuses": (3, ""), "hangs": (1, "")}
    ((query, *_),) = api.sent(f"GET {PODS}")
    assert parse_qs(query)["labelSelector"][0].endswith("app.kubernetes.io/version=7")
    assert parse_qs(query)["fieldSelector"] == ["status.phase=Running"]


@pytest.mark.parametrize("fault", [(None, {}), (503, {"message": "etcd"}), HANG])
def test_a_cluster_that_does_not_answer_is_told_by_name(api, fault, monkeypatch):
    monkeypatch.setattr("flightline.hooks.cluster.ANSWER_SECONDS", 1)
    for route in (f"GET {PODS}", "GET /api/v1/namespaces/n/services/rain", "POST /api/v1/namespaces/flightline/pods"):
        api.on(route, fault)
    hook = ClusterHook()
    for ask in (
        lambda: hook.expositions(FLIGHTS, "7", "flightline-production"),
        lambda: hook.service_url("rain", "n"),
        lambda: hook.run_pod("i:1", ["-V"]),
    ):
        with pytest.raises(ServiceUnavailable, match="the cluster does not answer for"):
            ask()


ASKED = "/api/v1/namespaces/flightline/pods"


def asking(phase="Pending", **status):
    return {"metadata": {"name": "ask-1"}, "status": {"phase": phase, **status}}


def ended(code):
    terminated = {"state": {"terminated": {"exitCode": code}}}
    status = {"name": "base", "image": "i", "imageID": "i", "ready": False, "restartCount": 0, **terminated}
    return asking("Failed", containerStatuses=[status])


@pytest.fixture
def run_pod(api):
    """Run a pod that the cluster then shows so; its log is a line."""

    def run(*shown):
        api.on(f"POST {ASKED}", asking())
        api.on(f"GET {ASKED}/ask-1", *shown)
        api.on(f"GET {ASKED}/ask-1/log", (200, "said"))
        api.on(f"DELETE {ASKED}/ask-1", {})
        return ClusterHook().run_pod("i:1", ["-c", "1"])

    return run


def test_a_pod_runs_as_the_profile_says_and_is_deleted(api, run_pod):
    assert run_pod(asking("Running"), asking("Succeeded")) == "said"
    ((_, pod, _),) = api.sent(f"POST {ASKED}")
    assert pod["spec"]["tolerations"], "the template's"
    assert pod["spec"]["containers"][0]["args"] == ["-c", "1"]
    assert len(api.sent(f"DELETE {ASKED}/ask-1")) == 1


def test_how_a_pod_ended_is_not_hidden_by_its_deletion(api):
    api.on(f"POST {ASKED}", asking("Succeeded"))
    api.on(f"GET {ASKED}/ask-1/log", (200, "said"))
    api.on(f"DELETE {ASKED}/ask-1", (404, {}))
    assert ClusterHook().run_pod("i:1", ["-V"]) == "said"


DRAINED = [{"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI", "message": "a drain"}]


@pytest.mark.parametrize(
    ("shown", "why"),
    [
        (asking("Failed", reason="Evicted", message="The node was low on memory"), "Evicted: The node was low"),
        (asking("Failed", reason="NodeShutdown", message="bye"), "NodeShutdown: bye"),
        (ended(143) | {"status": {**ended(143)["status"], "conditions": DRAINED}}, "EvictionByEvictionAPI: a drain"),
        (ended(143) | {"metadata": {"name": "ask-1", "deletionTimestamp": "2026-01-01T00:00:00Z"}}, "deleted"),
        ((404, {"message": "gone"}), "404"),
    ],
)
def test_a_pod_that_the_cluster_ended_may_be_run_again(run_pod, shown, why):
    with pytest.raises(ServiceUnavailable, match=why):
        run_pod(asking("Running"), shown)


@pytest.mark.parametrize(("code", "error"), [(PERMANENT, InvalidInput), (1, RetryableError), (137, RetryableError)])
def test_a_program_says_by_its_exit_code_whether_a_retry_can_help(run_pod, code, error):
    with pytest.raises(error, match="python -c 1 failed in image i:1: said"):
        run_pod(ended(code))
