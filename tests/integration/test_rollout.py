"""A version is brought on step by step while clients ask, and bad ones are taken back: real gateway, Git and serving.

What the Dag's tasks do, without Airflow around them: its operators commit, sync and observe. One sandbox cluster with
Traefik and the Argo CD stand-in; replicas are real serving processes.
"""

import base64
import json
import logging
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from functools import partial
from itertools import cycle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import polars as pl
import pytest
from airflow.sdk.exceptions import AirflowFailException, TaskDeferred
from kubernetes import client, config

from flightline import rollout
from flightline.hooks.cluster import ClusterHook
from flightline.hooks.gitops import GitOpsHook
from flightline.hooks.kafka import KafkaHook
from flightline.hooks.mlflow import MlflowHook
from flightline.operators import rollout as observing
from flightline.operators.argocd import ArgoCDSyncOperator
from flightline.operators.gitops import GitOpsCommitOperator
from flightline.operators.rollout import ObserveOperator
from flightline.tasks import rollout as tasks
from include.foundation.artifact import digest, store
from include.foundation.spec import load
from include.foundation.spec.promotion import Criteria, Promotion
from include.foundation.spec.serving import Serving
from include.stages import registry
from sandbox.cluster.gateways import NAME as CONTROLLER
from sandbox.demo import planted
from sandbox.gateway import traefik
from sandbox.git import gitops
from sandbox.stream import tansu
from sandbox.supervisor.service import REPO, Service, answers, free_ports, python, running
from tests.integration.test_serving import (  # noqa: F401 (fixtures)
    Model,
    _fit,
    _requests,
    histories,
    models,
    online,
)

pytestmark = [pytest.mark.integration, pytest.mark.long, pytest.mark.timeout(600)]

FAULTS = ("slow", "crash", "leak", "nan")
PROMOTION = Promotion(
    steps=[{"shadow": 50}, {"canary": 10}, {"canary": 50}],
    window_seconds=5,
    limit_seconds=90,
    criteria=Criteria(min_requests=25, latency_p99_ms=400),
)
FLIGHTS = load("flight_delays").model_copy(update={"promotion": PROMOTION, "serving": Serving(memory="320Mi")})
STAGE = FLIGHTS.promotion.stages[-1].model_copy(update={"replicas": 1})
FLIGHTS = FLIGHTS.model_copy(
    update={"promotion": PROMOTION.model_copy(update={"stages": (FLIGHTS.promotion.stages[0], STAGE)})}
)
CLIENTS = 4
log = logging.getLogger(__name__)


@pytest.fixture(scope="module")
def home(service_home: Path) -> Path:
    folder = service_home / "rollout"
    folder.mkdir()
    gitops.create(folder / "gitops.git")
    return folder


@pytest.fixture(scope="module")
def ports() -> dict[str, int]:
    cluster, argocd, gateway, kafka, *nodes = free_ports(12)
    named = {"cluster": cluster, "argocd": argocd, "gateway": gateway, "kafka": kafka}
    return named | {"low": min(nodes), "high": max(nodes)}


@pytest.fixture(scope="module")
def services(home, ports):
    """Cluster, gateway and Argo CD; every image is the serving environment with this checkout, or a spoilt one."""
    env = {"PYTHONPATH": str(REPO)}
    spoilt = {"PYTHONPATH": f"{planted.FAULTY}:{REPO}"}
    images = {
        f"flightline/{name or 'serving'}": {
            "path": str(python("serving").parent),
            "workdir": str(REPO),
            "env": spoilt | {"FAULT": name} if name else env,
        }
        for name in ("", *FAULTS)
    }
    (home / "images.json").write_text(json.dumps(images))
    words = ("--port", str(ports["cluster"]), "--state", str(home / "cluster"), "--images", str(home / "images.json"))
    words += ("--node-ports", f"{ports['low']}-{ports['high']}", "--gateway", str(traefik.folder(home)))
    url = f"http://127.0.0.1:{ports['cluster']}"
    command = (str(python("sandbox")), "-m", "sandbox.cluster", *words)
    cluster = Service(name="cluster", command=command, env=env, ready=partial(answers, f"{url}/readyz"))
    (home / "token").write_text("token")
    (home / "password").write_text("password")
    words = ("--port", str(ports["argocd"]), "--state", str(home / "argocd"), "--token-file", str(home / "token"))
    words += ("--kubeconfig", str(home / "cluster" / "kubeconfig"), "--admin-password-file", str(home / "password"))
    url = f"http://127.0.0.1:{ports['argocd']}"
    command = (str(python("sandbox")), "-m", "sandbox.argocd", *words)
    argocd = Service(name="argocd", command=command, env=env, ready=partial(answers, f"{url}/api/version"))
    gateway = traefik.service(home, host="127.0.0.1", port=ports["gateway"])
    broker = tansu.service(host="127.0.0.1", port=ports["kafka"])
    with (
        running(cluster, log=home / "cluster.log"),
        running(gateway, log=home / "gateway.log"),
        running(argocd, log=home / "argocd.log"),
        running(broker, log=home / "broker.log"),
    ):
        yield home / "cluster" / "kubeconfig"


