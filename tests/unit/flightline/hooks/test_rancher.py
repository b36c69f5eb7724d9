import json

import pytest

from flightline.exceptions import ClusterUnavailable, RancherRefused, RancherUnavailable
from flightline.hooks.rancher import RancherHook
from flightline.hooks.rancher_cluster import Cluster
from tests.unit.flightline.hooks.test_rancher_cluster import node, pod

OLD_LOGIN, NEW_LOGIN = "POST /v3-public/localProviders/local", "POST /v1-public/login"
NEW_KUBECONFIGS, NEW_TOKENS = "POST /apis/ext.cattle.io/v1/kubeconfigs", "POST /apis/ext.cattle.io/v1/tokens"
ABSENT = (404, {"type": "error", "code": "NotFound", "message": "not found"})
EAST = Cluster(id="c-m-1", name="east", state="active")
GONE = {"Code": {"Code": "ClusterUnavailable", "Status": 503}, "Message": "cluster agent disconnected"}


def cluster(name, state="active", ready="True", **labels):
    conditions = [{"type": "Ready", "status": ready}]
    return {"id": f"c-m-{name}", "name": name, "state": state, "labels": labels, "conditions": conditions}


@pytest.fixture
def connect(monkeypatch, server):
    """Call it for a hook whose Connection leads to the scripted server; no pauses between retries."""
    monkeypatch.setattr("flightline.hooks.rest.time.sleep", lambda seconds: None)

    def make(**changes):
        said = {
            "conn_type": "rancher",
            "schema": "http",
            "host": "127.0.0.1",
            "port": server.port,
            "password": "token-a:secret",
        }
        monkeypatch.setenv("AIRFLOW_CONN_RANCHER", json.dumps(said | changes))
        return RancherHook()

    return make


@pytest.fixture
def hook(connect):
    return connect()


def kubeconfig(**user):
    return json.dumps({"users": [{"name": "u", "user": user}]})


def test_a_token_of_the_connection_is_sent_as_it_is(hook, server):
    server.on("GET /v3/clusters", {"data": [cluster("west"), cluster("east")]})
    assert [each.name for each in hook.clusters()] == ["east", "west"]
    ((_, _, headers),) = server.sent("GET /v3/clusters")
    assert headers["Authorization"] == "Bearer token-a:secret"


def test_a_login_tries_the_new_way_and_falls_back_to_the_old_one(connect, server):
    hook = connect(login="admin", password="open sesame")
    server.on(NEW_LOGIN, ABSENT)
    server.on(OLD_LOGIN, (201, {"token": "token-b:fresh"}))
    assert hook.token == "token-b:fresh"
    ((_, body, headers),) = server.sent(NEW_LOGIN)
    assert (body["type"], body["password"]) == ("localProvider", "open sesame")
    assert "Authorization" not in headers
    assert len(server.sent(OLD_LOGIN)) == 1


def test_where_nobody_can_log_in_the_remedy_is_named(connect, server):
    server.on(NEW_LOGIN, ABSENT)
    server.on(OLD_LOGIN, ABSENT)
    with pytest.raises(RancherRefused, match="use an API token"):
        _ = connect(login="admin", password="x").token


def test_clusters_are_meant_by_name_by_id_or_by_labels(hook, server):
    server.on("GET /v3/clusters", {"data": [cluster("east", gpu="a100"), cluster("west", gpu="a100", site="b")]})
    assert hook.one("east").name == hook.one("c-m-east").name == "east"
    assert hook.one({"site": "b"}).name == "west"
    assert [each.name for each in hook.matching({"gpu": "a100"})] == ["east", "west"]
    with pytest.raises(RancherRefused, match="are 2 clusters"):
        hook.one({"gpu": "a100"})
    with pytest.raises(RancherRefused, match=r"no cluster 'north' \(there are: east, west\)"):
        hook.matching("north")


def test_active_alone_is_not_enough(hook, server):
    server.on("GET /v3/clusters", {"data": [cluster("east", ready="False")]})
    with pytest.raises(ClusterUnavailable, match=r"east \(c-m-east\) is not ready"):
        hook.choose("east")


def test_the_proxy_s_own_words_are_told_though_they_are_no_status(hook, server):
    server.on("GET /v3/clusters", {"data": [cluster("east")]})
    server.on("GET /k8s/clusters/c-m-east/version", (503, json.dumps(GONE)))
    with pytest.raises(ClusterUnavailable, match=r"cluster east \(c-m-east\) cannot be reached.*503 cluster agent"):
        hook.choose("east")


