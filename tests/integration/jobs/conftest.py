"""The systems that jobs run on, each with its Connection, and a task that is driven as Airflow drives it."""

import asyncio
import json
import os
import signal
import time
from base64 import b64encode
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import TaskDeferred
from kubernetes import client, config

from flightline.operators.jobs import JobOperator
from sandbox.supervisor.service import REPO, Service, answers, free_ports, python, running
from tests.integration import sagemaker as sagemaker_service

PROBE = (
    "-c",
    """
import json, os, random, sys, time
from hashlib import sha256
from include.foundation import jobs
from include.foundation.lake import Lake
trace, go, seed, code = sys.argv[1:]
with open(trace, "a") as file:
    file.write(f"{os.getpid()}\\n")
print("at work", flush=True)
while not os.path.exists(go):
    time.sleep(0.05)
if int(code):
    print("the reason why", flush=True)
    sys.exit(int(code))
answer = {"metric": random.Random(int(seed)).random()}
answer["digest"] = sha256(json.dumps(answer).encode()).hexdigest()
jobs.write(Lake.from_env().objects(), os.environ[jobs.RESULT], answer)
""",
)


class Probe(JobOperator):
    """A task whose job waits for a file, and then fails or answers."""

    program = PROBE


class TaskInstance(SimpleNamespace):
    """What tasks ask of their instance."""

    def xcom_push(self, key, value):
        """Keep it."""
        self.pushed[key] = value


class Task:
    """One try of a task at a time, each in objects of its own, as in a worker of its own.

    Args:
        backend: name.
        folder: of the test's own.
    """

    def __init__(self, backend, folder, **options):
        self.backend, self.options = backend, options
        self.trace, self.go = folder / "trace", folder / "go"
        self.pushed = {}

    def operator(self, *, seed=0, code=0, reads=None):
        """The task as the Dag file says it."""
        arguments = [str(self.trace), str(self.go), str(seed), str(code)]
        return Probe(task_id="fit", arguments=arguments, reads=reads, backend=self.backend, retries=2, **self.options)

    def context(self, *, run_id="run", cleared=0):
        """Of one try."""
        ti = TaskInstance(
            **{"dag_id": "probes.train", "task_id": "fit", "run_id": run_id, "map_index": -1, "try_number": 1},
            max_tries=2 + cleared,
            pushed=self.pushed,
            start_date=datetime.now(UTC),
        )
        return {"ti": ti, "task_instance": ti, "run_id": run_id, "dag": SimpleNamespace()}

    def start(self, *, run_id="run", cleared=0, **options):
        """Execute until the task waits: (operator, context, what it deferred to); the answer if it did not wait."""
        operator, context = self.operator(**options), self.context(run_id=run_id, cleared=cleared)
        try:
            return operator.execute(context)
        except TaskDeferred as deferred:
            return operator, context, deferred

    def finish(self, started):
        """Wait as the triggerer does, go on as a new worker does; the task's answer."""
        operator, context, deferred = started
        while True:
            event = asyncio.run(first(rebuilt(deferred.trigger)))
            operator.__dict__.pop("runner", None)  # each process has a backend of its own
            try:
                return getattr(operator, deferred.method_name)(context, event.payload)
            except TaskDeferred as again:
                deferred = again

    def run(self, **options):
        """From start to end."""
        started = self.start(**options)
        return self.finish(started) if isinstance(started, tuple) else started

    def starts(self):
        """Pids of the jobs that have begun."""
        with suppress(FileNotFoundError):
            return [int(line) for line in self.trace.read_text().split()]
        return []

    def wait_for(self, check, seconds=60):
        """Until something holds."""
        deadline = time.monotonic() + seconds
        while not check():
            assert time.monotonic() < deadline, "it did not come to that in time"
            time.sleep(0.05)


def rebuilt(trigger):
    """The trigger as the triggerer has it: out of its row in the database."""
    path, fields = trigger.serialize()
    if path.startswith("flightline."):  # the provider's has a moment among its fields, which Airflow packs itself
        fields = json.loads(json.dumps(fields))
    again = type(trigger)(**fields)
    assert again.serialize() == trigger.serialize()
    return again


async def first(trigger):
    """The trigger's event."""
    async for event in trigger.run():
        return event
    raise AssertionError("the trigger fired nothing")


def killed_in(work):
    """Do it in a process that is killed as soon as it is done, as a worker that runs out of memory is."""
    pid = os.fork()
    if pid == 0:
        with suppress(BaseException):
            work()
        os.kill(os.getpid(), signal.SIGKILL)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL


def alive(pid):
    """Whether the process runs."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.fixture(scope="session")
def images(service_home):
    """The sandbox's images, of the code that is here."""
    return sagemaker_service.images(service_home / "job-images.json")


@pytest.fixture(scope="session")
def sagemaker_server(service_home, images, s3):
    """The stand-in for SageMaker."""
    with sagemaker_service.running(service_home / "sagemaker", images, s3) as one:
        yield one