@pytest.fixture(scope="module")
def kubernetes(services, ports, lake, s3, online):  # noqa: F811
    """A client of the cluster, which has what its owner makes: namespace, Secret and Gateway."""
    api = config.new_client_from_config(str(services))
    core, custom = client.CoreV1Api(api), client.CustomObjectsApi(api)
    env = {
        **s3.env(),
        "FLIGHTLINE_MODELS": lake.models,
        "FLIGHTLINE_ONLINE_DSN": online,
        "FLIGHTLINE_DRAIN_SECONDS": "2",
    }
    data = {name: base64.b64encode(value.encode()).decode() for name, value in env.items()}
    for namespace in ("flightline", STAGE.namespace):
        core.create_namespace({"metadata": {"name": namespace}})
    core.create_namespaced_secret(STAGE.namespace, {"metadata": {"name": "flightline-serving"}, "data": data})
    group = ("gateway.networking.k8s.io", "v1")
    metadata = {"name": "flightline"}
    spec = {"controllerName": CONTROLLER}
    custom.create_cluster_custom_object(*group, "gatewayclasses", {"metadata": metadata, "spec": spec})
    listener = {"name": "http", "protocol": "HTTP", "port": ports["gateway"]}
    spec = {"gatewayClassName": "flightline", "listeners": [listener]}
    custom.create_namespaced_custom_object(*group, "flightline", "gateways", {"metadata": metadata, "spec": spec})
    return api


@pytest.fixture(autouse=True)
def connections(monkeypatch, services, ports, home, kubernetes, lake):
    monkeypatch.setattr("flightline.hooks.lake.LakeHook.lake", lake)
    extra = {"kube_config": services.read_text(), "namespace": "flightline"}
    argocd = {"conn_type": "http", "schema": "http", "host": "127.0.0.1", "port": ports["argocd"], "password": "token"}
    made = {
        "CLUSTER": {"conn_type": "kubernetes", "extra": extra},
        "ARGOCD": argocd,
        "KAFKA": {"conn_type": "kafka", "extra": {"bootstrap.servers": f"127.0.0.1:{ports['kafka']}"}},
        "GITOPS": {"conn_type": "git", "host": (home / "gitops.git").as_uri()},
    }
    for name, fields in made.items():
        monkeypatch.setenv(f"AIRFLOW_CONN_{name}", json.dumps(fields))
    tags: dict[str, dict[str, str]] = {}
    monkeypatch.setattr(MlflowHook, "get_conn", lambda _: None)
    monkeypatch.setattr(registry, "tag", lambda _c, _n, version, words: tags.setdefault(version, {}).update(words))
    for module in (tasks, observing):
        monkeypatch.setattr(module, "load", lambda _: FLIGHTS)
    return tags


