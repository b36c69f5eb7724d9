"""Two process-backed clusters behind one Rancher, of both API generations: the hook, and jobs' pods by Airflow."""

import json
import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from airflow.sdk import Connection
from kubernetes import client, config

from flightline.exceptions import ClusterUnavailable, RancherRefused
from flightline.hooks.cluster import ClusterHook
from flightline.hooks.rancher import RancherHook
from include.foundation.spec import load
from include.foundation.spec.promotion import RancherCluster, Stage
from include.stages.promotion import manifests
from sandbox.supervisor.service import REPO, Service, answers, free_ports, python, running

pytestmark = pytest.mark.integration
TOKEN, PASSWORD = "token-first:s3cr3t-of-the-connection", "open sesame"
SPEC = load("flight_delays")


def _service(home, *, old):
    port, low = free_ports(25)[0], free_ports(25)[0]
    url = f"http://127.0.0.1:{port}"
    (home / "token").write_text(TOKEN)
    (home / "password").write_text(PASSWORD)
    (home / "images.json").write_text(json.dumps({"flightline/trainer": {"path": str(Path(sys.executable).parent)}}))
    words = ("--port", str(port), "--state", str(home / "state"), "--images", str(home / "images.json"))
    words += ("--node-ports", str(low), "--cluster", "east:site=a,tier=train", "--cluster", "west:site=b,tier=train")
    words += ("--token-file", str(home / "token"), "--password-file", str(home / "password"))
    return Service(
        name="rancher",
        command=(str(python("sandbox")), "-m", "sandbox.rancher", *words, *(("--old",) if old else ())),
        env={"PYTHONPATH": str(REPO)},
        url=url,
        ready=partial(answers, f"{url}/readyz"),
        grace_seconds=40,
    )


@pytest.fixture(scope="module", params=["new", "old"])
def rancher(request, tmp_path_factory):
    """A running Rancher of one generation."""
    home = tmp_path_factory.mktemp("rancher")
    service = _service(home, old=request.param == "old")
    with running(service, log=home / "log"):
        yield SimpleNamespace(home=home, url=service.url, old=request.param == "old", state=home / "state")


def _connection(rancher, **fields):
    host, _, port = rancher.url.removeprefix("http://").partition(":")
    said = {"conn_type": "rancher", "schema": "http", "host": host, "port": int(port), "password": TOKEN}
    return Connection(conn_id="rancher", **said | fields)


@pytest.fixture
def hook(rancher):
    return RancherHook(connection=_connection(rancher))


def _down(rancher, name):
    (rancher.state / f"{name}.state").write_text("unavailable")


def _up(rancher, name):
    (rancher.state / f"{name}.state").unlink(missing_ok=True)


def _core(kubeconfig):
    return client.CoreV1Api(config.new_client_from_config_dict(kubeconfig))


def test_a_login_lists_the_clusters_and_a_wrong_one_is_refused(rancher):
    hook = RancherHook(connection=_connection(rancher, login="admin", password=PASSWORD))
    east, west = hook.clusters()
    assert (east.name, west.name, east.usable) == ("east", "west", True)
    assert east.id.startswith("c-m-")
    assert hook.one("west") == hook.one(west.id) == hook.one({"site": "b"}) == west
    wrong = RancherHook(connection=_connection(rancher, login="admin", password="guess"))
    with pytest.raises(RancherRefused, match="401: authentication failed"):
        wrong.clusters()


def test_a_kubernetes_client_reaches_each_cluster_through_rancher(hook):
    names = [f"only-in-{cluster.name}" for cluster in hook.clusters()]
    for cluster, name in zip(hook.clusters(), names, strict=True):
        _core(hook.kubeconfig(cluster)).create_namespace({"metadata": {"name": name}})
    for cluster, name in zip(hook.clusters(), names, strict=True):
        found = {each.metadata.name for each in _core(hook.kubeconfig(cluster)).list_namespace().items}
        assert found & {*names} == {name}


def test_a_minted_kubeconfig_works_for_its_cluster_until_it_is_revoked(rancher, hook):
    east, west = hook.clusters()
    minted = hook.mint_kubeconfig(east, seconds=600)
    assert minted.path.startswith("/v3/tokens/" if rancher.old else "/apis/ext.cattle.io/v1/kubeconfigs/")
    made = json.loads(minted.text)
    _core(made).list_namespace()
    other = json.loads(minted.text.replace(east.id, west.id))
    with pytest.raises(client.ApiException, match="403"):
        _core(other).list_namespace()
    hook.revoke(minted)
    with pytest.raises(client.ApiException, match="401"):
        _core(made).list_namespace()
    hook.revoke(minted)  # gone already
    assert made["users"][0]["user"]["token"] not in repr(minted)


def test_a_token_s_seconds_are_seconds(rancher, hook):
    """Tokens count in milliseconds, kubeconfigs in seconds: an hour must outlive the test, and two seconds must not."""
    for seconds, outlives in ((3600, True), (2, False)):
        minted = hook.mint_token(seconds=seconds)
        ask = partial(httpx.get, f"{rancher.url}/v3/clusters", headers={"Authorization": f"Bearer {minted.text}"})
        assert ask().status_code == 200
        deadline = time.monotonic() + (3 if outlives else 20)
        while ask().status_code == 200 and time.monotonic() < deadline:
            time.sleep(0.1)
        assert (ask().status_code == 200) is outlives
        hook.revoke(minted)


