"""URLs, environments and Connections that follow from a base port, a home and its secrets."""

import json
from pathlib import Path

import pytest

from include.foundation.lake import Lake
from sandbox.endpoints import Endpoints
from sandbox.supervisor.home import Home, Secrets


@pytest.fixture
def at() -> Endpoints:
    return Endpoints(home=Home(Path("/srv/fl")), port=9000, secrets=Secrets.new())


def test_every_url_is_on_loopback_and_has_a_port_of_its_own(at) -> None:
    urls = [at.url(name) for name in ("airflow", "mlflow", "s3", "sigopt", "cluster", "argocd")]
    assert urls == [f"http://127.0.0.1:{9000 + offset}" for offset in range(6)]
    assert at.node_ports == (9020, 9059)
    assert at.gitops == "file:///srv/fl/gitops.git"


def test_databases_are_reached_over_a_unix_socket(at) -> None:
    assert at.dsn("lake") == "postgresql://postgres@/lake?host=/srv/fl/run"
    assert at.dsn("lake", driver="asyncpg") == "postgresql+asyncpg://postgres@/lake?host=/srv/fl/run"


def test_the_trainers_environment_names_the_lake(at) -> None:
    lake = Lake.from_env(at.trainer_env)
    assert dict(lake.catalog_properties) == at.catalog
    assert (lake.landing, lake.models) == ("s3://landing", "s3://models")
    assert (lake.s3.endpoint, lake.s3.secret_key) == (at.url("s3"), at.secrets.s3_secret_key)


def test_serving_knows_nothing_of_training(at) -> None:
    assert not [name for name in at.serving_env if name.startswith(("PYICEBERG", "SIGOPT", "MLFLOW"))]
    assert set(at.serving_env) < set(at.trainer_env)


def test_connections_hold_what_the_architecture_says(at) -> None:
    connections = at.connections
    named = {"lake", "online", "cluster", "mlflow", "sigopt", "gitops", "argocd", "kafka", "pushgateway"} | {
        "sagemaker",
        "kubeflow",
        "modzy",
        "rancher",
    }
    assert set(connections) == named
    assert json.loads(connections["kafka"]["extra"]) == {"bootstrap.servers": "127.0.0.1:9012"}
    lake = json.loads(connections["lake"]["extra"])
    assert set(lake) == {"endpoint_url", "region_name", "catalog", "landing", "models"}
    assert lake["catalog"]["warehouse"] == "s3://lake"
    kube_config = json.loads(connections["cluster"]["extra"])["kube_config"]
    assert kube_config["clusters"][0]["cluster"]["server"] == "http://127.0.0.1:9004"
    for name in ("sigopt", "argocd"):
        assert connections[name]["password"] == getattr(at.secrets, f"{name}_token")


def test_kubectl_gets_the_token_for_a_proxy_and_not_in_the_url_that_it_prints(at) -> None:
    (cluster,) = at.kubectl_config["clusters"]
    assert cluster["cluster"] == {
        "server": "http://127.0.0.1:9004",
        "proxy-url": f"http://flightline:{at.secrets.cluster_token}@127.0.0.1:9004",
    }
    assert "proxy-url" not in at.kubeconfig["clusters"][0]["cluster"]