class Run:
    """One run of the Dag: its tasks, in their order."""

    dag_id = "flight_delays.promote"

    def __init__(self, name: str, model: Model, *, version: str, image: str = "flightline/serving:1") -> None:
        self.run_id = name
        found = promote_deployed()
        self.chosen = {
            **{"version": version, "uri": model.uri, "digest": model.digest, "manifest": "0" * 64, "image": image},
            **{"feature_code": "", "run_id": "r", "champion": None, "kafka": KafkaHook().plain_settings},
            "stable": {STAGE.name: found.stable(version)},
        }
        self.before = self.act(GitOpsCommitOperator(task_id="prepare", files=readme(), message="Make room"))["head"]

    def act(self, operator: Any) -> Any:
        """Execute an operator as a worker does; where it defers, wait as its trigger would."""
        ti = SimpleNamespace(
            dag_id=self.dag_id, run_id=self.run_id, task_id=operator.task_id, map_index=-1, try_number=1
        )
        ti.xcom_push = lambda *_, **__: None
        try:
            return operator.execute({"ti": ti})
        except TaskDeferred as deferred:
            while True:
                time.sleep(max(0.0, deferred.trigger.moment.timestamp() - time.time()))
                try:
                    return operator.resume({"ti": ti}, None, **deferred.kwargs)
                except TaskDeferred as again:
                    deferred = again

    def move(self, name: str, shares: dict[str, int] | None) -> None:
        """Commit and sync."""
        made = tasks.render.function(FLIGHTS.name, STAGE.name, self.chosen, {"by": "ada", "at": "now"}, shares)
        folder = f"{FLIGHTS.slug}/{STAGE.name}"
        words = {"files": made["files"], "message": made["message"], "folder": folder}
        self.sync(self.act(GitOpsCommitOperator(task_id=f"{name}.commit", **words)), made["application"])

    def sync(self, commit: dict[str, Any], application: dict[str, Any] | None = None) -> None:
        name = FLIGHTS.application(STAGE.name)
        words = {"application": name, "application_spec": application, "revision": commit["commit"]}
        self.act(ArgoCDSyncOperator(task_id="sync", deferrable=False, poll_seconds=0.3, timeout=120, **words))

    def promote(self, *, observed: Callable[[], object] = lambda: None) -> None:
        """All steps, then alone; `observed` is called before each observation."""
        if self.chosen["stable"][STAGE.name]:
            for name, shares, seconds in rollout._steps(FLIGHTS, STAGE):
                self.move(name, shares)
                observed()
                words = {"use_case": FLIGHTS.name, "stage": STAGE.name, "chosen": self.chosen, "step": name}
                self.act(ObserveOperator(task_id="observe", window_seconds=seconds, **shares, **words))
        self.move("alone", None)

    def revert(self) -> float:
        """What the revert's tasks do; seconds until the stage is healthy as it was."""
        since = time.monotonic()
        words = {"restore": (FLIGHTS.slug, self.before), "own": True, "message": "Revert"}
        self.sync(self.act(GitOpsCommitOperator(task_id="restore", **words)))
        return time.monotonic() - since


def promote_deployed():
    from include.stages.promotion import manifests

    return manifests.deployed(FLIGHTS, STAGE, GitOpsHook().read(FLIGHTS.slug))


def readme():
    from include.stages.promotion import manifests

    return dict([manifests.readme(FLIGHTS, STAGE)])


class Clients:
    """People who ask all the time, each request on its own connection or on one that stays, by turns."""

    def __init__(self, url: str) -> None:
        self.url = f"{url}/v1/models/{FLIGHTS.name}/predict"
        self.codes: Counter[Any] = Counter()
        self.versions: Counter[str] = Counter()
        self.slowest = 0.0
        self._stop = threading.Event()
        self._bodies = [{"records": [request.model_dump(mode="json")]} for request in _requests(40)]
        self._threads = [threading.Thread(target=self._ask, args=(number,)) for number in range(CLIENTS)]

    def _ask(self, number: int) -> None:
        with httpx.Client(trust_env=False, timeout=20) as client:
            for body in cycle(self._bodies[number:] + self._bodies[:number]):
                if self._stop.is_set():
                    return
                since = time.monotonic()
                try:
                    answer = client.post(self.url, json=body, headers={"X-Request-Id": str(uuid.uuid4())})
                    self.codes[answer.status_code] += 1
                    if answer.status_code == 200:
                        self.versions[answer.json()[0]["model"]["version"]] += 1
                except httpx.HTTPError as error:
                    self.codes[repr(error)] += 1
                self.slowest = max(self.slowest, time.monotonic() - since)
                time.sleep(0.03)

    def poison(self) -> None:
        """From now on ask what a `crash` candidate dies of."""
        for body in self._bodies:
            body["records"][0]["tailnum"] = "N66666"

    def __enter__(self) -> "Clients":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    @property
    def failed(self) -> dict[Any, int]:
        return {code: count for code, count in self.codes.items() if code != 200}


