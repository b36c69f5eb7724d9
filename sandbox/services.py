"""Every service of the sandbox, in the order in which people think of them."""

import json
import subprocess
from functools import partial
from pathlib import Path

from include import TELEMETRY_OFF
from sandbox import metrics
from sandbox.airflow import config as airflow_config
from sandbox.database import postgres
from sandbox.endpoints import HOST, Endpoints
from sandbox.gateway import traefik
from sandbox.git import gitops
from sandbox.kubeflow import service as kubeflow
from sandbox.lake import seaweedfs
from sandbox.metrics import prometheus, pushgateway
from sandbox.rancher import kubeconfig as through_rancher
from sandbox.sagemaker import service as sagemaker
from sandbox.stream import tansu
from sandbox.supervisor.home import write
from sandbox.supervisor.service import REPO, SandboxError, Service, answers, python

STANDARD = "all"  # stands for every service but these
OPTIONAL = ("sagemaker", "kubeflow", "modzy", "rancher")
DATABASES = ("airflow", "mlflow", "tuning", "online")


def catalogue(at: Endpoints) -> dict[str, Service]:
    """Name to service."""
    home = at.home.path
    found = (
        postgres.service(home, databases=DATABASES),
        seaweedfs.service(
            home,
            ports={name: at.port_of(name) for name in seaweedfs.PORTS},
            admin=at.lake_key,
            signing_key=at.secrets.seaweedfs_signing_key,
        ),
        tansu.service(host=HOST, port=at.port_of("kafka")),
        *airflow_config.services(at),
        _mlflow(at),
        _sigopt(at),
        _cluster(at),
        traefik.service(home, host=HOST, port=at.port_of("gateway")),
        _argocd(at),
        *_metrics(at),
        *_elsewhere(at),
        _modzy(at),
        _rancher(at),
    )
    return {service.name: service for service in found}


def chosen(at: Endpoints, names: list[str]) -> dict[str, Service]:
    """The services with these names and all that they need; without names all that are not optional.

    `all` among the names stands for those.

    Raises:
        SandboxError: a name is none of a service.
    """
    every = catalogue(at)
    wanted: set[str] = set()
    queue = [name for name in names or [STANDARD] if name != STANDARD]
    if len(queue) < len(names or [STANDARD]):
        queue += [name for name in every if name not in OPTIONAL]
    while queue:
        name = queue.pop()
        if name not in every:
            raise SandboxError(f"there is no service {name!r}; there are: {', '.join(every)}")
        if name not in wanted:
            wanted.add(name)
            queue += every[name].needs
    return {name: service for name, service in every.items() if name in wanted}


def _mlflow(at: Endpoints) -> Service:
    url, port = at.url("mlflow"), at.port_of("mlflow")
    options = {
        "--host": HOST,
        "--port": str(port),
        "--workers": "1",
        "--backend-store-uri": at.dsn("mlflow", driver="psycopg2"),
        "--artifacts-destination": "s3://mlflow",
        "--allowed-hosts": f"{HOST}:{port},localhost:{port}",
        "--cors-allowed-origins": f"{url},http://localhost:{port}",
    }
    words = [word for option in options.items() for word in option]
    return Service(
        name="mlflow",
        command=(str(python("airflow")), "-m", "mlflow", "server", "--serve-artifacts", *words),
        env={
            **at.s3_env,
            "MLFLOW_S3_ENDPOINT_URL": at.url("s3"),
            **TELEMETRY_OFF,
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        },
        needs=("postgres",),
        outlived_by=("seaweedfs",),
        url=url,
        ports=(port,),
        ready=partial(answers, f"{url}/health"),
    )


def _sigopt(at: Endpoints) -> Service:
    url, port, token = at.url("sigopt"), at.port_of("sigopt"), at.home.token("sigopt")
    words = ("--host", HOST, "--port", str(port), "--dsn", at.dsn("tuning"), "--token-file", str(token))
    return Service(
        name="sigopt",
        command=(str(python("tuning")), "-m", "include.services.tuning", *words),
        env={"PYTHONPATH": str(REPO)},
        needs=("postgres",),
        url=url,
        ports=(port,),
        prepare=partial(write, token, at.secrets.sigopt_token),
        ready=partial(answers, f"{url}/healthz"),
    )


def _cluster(at: Endpoints) -> Service:
    url, port, token = at.url("cluster"), at.port_of("cluster"), at.home.token("cluster")
    images = at.home.path / "images.json"
    runtimes = sorted(path.stem for path in (REPO / "deploy/pods/sandbox").glob("*.yaml"))
    low, high = at.node_ports
    options = {
        "--port": str(port),
        "--state": str(at.home.path / "cluster"),
        "--images": str(images),
        "--node-ports": f"{low}-{high}",
        "--gateway": str(traefik.folder(at.home.path)),
        "--token-file": str(token),
    }

    def prepare() -> None:
        write(token, at.secrets.cluster_token)
        write(images, json.dumps(_images(at, (*runtimes, "serving", "workspace")), indent=1))
        write(at.home.kubeconfig, json.dumps(at.kubectl_config, indent=1))

    return Service(
        name="cluster",
        command=(str(python("sandbox")), "-m", "sandbox.cluster", *(w for option in options.items() for w in option)),
        env={"PYTHONPATH": str(REPO)},
        outlived_by=("postgres", "seaweedfs", "mlflow", "sigopt"),
        url=url,
        ports=(port,),
        prepare=prepare,
        ready=partial(answers, f"{url}/readyz"),
        bootstrap=partial(_settle, at),
        grace_seconds=45,  # pods have 30 seconds to end
    )