@pytest.fixture(scope="session")
def kubeflow_server(service_home, images):
    """The stand-in for Kubeflow Pipelines; the file of its Secrets is read for each run."""
    (port,) = free_ports(1)
    home = service_home / "kubeflow"
    home.mkdir()
    (home / "token").write_text("t0k3n")
    (home / "secrets.json").write_text("{}")
    words = ("--port", port, "--state", home / "runs", "--images", images, "--secrets", home / "secrets.json")
    url = f"http://127.0.0.1:{port}"
    service = Service(
        name="kubeflow",
        command=(str(python("sandbox")), "-m", "sandbox.kubeflow", *map(str, words), "--token-file", home / "token"),
        env={"PYTHONPATH": str(REPO)},
        ready=partial(answers, f"{url}/apis/v2beta1/healthz"),
    )
    with running(service, log=home / "log"):
        yield SimpleNamespace(port=port, home=home, url=url)


@pytest.fixture
def kubeflow(kubeflow_server, job_env, connect):
    """The stand-in, connected, with the Secret of jobs."""
    secrets = {"flightline-trainer": job_env}
    (kubeflow_server.home / "secrets.json").write_text(json.dumps(secrets))
    where = {"host": "127.0.0.1", "port": kubeflow_server.port, "schema": "http", "password": "t0k3n"}
    connect("kubeflow", "http", **where, extra={"poll_seconds": 0.2})
    return kubeflow_server


@pytest.fixture(scope="session")
def cluster_server(service_home, images):
    """The sandbox's cluster."""
    port, low = free_ports(2)
    home = service_home / "job-cluster"
    words = ("--port", port, "--state", home, "--images", images, "--node-ports", f"{low}-{low}")
    service = Service(
        name="cluster",
        command=(str(python("sandbox")), "-m", "sandbox.cluster", *map(str, words)),
        env={"PYTHONPATH": str(REPO)},
        ready=partial(answers, f"http://127.0.0.1:{port}/readyz"),
    )
    with running(service, log=service_home / "job-cluster.log"):
        yield home / "kubeconfig"


@pytest.fixture
def pods(cluster_server, job_env, connect):
    """The cluster, connected, with the Secret of jobs."""
    core = client.CoreV1Api(config.new_client_from_config(str(cluster_server), context="sandbox"))
    values = {name: b64encode(value.encode()).decode() for name, value in job_env.items()}
    secret = {"metadata": {"name": "flightline-trainer"}, "data": values}
    with suppress(client.ApiException):
        core.create_namespace({"metadata": {"name": "flightline"}})
    with suppress(client.ApiException):
        core.delete_namespaced_secret("flightline-trainer", "flightline")
    core.create_namespaced_secret("flightline", secret)
    extra = {"kube_config": cluster_server.read_text(), "namespace": "flightline", "profile": "sandbox"}
    connect("cluster", "kubernetes", extra=extra)
    return core


@pytest.fixture
def connect(monkeypatch):
    """Call it to make a Connection."""
    monkeypatch.setenv("FLIGHTLINE_ALLOW_DIRTY", "1")

    def make(conn_id, conn_type, **fields):
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps({"conn_type": conn_type, **fields}))

    return make


@pytest.fixture
def lake_connected(lake, connect):
    """The Connection `lake`, and the variables by which jobs find the same."""
    extra = {
        "endpoint_url": lake.s3.endpoint,
        "region_name": lake.s3.region,
        "catalog": dict(lake.catalog_properties),
        "landing": lake.landing,
        "models": lake.models,
    }
    connect("lake", "aws", login=lake.s3.access_key, password=lake.s3.secret_key, extra=extra)
    return lake


@pytest.fixture
def connect_sagemaker(sagemaker_server, lake_connected, connect, secret):
    """Call it to connect the stand-in, with more of the Connection's extra."""

    def make(**more):
        told = sagemaker_server.connection
        own = {"output": f"{lake_connected.models}/sagemaker", "secret": secret}
        connect("sagemaker", **{**told, "extra": {**told["extra"], **own, **more}})

    return make


@pytest.fixture
def sagemaker(sagemaker_server, connect_sagemaker):
    """The stand-in, connected."""
    connect_sagemaker()
    return sagemaker_server


@pytest.fixture(scope="module")
def step_env():
    """Variables of jobs beside those of the lake."""
    return {}


@pytest.fixture
def job_env(lake_connected, step_env):
    """The variables that jobs get as a secret."""
    return {**lake_connected.env(), **step_env}


@pytest.fixture
def secret(sagemaker_server, lake_connected, job_env):
    """The name of a secret with the variables of jobs."""
    manager = sagemaker_server.client("secretsmanager")
    name = f"flightline/{lake_connected.models.rpartition('/')[2]}"
    with suppress(manager.exceptions.ResourceExistsException):
        manager.create_secret(Name=name, SecretString=json.dumps(job_env))
    return name


@pytest.fixture
def task(request, tmp_path):
    """A task on the backend that the test names."""
    request.getfixturevalue(request.param)
    return Task(request.param, tmp_path)