@pytest.fixture(scope="module")
def url(kubernetes, services, ports):
    return f"http://127.0.0.1:{ports['gateway']}/{STAGE.name}/{FLIGHTS.slug}"


@pytest.fixture(scope="module")
def wrong(lake) -> dict[str, Model]:
    """Models that say the opposite, of every flight or of one carrier's, and are all right otherwise."""
    of = {"model": pl.lit(True), "carrier": pl.col("carrier").eq_missing("AA")}
    files = {name: _fit(1, inverted) for name, inverted in of.items()}
    put = partial(store.put, lake.objects(), lake.models, "flight_delays")
    return {name: Model(put(data), digest(data), data) for name, data in files.items()}


@pytest.fixture
def stable(models, url):  # noqa: F811
    """Version 1 serves alone, however a test before left it."""
    KafkaHook().create_topic(FLIGHTS.predictions.topic)
    if promote_deployed().version != "1" or len(promote_deployed().replicas) > 1:
        Run("first", models[0], version="1").promote()
    stage_url = ClusterHook().endpoint(FLIGHTS, STAGE)
    assert stage_url == url
    deadline = time.monotonic() + 60
    while True:
        try:
            if httpx.get(f"{url}/v2/models/{FLIGHTS.name}", timeout=5).json()["versions"] == ["1"]:
                return models[0]
        except (httpx.HTTPError, ValueError, KeyError):
            pass
        assert time.monotonic() < deadline, "version 1 does not serve"
        time.sleep(0.2)


def test_a_swap_and_a_way_back_lose_no_request(stable, models, url):  # noqa: F811
    # The same model under another number: what is looked at here are requests, not answers.
    run = Run("swap", models[0], version="2")
    assert run.chosen["stable"] == {STAGE.name: "1"}
    with Clients(url) as clients:
        run.promote()
        asked = sum(clients.codes.values())
        time.sleep(1)  # the new version alone
        assert promote_deployed().replicas.keys() == {"2"}
        seconds = run.revert()
        time.sleep(1)
    log.info("taken back and healthy after %.1f s", seconds)
    assert clients.failed == {}, f"of {sum(clients.codes.values())}, {asked} before the way back"
    assert clients.versions["1"] > 50
    assert clients.versions["2"] > 50
    assert promote_deployed().version == "1"


@pytest.mark.parametrize(
    ("fault", "at", "told"),
    [
        ("slow", "shadow_50", "its p99 is"),
        ("crash", "shadow_50", r"its containers were restarted|requests failed|it answered \d+ of about"),
        ("leak", "shadow_50", "a replica takes|were restarted"),
        ("nan", "shadow_50", "answers are no numbers"),
        ("model", "shadow_50", "its answers differ"),
        ("carrier", "shadow_50", "for carrier AA its answers differ"),
    ],
)
def test_a_bad_candidate_is_caught_before_it_answers_anybody(
    stable,
    models,  # noqa: F811
    wrong,
    url,
    connections,
    fault,
    at,
    told,
):
    image = "flightline/serving:1" if fault in wrong else f"flightline/{fault}:1"
    run = Run(fault, wrong.get(fault, models[0]), version="3", image=image)
    with Clients(url) as clients:
        # Not before: a candidate that dies of each request while Argo CD still waits for it never gets healthy.
        observed = clients.poison if fault == "crash" else lambda: None
        with pytest.raises(AirflowFailException, match=f"worse at {at} of production: .*({told})"):
            run.promote(observed=observed)
        seconds = run.revert()
        time.sleep(0.5)
    log.info("taken back and healthy after %.1f s", seconds)
    assert clients.failed == {}, "a shadow's answers are dropped, and so are its failures"
    assert clients.versions.keys() == {"1"}
    assert at in connections["3"]["rejected"]
    assert promote_deployed().version == "1"
