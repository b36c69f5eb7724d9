"""Where everything is: from base port, home and secrets to URLs, environments and Connections. Starts nothing."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from include.foundation.lake import Lake
from sandbox import metrics
from sandbox.database import postgres
from sandbox.lake import seaweedfs
from sandbox.supervisor.home import Home, Secrets
from sandbox.supervisor.service import REPO

HOST = "127.0.0.1"
ACCESS_KEY = "sandbox-access-key"  # Airflow hides it in every log: not a word that is used otherwise
OFFSETS = {"airflow": 0, "mlflow": 1, "s3": 2, "sigopt": 3, "cluster": 4, "argocd": 5, "logs": 6, "catalog": 7}
OFFSETS |= {"master": 8, "filer": 9, "volume": 10, "admin": 11}  # SeaweedFS's own
OFFSETS |= {"kafka": 12, "prometheus": 13, "pushgateway": 14, "gateway": 15, "modzy": 16, "rancher": 17}
OFFSETS |= {"sagemaker": 18, "kubeflow": 19}
_NODE_PORTS = (20, 59)


@dataclass(frozen=True, kw_only=True)
class Endpoints:
    """The addresses of one sandbox."""

    home: Home
    port: int
    secrets: Secrets

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> "Endpoints":
        """Those of `$FLIGHTLINE_HOME` and `$FLIGHTLINE_PORT`."""
        home = Home.from_env(environ)
        return cls(home=home, port=home.port(environ), secrets=home.secrets())

    def port_of(self, service: str) -> int:
        """The TCP port of a service in `OFFSETS`."""
        return self.port + OFFSETS[service]

    def url(self, service: str) -> str:
        """The URL of a service in `OFFSETS`."""
        return f"http://{HOST}:{self.port_of(service)}"

    @property
    def node_ports(self) -> tuple[int, int]:
        """First and last port that the cluster may give to its services."""
        return self.port + _NODE_PORTS[0], self.port + _NODE_PORTS[1]

    @property
    def rancher_node_ports(self) -> int:
        """First port that the clusters behind Rancher may give to their services."""
        return self.port + _NODE_PORTS[1] + 1

    @property
    def modzy_key(self) -> str:
        """An API key of Modzy: its public and its private half."""
        key = self.secrets.derived("modzy")
        return f"{key[:20]}.{key[20:]}"

    @property
    def rancher_token(self) -> str:
        """An API token of Rancher: its name and its secret."""
        return f"token-sandbox:{self.secrets.derived('rancher')}"

    @property
    def gitops(self) -> str:
        """URL of the Git repository of the deployments."""
        return self.home.gitops.as_uri()

    def dsn(self, database: str, *, driver: str = "") -> str:
        """The libpq URI of a database, or SQLAlchemy's with a driver."""
        uri = postgres.dsn(postgres.socket_directory(self.home.path), database)
        return uri.replace("postgresql://", f"postgresql+{driver}://", 1) if driver else uri

    @property
    def lake_key(self) -> seaweedfs.Key:
        """The key that opens everything in the lake."""
        return seaweedfs.Key(name="flightline", access=ACCESS_KEY, secret=self.secrets.s3_secret_key)

    @property
    def catalog(self) -> dict[str, str]:
        """Properties of the pyiceberg catalog `lake`."""
        return {
            **seaweedfs.catalog(self.url("catalog"), self.lake_key),
            "s3.endpoint": self.url("s3"),
            "s3.region": seaweedfs.REGION,
            "s3.access-key-id": ACCESS_KEY,
            "s3.secret-access-key": self.secrets.s3_secret_key,
        }

    @property
    def s3_env(self) -> dict[str, str]:
        """The variables by which any AWS client finds S3."""
        return {
            "AWS_ENDPOINT_URL": self.url("s3"),
            "AWS_REGION": seaweedfs.REGION,
            "AWS_DEFAULT_REGION": seaweedfs.REGION,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": self.secrets.s3_secret_key,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    @property
    def trainer_env(self) -> dict[str, str]:
        """What the Secret `flightline-trainer` holds."""
        lake = Lake(catalog_properties=self.catalog, landing="s3://landing", models="s3://models")
        return {
            **self.s3_env,
            **lake.env(),
            "FLIGHTLINE_ONLINE_DSN": self.dsn("online"),
            "MLFLOW_TRACKING_URI": self.url("mlflow"),
            "SIGOPT_API_URL": self.url("sigopt"),
            "SIGOPT_API_TOKEN": self.secrets.sigopt_token,
        }

    @property
    def workspace_env(self) -> dict[str, str]:
        """What the Secret with the keys of the sandbox's user holds: a workspace may what training may."""
        return {**self.trainer_env, "FLIGHTLINE_ALLOW_DIRTY": "1", "WORKSPACE_GIT": self.gitops}

    @property
    def workspaces(self) -> dict[str, Any]:
        """What the Connection `cluster` says of workspaces. Browsers take names below `localhost` for this machine."""
        return {"url": f"http://{{name}}.localhost:{self.port_of('gateway')}"}

    @property
    def serving_env(self) -> dict[str, str]:
        """What the Secret `flightline-serving` holds: the model files and the online table, nothing more."""
        return {
            **self.s3_env,
            "FLIGHTLINE_MODELS": "s3://models",
            "FLIGHTLINE_ONLINE_DSN": self.dsn("online"),
        }

    @property
    def shell_env(self) -> dict[str, str]:
        """What a person needs to run the project's programs by hand."""
        return {
            **self.trainer_env,
            "AIRFLOW_HOME": str(self.home.airflow),
            "KUBECONFIG": str(self.home.kubeconfig),
            "PYTHONPATH": str(REPO),
        }

    @property
    def kubeconfig(self) -> dict[str, Any]:
        """How a Kubernetes client library reaches the cluster."""
        return self._kubeconfig(self.url("cluster"))

    @property
    def kubectl_config(self) -> dict[str, Any]:
        """The same for `kubectl`: it sends no token over plain HTTP but to a proxy, which is the cluster itself."""
        proxy = self.url("cluster").replace("://", f"://flightline:{self.secrets.cluster_token}@")
        config = self._kubeconfig(self.url("cluster"))
        config["clusters"][0]["cluster"]["proxy-url"] = proxy
        return config

    @property
    def connections(self) -> dict[str, dict[str, Any]]:
        """Airflow's Connections: id to the fields of `airflow.models.Connection` (docs/ARCHITECTURE.md)."""
        lake = {
            "endpoint_url": self.url("s3"),
            "region_name": seaweedfs.REGION,
            "catalog": self.catalog,
            "landing": "s3://landing",
            "models": "s3://models",
        }
        return {
            "lake": _connection("aws", login=ACCESS_KEY, password=self.secrets.s3_secret_key, extra=lake),
            "online": _connection(
                "postgres",
                host=str(postgres.socket_directory(self.home.path)),
                login=postgres.USER,
                schema="online",
            ),
            "cluster": _connection(
                "kubernetes",
                extra={
                    "kube_config": self.kubeconfig,
                    "namespace": "flightline",
                    "profile": "sandbox",
                    "hour_price": 0,
                    "workspaces": self.workspaces,
                },
            ),
            "mlflow": self._http("mlflow"),
            "sigopt": self._http("sigopt", password=self.secrets.sigopt_token),
            "gitops": _connection("git", host=self.gitops),
            "argocd": self._http("argocd", password=self.secrets.argocd_token),
            "sagemaker": _connection(
                "aws", login=ACCESS_KEY, password=self.secrets.s3_secret_key, extra=self._sagemaker
            ),
            "kubeflow": self._http("kubeflow", password=self.secrets.cluster_token),
            "modzy": self._http("modzy", password=self.modzy_key),
            "rancher": _connection(
                "rancher",
                schema="http",
                host=HOST,
                port=self.port_of("rancher"),
                password=self.rancher_token,
                extra={"cluster": {"tier": "training"}, "namespace": "flightline", "profile": "sandbox"},
            ),
            **({"pushgateway": self._http("pushgateway")} if metrics.programs() else {}),
            "kafka": _connection("kafka", extra={"bootstrap.servers": f"{HOST}:{self.port_of('kafka')}"}),
        }

    @property
    def _sagemaker(self) -> dict[str, Any]:
        return {
            "endpoint_url": self.url("sagemaker"),
            "region_name": seaweedfs.REGION,
            "job_profile": "sandbox",
            "endpoint_profile": "sandbox",
            "execution_role": "arn:aws:iam::123456789012:role/flightline-training",
            "output": "s3://models/_sagemaker",
            "secret": "flightline/trainer",
            "poll_seconds": 1,
        }

    def _kubeconfig(self, server: str) -> dict[str, Any]:
        context = {"cluster": "sandbox", "user": "flightline", "namespace": "flightline"}
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "sandbox",
            "clusters": [{"name": "sandbox", "cluster": {"server": server}}],
            "users": [{"name": "flightline", "user": {"token": self.secrets.cluster_token}}],
            "contexts": [{"name": "sandbox", "context": context}],
        }

    def _http(self, service: str, *, password: str | None = None) -> dict[str, Any]:
        return _connection("http", schema="http", host=HOST, port=self.port_of(service), password=password)


def _connection(conn_type: str, *, extra: Mapping[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    kept = {name: value for name, value in fields.items() if value is not None}
    return {"conn_type": conn_type, **kept, **({"extra": json.dumps(extra)} if extra else {})}