def test_of_several_clusters_the_one_with_the_most_free_gpus_is_chosen(hook, server):
    server.on("GET /v3/clusters", {"data": [cluster(name) for name in ("east", "north", "west")]})
    for name, gpus in (("east", 2), ("north", 4), ("west", 4)):
        path = f"GET /k8s/clusters/c-m-{name}"
        server.on(f"{path}/version", {})
        server.on(f"{path}/api/v1/nodes", {"items": [node("n", gpus)]})
        server.on(f"{path}/api/v1/pods", {"items": [pod("n", 3)] if name == "west" else []})
    assert hook.choose(None, gpus=1).name == "north"
    assert hook.choose(None).name == "east"
    with pytest.raises(ClusterUnavailable, match=r"west \(c-m-west\) has 1 free GPUs of the 8"):
        hook.choose(None, gpus=8)


def test_a_kubeconfig_counts_in_seconds_and_a_token_in_milliseconds(hook, server):
    value = kubeconfig(token="kubeconfig-x:hidden")
    server.on(NEW_KUBECONFIGS, (201, {"metadata": {"name": "kubeconfig-1"}, "status": {"value": value}}))
    server.on(NEW_TOKENS, (201, {"metadata": {"name": "token-1"}, "status": {"bearerToken": "ext/token-1:hidden"}}))
    assert hook.mint_kubeconfig(EAST, seconds=60).path == "/apis/ext.cattle.io/v1/kubeconfigs/kubeconfig-1"
    assert hook.mint_token(seconds=60, cluster=EAST).text == "ext/token-1:hidden"
    assert server.sent(NEW_KUBECONFIGS)[0][1]["spec"]["ttl"] == 60
    assert server.sent(NEW_TOKENS)[0][1]["spec"] == {"ttl": 60_000, "description": "flightline", "clusterName": "c-m-1"}


def test_of_the_old_generation_too(hook, server):
    server.on(NEW_KUBECONFIGS, ABSENT)
    server.on(NEW_TOKENS, ABSENT)
    server.on("POST /v3/clusters/c-m-1", {"config": kubeconfig(token="kubeconfig-u-9:hidden")})
    server.on("POST /v3/tokens", (201, {"id": "token-7", "token": "token-7:hidden"}))
    minted = hook.mint_kubeconfig(EAST, seconds=60)
    assert minted.path == "/v3/tokens/kubeconfig-u-9"
    assert "hidden" not in repr(minted)
    assert hook.mint_token(seconds=60).path == "/v3/tokens/token-7"
    assert server.sent("POST /v3/tokens")[0][1]["ttl"] == 60_000
    server.on("DELETE /v3/tokens/token-7", ABSENT)
    hook.revoke(hook.mint_token(seconds=60))  # gone already


def test_a_kubeconfig_that_calls_rancher_s_program_is_of_no_use(hook, server):
    server.on(NEW_KUBECONFIGS, ABSENT)
    server.on("POST /v3/clusters/c-m-1", {"config": kubeconfig(exec={"command": "rancher"})})
    with pytest.raises(RancherRefused, match="kubeconfig-generate-token is off"):
        hook.mint_kubeconfig(EAST, seconds=60)


def test_what_passes_is_waited_out_and_what_was_started_is_not_repeated(hook, server):
    server.on("GET /v3/clusters", (502, "bad gateway"), (None, {}), {"data": []})
    assert hook.clusters() == []
    server.on(NEW_TOKENS, (503, "busy"))
    with pytest.raises(RancherUnavailable, match="503 busy"):
        hook.mint_token(seconds=60)
    assert len(server.sent(NEW_TOKENS)) == 1


def test_a_cluster_s_settings_are_the_connection_s_and_its_own(connect, server):
    own = {"east": {"gateway_url": "https://east.example"}}
    hook = connect(extra=json.dumps({"gateway": "a/b", "clusters": own, "verify": False}))
    settings = hook.settings(EAST)
    assert settings["argocd_server"] == f"http://127.0.0.1:{server.port}/k8s/clusters/c-m-1"
    assert (settings["gateway"], settings["gateway_url"]) == ("a/b", "https://east.example")
    assert "clusters" not in settings
    (server_of,) = hook.kubeconfig(EAST)["clusters"]
    assert server_of["cluster"]["insecure-skip-tls-verify"] is True