def test_a_cluster_that_is_down_is_named_and_passed_over(rancher, hook):
    _down(rancher, "east")
    try:
        with pytest.raises(ClusterUnavailable, match=r"cluster east \(c-m-.*is unavailable: Cluster agent"):
            hook.choose("east")
        with pytest.raises(ClusterUnavailable, match="cluster east"):
            hook.wait_active("east", seconds=0.1)
        assert hook.choose({"tier": "train"}).name == "west"
        # Rancher may not have seen it yet: its proxy's answer counts, and is no Status of Kubernetes.
        with pytest.raises(client.ApiException) as caught:
            _core(hook.kubeconfig(hook.one("east"))).list_namespace()
        assert caught.value.status == 503
        assert "ClusterUnavailable" in caught.value.body
    finally:
        _up(rancher, "east")
    assert hook.wait_active("east", seconds=10).name == "east"
    with pytest.raises(ClusterUnavailable, match=r"east .* has 0 free GPUs of the 1 that are needed; .*west"):
        hook.choose({"tier": "train"}, gpus=1)


def test_a_stage_is_in_the_cluster_that_its_spec_names(rancher, hook, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_RANCHER", _connection(rancher).as_json())
    stage = Stage(name="production", cluster=RancherCluster(rancher={"site": "b"}), rollout="replicas")
    cluster = ClusterHook.of(stage)
    west = hook.one("west")
    assert cluster.destination == f"{rancher.url}/k8s/clusters/{west.id}"
    application = manifests.application(SPEC, stage, "https://git/repo", server=cluster.destination)
    assert application["spec"]["destination"]["server"] == cluster.destination
    assert "only-in-west" in {each.metadata.name for each in cluster.get_conn().core_v1_client.list_namespace().items}
    several = Stage(name="production", cluster=RancherCluster(rancher={"tier": "train"}))
    with pytest.raises(RancherRefused, match=r"are 2 clusters \(east, west\): name one"):
        _ = ClusterHook.of(several).destination


@pytest.fixture
def argocd(rancher, hook, tmp_path):
    """An Argo CD that knows both clusters by Rancher's proxy, and its own not at all."""
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    (tmp_path / "token").write_text("t0k3n")
    (tmp_path / "clusters").mkdir()
    for cluster in hook.clusters():
        (tmp_path / "clusters" / f"{cluster.name}.kubeconfig").write_text(json.dumps(hook.kubeconfig(cluster)))
    words = ("--port", port, "--state", tmp_path / "argocd", "--kubeconfig", tmp_path / "none")
    words += ("--clusters", tmp_path / "clusters", "--token-file", tmp_path / "token")
    service = Service(
        name="argocd",
        command=(str(python("sandbox")), "-m", "sandbox.argocd", *map(str, words)),
        env={"PYTHONPATH": str(REPO)},
        ready=partial(answers, f"{url}/api/version"),
    )
    headers = {"Authorization": "Bearer t0k3n"}
    with running(service, log=tmp_path / "log"), httpx.Client(base_url=url, headers=headers, timeout=60) as api:
        yield api


def _repository(folder, path, text):
    """A Git repository with one file."""
    (folder / path).parent.mkdir(parents=True)
    (folder / path).write_text(text)
    git = ["git", "-C", str(folder), "-c", "user.name=tester", "-c", "user.email=tester@localhost"]
    for words in (["init", "-q", "-b", "main"], ["add", "--all"], ["commit", "-q", "-m", "deploy"]):
        subprocess.run([*git, *words], check=True)
    return folder.as_uri()


@pytest.mark.parametrize("rancher", ["new"], indirect=True)
def test_a_stage_behind_rancher_is_deployed_there_and_nowhere_else(rancher, hook, argocd, tmp_path, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_RANCHER", _connection(rancher).as_json())
    stage = Stage(name="beyond", cluster=RancherCluster(rancher={"site": "b"}), rollout="replicas")
    command = ["python", "-c", "import time; time.sleep(600)"]
    container = {"name": "main", "image": "flightline/trainer:1", "command": command}
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}}
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    web = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}
    server = ClusterHook.of(stage).destination
    url = _repository(tmp_path / "repository", f"{SPEC.slug}/{stage.name}/web.yaml", json.dumps(web))
    application = manifests.application(SPEC, stage, url, server=server)
    name = application["metadata"]["name"]
    unknown = json.loads(json.dumps(application).replace(server, "https://elsewhere"))
    assert "there are no clusters" in argocd.post("/api/v1/applications", json=unknown).json()["message"]
    argocd.post("/api/v1/applications", json=application).raise_for_status()
    argocd.post(f"/api/v1/applications/{name}/sync", json={"project": "default"}).raise_for_status()
    deadline = time.monotonic() + 120
    while (status := argocd.get(f"/api/v1/applications/{name}").json()["status"]).get("health", {}).get(
        "status"
    ) != "Healthy" or status["sync"]["status"] != "Synced":
        assert time.monotonic() < deadline, status
        time.sleep(0.1)
    found = {each.name: _core(hook.kubeconfig(each)).list_namespaced_pod(stage.namespace) for each in hook.clusters()}
    assert [each.status.phase for each in found["west"].items] == ["Running"]
    assert found["east"].items == []


