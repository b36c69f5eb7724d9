"""The real KubernetesPodOperator on the process-backed cluster: sync, deferrable and durable, by `dag.test()`."""

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
from kubernetes import client, config

from sandbox.supervisor.service import REPO, Service, answers, free_ports, python, running

pytestmark = [pytest.mark.integration, pytest.mark.long, pytest.mark.timeout(600)]

DAGS = """
from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.sdk import DAG

SLOW = "import time\\nfor i in range(8): print('line', i); time.sleep(.5)"
MODES = {
    "sync": {},
    "deferrable": {"deferrable": True},
    "fails": {"deferrable": True, "arguments": ["print('why'); raise SystemExit(3)"]},
    "durable": {"arguments": ["import os, time\\nwhile not os.path.exists('GO'): time.sleep(.1)\\nprint('went')"]},
    "no_image": {"image": "absent:1"},
}
for name, options in MODES.items():
    with DAG(name, schedule=None) as dag:
        defaults = {
            "image": "python:3",
            "cmds": ["python", "-u", "-c"],
            "arguments": [SLOW],
            "startup_check_interval_seconds": 1,
            "poll_interval": 1,
        }
        options = defaults | options | {"namespace": "default", "kubernetes_conn_id": "cluster"}
        KubernetesPodOperator(task_id="t", name=name.replace("_", "-"), **options)
    globals()[name] = dag
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
for name in sys.argv[2:]:
    print("RESULT", name, bag.get_dag(name).test(logical_date=when, run_after=when).state, flush=True)
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """State of the cluster and AIRFLOW_HOME with the Dags and a metadata database."""
    home = tmp_path_factory.mktemp("pod-operator")
    (home / "dags").mkdir()
    (home / "dags" / "pods.py").write_text(DAGS.replace("GO", str(home / "go")))
    (home / "driver.py").write_text(DRIVER)
    (home / "images.json").write_text(json.dumps({"python": {"path": str(Path(sys.executable).parent)}}))
    return home


@pytest.fixture(scope="module")
def api(home):
    """The cluster, by the kubernetes client."""
    port, low = free_ports(2)
    words = ("--port", str(port), "--state", str(home / "state"), "--images", str(home / "images.json"))
    words += ("--node-ports", f"{low}-{low}", "--token-file", str(home / "token"))
    service = Service(
        name="cluster",
        command=(str(python("sandbox")), "-m", "sandbox.cluster", *words),
        env={"PYTHONPATH": str(REPO)},
        ready=partial(answers, f"http://127.0.0.1:{port}/readyz"),
    )
    with running(service, log=home / "cluster.log"):
        yield client.CoreV1Api(config.new_client_from_config(str(home / "state" / "kubeconfig"), context="sandbox"))


@pytest.fixture(scope="module")
def airflow(home, api):
    """Start the driver in Airflow's environment; call it with the Dags to test."""
    connection = {"conn_type": "kubernetes", "extra": {"kube_config": (home / "state" / "kubeconfig").read_text()}}
    env = {
        **{key: value for key, value in os.environ.items() if not key.startswith("AIRFLOW")},
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "300",
        "AIRFLOW_CONN_CLUSTER": json.dumps(connection),
    }

    def start(*words):
        with (home / "output").open("w") as output:
            return subprocess.Popen(
                [sys.executable, *words], cwd=home, env=env, stdout=output, stderr=subprocess.STDOUT
            )

    migration = start("-m", "airflow", "db", "migrate")
    assert migration.wait(300) == 0, (home / "output").read_text()
    return partial(start, str(home / "driver.py"), str(home / "dags"))


def results(output):
    words = [line.split() for line in output.splitlines() if line.startswith("RESULT")]
    return {name: state for _, name, state in words}


def test_sync_and_deferrable_run_pods_to_their_end(home, api, airflow):
    airflow("sync", "deferrable", "fails", "no_image").wait(500)
    output = (home / "output").read_text()
    expected = {"sync": "success", "deferrable": "success", "fails": "failed", "no_image": "failed"}
    assert results(output) == expected, output[-5000:]
    assert "running trigger in line" in output
    assert output.count("line 7") >= 2  # each log came through the task's log; the provider may repeat a second of one
    assert "why" in output
    assert "Image cannot be pulled" in output
    assert api.list_namespaced_pod("default").items == []


def test_a_killed_worker_leaves_its_pod_to_the_next_attempt(home, api, airflow):
    def until(worker, check):
        deadline = time.monotonic() + 200
        while not check():
            assert time.monotonic() < deadline
            assert worker.poll() is None, (home / "output").read_text()
            time.sleep(0.1)

    def running_pods():
        return [pod for pod in api.list_namespaced_pod("default").items if pod.status.phase == "Running"]

    worker = airflow("durable")
    until(worker, running_pods)
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    (pod,) = running_pods()
    worker = airflow("durable")
    until(worker, lambda: f"Found matching pod {pod.metadata.name}" in (home / "output").read_text())
    (home / "go").touch()
    worker.wait(300)
    output = (home / "output").read_text()
    assert results(output) == {"durable": "success"}, output[-5000:]
    assert "went" in output
    events = api.list_namespaced_event("default", field_selector="reason=Scheduled").items
    names = [event.involved_object.name for event in events if event.involved_object.name.startswith("durable")]
    assert names == [pod.metadata.name]
