"""A Connection of type rancher stands where one of a cluster stands, for clients of workers and of the triggerer."""

import asyncio
import json

import pytest

from flightline.hooks.cluster_client import AsyncClusterClient, ClusterClient
from flightline.hooks.rancher import RancherHook
from flightline.hooks.rancher_cluster import Cluster

EAST, WEST = (Cluster(id=f"c-m-{name}", name=name, state="active") for name in ("east", "west"))
KUBERNETES = {"conn_type": "kubernetes", "extra": json.dumps({"namespace": "here", "in_cluster": True})}
RANCHER = {
    "conn_type": "rancher",
    "host": "https://rancher.example",
    "password": "token-a:secret",
    "extra": json.dumps({"cluster": "east", "namespace": "there"}),
}


@pytest.fixture(autouse=True)
def connections(monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_CLUSTER", json.dumps(KUBERNETES))
    monkeypatch.setenv("AIRFLOW_CONN_RANCHER", json.dumps(RANCHER))
    monkeypatch.setattr(RancherHook, "clusters", lambda _: [EAST, WEST])


def read(kind, conn_id, **which):
    if kind is ClusterClient:
        return ClusterClient(conn_id, **which).conn_extras
    return asyncio.run(AsyncClusterClient(conn_id, **which).get_conn_extras())


@pytest.mark.parametrize("kind", [ClusterClient, AsyncClusterClient])
def test_a_cluster_s_own_connection_is_read_as_it_is(kind):
    assert read(kind, "cluster") == {"namespace": "here", "in_cluster": True}


@pytest.mark.parametrize("kind", [ClusterClient, AsyncClusterClient])
@pytest.mark.parametrize(("which", "found"), [({}, EAST), ({"cluster": "c-m-west"}, WEST)])
def test_rancher_s_leads_through_its_proxy_to_the_cluster_that_is_meant(kind, which, found):
    extras = read(kind, "rancher", **which)
    config = extras["kube_config"]
    assert config["clusters"][0]["cluster"]["server"] == f"https://rancher.example/k8s/clusters/{found.id}"
    assert config["users"][0]["user"]["token"] == "token-a:secret"
    assert extras["namespace"] == "there"


def test_the_client_is_of_the_cluster():
    client = ClusterClient("rancher").core_v1_client.api_client.configuration
    assert client.host == "https://rancher.example/k8s/clusters/c-m-east"