DAGS = """
import json
from airflow.sdk import DAG, Param
from flightline.operators.jobs import JobOperator

class Job(JobOperator):
    "Leaves no record: this test has no lake."

    def job(self, context):
        from include.foundation.jobs import Job, Resources
        words = ("-u", "-c", self.arguments[0])
        return Job(name="work", arguments=words, image="flightline/trainer:1", resources=Resources(), reads={})

    def _record(self, job):
        from pathlib import Path
        return {"answer": "done"} if Path("DONE").exists() else None

with DAG("work", schedule=None) as dag:
    code = "import os, time\\nwhile not os.path.exists('GO'): time.sleep(.1)\\nopen('DONE', 'w'); print('worked')"
    Job(task_id="t", arguments=[code], conn_id="rancher")
"""
DRIVER = """
import sys
from datetime import UTC, datetime
from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db

bag = DagBag(sys.argv[1])
assert not bag.import_errors, bag.import_errors
DagBundlesManager().sync_bundles_to_db()
sync_bag_to_db(bag, "dags-folder", None)
when = datetime(2026, 1, 1, tzinfo=UTC)
print("RESULT", bag.get_dag("work").test(logical_date=when, run_after=when).state, flush=True)
"""


@pytest.fixture
def airflow(rancher, hook, tmp_path):
    """Call it to run the Dag once, in Airflow's own process."""
    (tmp_path / "dags").mkdir()
    text = DAGS.replace("GO", str(tmp_path / "go")).replace("DONE", str(tmp_path / "done"))
    (tmp_path / "dags/work.py").write_text(text)
    (tmp_path / "driver.py").write_text(DRIVER)
    extra = {"cluster": {"tier": "train"}, "profile": "sandbox", "namespace": "flightline"}
    for cluster in hook.clusters():
        core = _core(hook.kubeconfig(cluster))
        if "flightline" not in {each.metadata.name for each in core.list_namespace().items}:
            core.create_namespace({"metadata": {"name": "flightline"}})
            core.create_namespaced_secret("flightline", {"metadata": {"name": "flightline-trainer"}, "data": {}})
    env = {
        **{key: value for key, value in os.environ.items() if not key.startswith("AIRFLOW")},
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "300",
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(REPO / "plugins"),
        "AIRFLOW__WORKERS__API_RETRIES": "1",
        "AIRFLOW_CONN_RANCHER": _connection(rancher, extra=json.dumps(extra)).as_json(),
        "PYTHONPATH": f"{REPO}:{REPO / 'plugins'}",
    }
    log = tmp_path / "output"

    def start(*words):
        with log.open("a") as output:
            return subprocess.Popen([sys.executable, *words], cwd=tmp_path, env=env, stdout=output, stderr=output)

    migration = start("-m", "airflow", "db", "migrate")
    assert migration.wait(300) == 0, log.read_text()
    return SimpleNamespace(run=partial(start, "driver.py", "dags"), log=log, home=tmp_path)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("rancher", ["new"], indirect=True)
def test_a_cluster_lost_mid_run_is_an_error_that_names_it_and_the_retry_runs_elsewhere(rancher, hook, airflow):
    def pods(name):
        return _core(hook.kubeconfig(hook.one(name))).list_namespaced_pod("flightline").items

    def until(worker, check):
        deadline = time.monotonic() + 600
        while not check():
            assert time.monotonic() < deadline, airflow.log.read_text()[-3000:]
            assert worker.poll() is None, airflow.log.read_text()[-5000:]
            time.sleep(0.2)

    east = hook.one("east")
    first = airflow.run()
    until(first, lambda: any(pod.status.phase == "Running" for pod in pods("east")))
    _down(rancher, "east")
    assert first.wait(600) == 0
    said = airflow.log.read_text()
    assert "RESULT failed" in said
    assert f"cluster {east.id}: its API answered 503 through Rancher" in said or f"cluster {east.id}" in said
    second = airflow.run()
    until(second, lambda: any(pod.status.phase == "Running" for pod in pods("west")))
    (airflow.home / "go").touch()
    assert second.wait(600) == 0
    said = airflow.log.read_text()
    assert "RESULT success" in said, said[-5000:]
    assert "worked" in said
    _up(rancher, "east")
    # Nowhere does the token show: not in logs, nor in what Airflow keeps of tasks, triggers and XCom.
    secret = TOKEN.partition(":")[2]
    assert secret not in said
    kept = [path for path in airflow.home.rglob("*") if path.is_file() and path.suffix in (".db", ".log", "")]
    assert [path.name for path in kept if path.suffix == ".db"]
    assert [path.name for path in kept if secret.encode() in path.read_bytes()] == []