def _images(at: Endpoints, names: tuple[str, ...]) -> dict[str, dict[str, object]]:
    bundles: dict[str, object] = {"path": str(python("serving").parent), "bundles": "s3://models/_bundles"}
    return {f"flightline/{name}": _image(at, name) for name in names} | {"flightline/marketplace": bundles}


def _image(at: Endpoints, name: str) -> dict[str, object]:
    code = {"repository": str(REPO), "snapshots": str(at.home.path / "code")}
    return {"path": str(REPO / ".venv" / name / "bin"), "code": code}  # not all are installed: a pull says so


def _settle(at: Endpoints, *words: str) -> None:
    command = (str(python("sandbox")), "-m", "sandbox.cluster.tenancy")
    env = {"PYTHONPATH": str(REPO), "FLIGHTLINE_HOME": str(at.home.path), "FLIGHTLINE_PORT": str(at.port)}
    done = subprocess.run((*command, *words), cwd=REPO, env=env, check=False, capture_output=True, text=True)
    if done.returncode:
        raise SandboxError(f"the cluster did not take its namespaces and secrets: {done.stderr.strip()[-500:]}")


def _argocd(at: Endpoints) -> Service:
    url, port, token = at.url("argocd"), at.port_of("argocd"), at.home.token("argocd")
    password, kubeconfig = at.home.token("argocd-password"), at.home.path / "argocd.kubeconfig"
    options = {
        "--port": str(port),
        "--state": str(at.home.path / "argocd"),
        "--kubeconfig": str(kubeconfig),
        "--clusters": str(_registered(at)),
        "--token-file": str(token),
        "--admin-password-file": str(password),
    }

    def prepare() -> None:
        write(token, at.secrets.argocd_token)
        write(password, at.secrets.argocd_password)
        write(kubeconfig, json.dumps(at.kubeconfig))
        gitops.create(at.home.gitops)

    return Service(
        name="argocd",
        command=(str(python("sandbox")), "-m", "sandbox.argocd", *(w for option in options.items() for w in option)),
        env={"PYTHONPATH": str(REPO)},
        needs=("cluster",),
        url=url,
        ports=(port,),
        prepare=prepare,
        ready=partial(answers, f"{url}/api/version"),
    )


def _registered(at: Endpoints) -> Path:
    """The folder of other clusters' kubeconfigs by which Argo CD knows them."""
    return at.home.path / "argocd-clusters"


def _elsewhere(at: Endpoints) -> tuple[Service, ...]:
    """Where training may run instead of on the cluster."""
    images = at.home.path / "images.json"
    return (
        sagemaker.service(
            at.home.path, port=at.port_of("sagemaker"), images=images, role=at.s3_env, secret=at.trainer_env
        ),
        kubeflow.service(
            at.home.path,
            port=at.port_of("kubeflow"),
            images=images,
            token=at.secrets.cluster_token,
            secret=at.trainer_env,
        ),
    )


def _modzy(at: Endpoints) -> Service:
    url, key = at.url("modzy"), at.home.token("modzy")
    options = {
        "--port": str(at.port_of("modzy")),
        "--state": str(at.home.path / "modzy"),
        "--images": str(at.home.path / "images.json"),
        "--key-file": str(key),
    }
    return Service(
        name="modzy",
        command=(str(python("sandbox")), "-m", "sandbox.modzy", *(w for option in options.items() for w in option)),
        env={"PYTHONPATH": str(REPO), **at.s3_env},
        needs=("cluster", "seaweedfs"),  # the cluster knows the images
        url=url,
        ports=(at.port_of("modzy"),),
        prepare=partial(write, key, at.modzy_key),
        ready=partial(answers, f"{url}/readyz"),
        grace_seconds=30,  # containers end first
    )


def _rancher(at: Endpoints) -> Service:
    url, port = at.url("rancher"), at.port_of("rancher")
    token, password = at.home.token("rancher"), at.home.token("rancher-password")
    options = {
        "--port": str(port),
        "--state": str(at.home.path / "rancher"),
        "--images": str(at.home.path / "images.json"),
        "--node-ports": str(at.rancher_node_ports),
        "--token-file": str(token),
        "--password-file": str(password),
    }
    clusters = ("--cluster", "east:tier=training,site=east", "--cluster", "west:tier=training,site=west")

    def prepare() -> None:
        write(token, at.rancher_token)
        write(password, at.secrets.derived("rancher of admin"))
        _registered(at).mkdir(exist_ok=True, mode=0o700)
        for name in ("east", "west"):
            server = f"{url}/k8s/clusters/{through_rancher.identifier(name)}"
            write(_registered(at) / f"{name}.kubeconfig", through_rancher.kubeconfig(name, server, at.rancher_token))

    words = (word for option in options.items() for word in option)
    return Service(
        name="rancher",
        command=(str(python("sandbox")), "-m", "sandbox.rancher", *words, *clusters),
        env={"PYTHONPATH": str(REPO)},
        needs=("cluster",),  # which knows the images
        outlived_by=("postgres", "seaweedfs", "mlflow", "sigopt"),
        url=url,
        ports=(port,),
        prepare=prepare,
        ready=partial(answers, f"{url}/readyz"),
        bootstrap=partial(_settle, at, "rancher"),
        grace_seconds=45,  # pods have 30 seconds to end
    )


def _metrics(at: Endpoints) -> tuple[Service, ...]:
    """Nothing where the machine lacks one of them."""
    if not (found := metrics.programs()):
        return ()
    port = at.port_of("pushgateway")
    return (
        pushgateway.service(found["prometheus-pushgateway"], at.home.path, host=HOST, port=port),
        prometheus.service(
            found["prometheus"],
            at.home.path,
            host=HOST,
            port=at.port_of("prometheus"),
            cluster=at.url("cluster"),
            token=at.home.token("cluster"),
            pushgateway=f"{HOST}:{port}",
        ),
    )
