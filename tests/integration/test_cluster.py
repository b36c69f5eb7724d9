"""The process-backed cluster, driven by real clients: kubernetes, kubernetes_asyncio and kubectl."""

import asyncio
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import kubernetes_asyncio
import psutil
import pytest
from kubernetes import client, config, watch
from kubernetes.client import ApiException

from sandbox.supervisor.service import REPO, Service, answers, free_ports, python, start

pytestmark = pytest.mark.integration

SERVER = """
import http.server, os, signal, socketserver, threading
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = (os.environ["HOSTNAME"] + " " + os.environ["VERSION"] + " " + self.path).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
class Server(http.server.ThreadingHTTPServer):
    daemon_threads = False  # server_close() waits for what is being answered
    request_queue_size = 128
server = Server((os.environ["HOST"], int(os.environ["PORT"])), Handler)
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
server.serve_forever(poll_interval=0.05)
server.server_close()
"""


class Cluster:
    """A running stand-in with a state directory of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.process: subprocess.Popen | None = None
        self.port, *node_ports = free_ports(11)
        self.node_ports = (node_ports[0], node_ports[-1])
        images = {
            "python": {"path": str(Path(sys.executable).parent), "workdir": str(home), "env": {"FROM_IMAGE": "1"}}
        }
        (home / "images.json").write_text(json.dumps(images))

    def start(self, *options: str) -> None:
        words = ("--port", str(self.port), "--state", str(self.state), "--images", str(self.home / "images.json"))
        words += ("--node-ports", "{}-{}".format(*self.node_ports), "--token-file", str(self.home / "token"), *options)
        service = Service(
            name="cluster",
            command=(str(python("sandbox")), "-m", "sandbox.cluster", *words),
            env={"PYTHONPATH": str(REPO), "SECRET_OF_THE_SERVER": "1"},
            ready=partial(answers, f"http://127.0.0.1:{self.port}/readyz"),
        )
        self.process = start(service, log=self.home / "log")
        deadline = time.monotonic() + 60
        while not service.ready(0):
            assert self.process.poll() is None, (self.home / "log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def end(self, number: int = signal.SIGTERM) -> None:
        self.process.send_signal(number)
        self.process.wait(60)

    @property
    def state(self) -> Path:
        return self.home / "state"

    @property
    def kubeconfig(self) -> str:
        return str(self.state / "kubeconfig")

    def client(self) -> client.ApiClient:
        return config.new_client_from_config(self.kubeconfig, context="sandbox")

    def shims(self) -> list[psutil.Process]:
        """The processes that stand for this cluster's containers."""
        found = []
        for process in psutil.process_iter(["cmdline"]):
            words = process.info["cmdline"] or ()
            if any(word.startswith(str(self.state / "pods")) for word in words):
                found.append(process)
        return found


@contextmanager
def running(home: Path):
    cluster = Cluster(home)
    cluster.start()
    try:
        yield cluster
    finally:
        if cluster.process.poll() is None:
            cluster.end()
        left = [process for shim in cluster.shims() for process in (*shim.children(recursive=True), shim)]
        for process in left:
            process.kill()
        assert not left, (home / "log").read_text()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with running(tmp_path_factory.mktemp("cluster")) as one:
        yield one


@pytest.fixture
def own_cluster(tmp_path):
    with running(tmp_path) as one:
        yield one


@pytest.fixture(scope="module")
def api(cluster):
    return client.CoreV1Api(cluster.client())


@pytest.fixture(scope="module")
def apps(cluster):
    return client.AppsV1Api(cluster.client())


@pytest.fixture(scope="module")
def batch(cluster):
    return client.BatchV1Api(cluster.client())


@pytest.fixture
def space(api):
    """A namespace of the test's own; its deletion takes everything in it along."""
    name = f"test-{secrets.token_hex(4)}"
    api.create_namespace({"metadata": {"name": name}})
    yield name
    api.delete_namespace(name)
    until(lambda: name not in [item.metadata.name for item in api.list_namespace().items])
    assert api.list_namespaced_pod(name).items == []


def until(check, seconds=60.0):
    deadline = time.monotonic() + seconds
    while not (result := check()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
    return result


def pod(name, code, *, policy="Never", grace=5, labels=None, spec=None, **container):
    main = {"name": "base", "image": "python:3", "command": ["python", "-u", "-c", code], **container}
    body = {"restartPolicy": policy, "terminationGracePeriodSeconds": grace, "containers": [main], **(spec or {})}
    return {"metadata": {"name": name, "labels": labels or {}}, "spec": body}


def finished(api, space, name, seconds=60.0):
    """The pod once it has ended."""

    def check():
        item = api.read_namespaced_pod(name, space)
        return item if item.status.phase in ("Succeeded", "Failed") else None

    return until(check, seconds)


def has_phase(api, space, name, phase):
    return until(lambda: api.read_namespaced_pod(name, space).status.phase == phase)


def log_of(api, name, space, **more):
    """The log as text: kubernetes 36 gives the repr of its bytes, or parses it where it is JSON."""
    return api.read_namespaced_pod_log(name, space, _preload_content=False, **more).read().decode()


def refused(code, reason, call, *args, **more):
    with pytest.raises(ApiException) as caught:
        call(*args, **more)
    status = json.loads(caught.value.body)
    assert (caught.value.status, status["code"], status["reason"], status["kind"]) == (code, code, reason, "Status")
    return status


# -- the API ----------------------------------------------------------------------------------------------------------


def test_clients_send_the_token_over_http_and_are_refused_without(cluster):
    open_client = client.ApiClient(client.Configuration(host=f"http://127.0.0.1:{cluster.port}"))
    refused(401, "Unauthorized", client.CoreV1Api(open_client).list_namespace)
    assert client.VersionApi(open_client).get_code().major == "1"

    async def names():
        api = await kubernetes_asyncio.config.new_client_from_config(cluster.kubeconfig, context="sandbox")
        async with api:
            return [
                item.metadata.name for item in (await kubernetes_asyncio.client.CoreV1Api(api).list_namespace()).items
            ]

    assert "default" in asyncio.run(names())


def test_objects_are_created_changed_and_deleted_as_the_api_has_it(api, space):
    made = api.create_namespaced_config_map(space, {"metadata": {"generateName": "a-"}, "data": {"x": "1", "y": "2"}})
    name = made.metadata.name
    assert name.startswith("a-")
    assert len(name) == 7
    assert made.metadata.uid
    refused(409, "AlreadyExists", api.create_namespaced_config_map, space, {"metadata": {"name": name}})
    refused(422, "Invalid", api.create_namespaced_config_map, space, {"metadata": {"name": "No_Such_Name"}})
    refused(404, "NotFound", api.create_namespaced_config_map, "absent", {"metadata": {"name": "b"}})
    refused(404, "NotFound", api.read_namespaced_config_map, "absent", space)

    stale = api.read_namespaced_config_map(name, space)
    api.patch_namespaced_config_map(name, space, {"data": {"x": "3", "y": None}})
    assert api.read_namespaced_config_map(name, space).data == {"x": "3"}
    stale.data["x"] = "4"
    refused(409, "Conflict", api.replace_namespaced_config_map, name, space, stale)
    operations = [{"op": "test", "path": "/data/x", "value": "3"}, {"op": "add", "path": "/data/z", "value": "5"}]
    assert api.patch_namespaced_config_map(name, space, operations).data == {"x": "3", "z": "5"}
    operations[0]["value"] = "wrong"
    refused(422, "Invalid", api.patch_namespaced_config_map, name, space, operations)
    api.patch_namespaced_config_map(name, space, {"data": {"x": "9"}}, dry_run="All")
    assert api.read_namespaced_config_map(name, space).data["x"] == "3"

    assert api.delete_namespaced_config_map(name, space).status == "Success"
    refused(404, "NotFound", api.delete_namespaced_config_map, name, space)
    refused(403, "Forbidden", api.delete_namespace, "default")


@pytest.mark.parametrize(
    ("kind", "patch", "code", "reason"),
    [
        ("apply-patch+yaml", {}, 415, "UnsupportedMediaType"),
        ("merge-patch+json", [], 400, "BadRequest"),
        ("json-patch+json", [{"op": "remove", "path": "/absent"}], 422, "Invalid"),
        ("json-patch+json", [{"op": "remove", "path": 5}], 422, "Invalid"),
        ("strategic-merge-patch+json", {"metadata": {"$retainKeys": 5}}, 422, "Invalid"),
    ],
)
def test_a_patch_that_cannot_be_applied_is_refused(cluster, api, space, kind, patch, code, reason):
    api.create_namespaced_config_map(space, {"metadata": {"name": "a"}})
    request = urllib.request.Request(
        f"http://127.0.0.1:{cluster.port}/api/v1/namespaces/{space}/configmaps/a",
        data=json.dumps(patch).encode(),
        method="PATCH",
        headers={
            "Authorization": f"Bearer {(cluster.home / 'token').read_text()}",
            "Content-Type": f"application/{kind}",
        },
    )
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request)
    assert (caught.value.code, json.load(caught.value)["reason"]) == (code, reason)


def test_selectors_narrow_lists_and_deletions(api, space):
    for name, labels in (("a", {"tier": "x", "new": "1"}), ("b", {"tier": "y"}), ("c", {})):
        api.create_namespaced_config_map(space, {"metadata": {"name": name, "labels": labels}})

    def names(**selector):
        found = [item.metadata.name for item in api.list_namespaced_config_map(space, **selector).items]
        return "".join(name for name in found if name in "abc")

    cases = {"tier=x": "a", "tier!=x": "bc", "tier in (x,y)": "ab", "tier notin (x)": "bc", "!tier": "c", "new": "a"}
    assert {text: names(label_selector=text) for text in cases} == cases
    assert names(field_selector="metadata.name!=b") == "ac"
    refused(400, "BadRequest", api.list_namespaced_config_map, space, label_selector="a=b=c")
    refused(400, "BadRequest", api.list_namespaced_config_map, space, field_selector="data.x=1")
    api.delete_collection_namespaced_config_map(space, label_selector="tier")
    assert names() == "c"


def test_watch_goes_on_from_a_version_and_sees_what_begins_to_match(api, space):
    version = api.list_namespaced_config_map(space).metadata.resource_version
    api.create_namespaced_config_map(space, {"metadata": {"name": "a", "labels": {"on": "no"}}})
    api.patch_namespaced_config_map("a", space, {"metadata": {"labels": {"on": "yes"}}})
    api.patch_namespaced_config_map("a", space, {"data": {"x": "1"}})
    api.patch_namespaced_config_map("a", space, {"metadata": {"labels": {"on": "no"}}})
    options = {"label_selector": "on=yes", "resource_version": version, "timeout_seconds": 1}
    events = [event["type"] for event in watch.Watch().stream(api.list_namespaced_config_map, space, **options)]
    assert events == ["ADDED", "MODIFIED", "DELETED"]


def test_a_watch_for_no_number_of_seconds_is_refused(api, space):
    refused(400, "BadRequest", api.list_namespaced_config_map, space, watch=True, timeout_seconds="abc")


def test_watch_of_forgotten_history_is_410(api, space):
    api.create_namespaced_config_map(space, {"metadata": {"name": "a"}})
    with pytest.raises(ApiException) as caught:
        list(watch.Watch().stream(api.list_namespaced_config_map, space, resource_version="999999999"))
    assert caught.value.status == 410


# -- pods -------------------------------------------------------------------------------------------------------------


def test_a_pod_runs_with_its_environment_and_nothing_of_the_servers(api, space):
    api.create_namespaced_secret(space, {"metadata": {"name": "s"}, "stringData": {"PASSWORD": "x y", "KEY": "k"}})
    api.create_namespaced_config_map(space, {"metadata": {"name": "c"}, "data": {"COLOUR": "red"}})
    env = [
        {"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "ONE_KEY", "valueFrom": {"secretKeyRef": {"name": "s", "key": "KEY"}}},
        {"name": "GREETING", "value": "hello $(NAME) $$(NAME) $(ABSENT)"},
    ]
    sources = [
        {"secretRef": {"name": "s"}},
        {"configMapRef": {"name": "c"}},
        {"secretRef": {"name": "no", "optional": True}},
    ]
    code = "import json, os, sys; print(json.dumps({**os.environ, 'arg': sys.argv[1]}))"
    body = pod("env", code, env=env, envFrom=sources, args=["for-$(NAME)"])
    api.create_namespaced_pod(space, body)
    done = finished(api, space, "env")
    assert done.status.phase == "Succeeded"
    seen = json.loads(log_of(api, "env", space))
    expected = {"NAME": "env", "PASSWORD": "x y", "ONE_KEY": "k", "COLOUR": "red", "FROM_IMAGE": "1", "arg": "for-env"}
    assert {key: seen[key] for key in expected} == expected
    assert seen["GREETING"] == "hello env $(NAME) $(ABSENT)"
    known = {*expected, "GREETING", "KEY", "HOSTNAME", "PATH", "HOME", "LANG", "TMPDIR", "LC_CTYPE"}
    assert seen.keys() <= known, seen.keys() - known


def test_exit_code_and_reason_are_told(api, space):
    api.create_namespaced_pod(space, pod("bad", "raise SystemExit(3)"))
    state = finished(api, space, "bad").status.container_statuses[0].state.terminated
    assert (state.exit_code, state.reason) == (3, "Error")
    absent = (
        {"name": "absent"},
        {"restartPolicy": "Never", "containers": [{"name": "base", "image": "python", "command": ["nope"]}]},
    )
    api.create_namespaced_pod(space, dict(zip(("metadata", "spec"), absent, strict=True)))
    state = finished(api, space, "absent").status.container_statuses[0].state.terminated
    assert (state.exit_code, state.reason) == (128, "StartError")
    assert "nope" in state.message


def test_logs_are_followed_and_cut(cluster, api, space):
    go = cluster.home / space
    code = (
        f"import os, time\nprint('line 0')\nwhile not os.path.exists('{go}'): time.sleep(.05)\nprint('line 1\\nline 2')"
    )
    api.create_namespaced_pod(space, pod("log", code))
    has_phase(api, space, "log", "Running")
    lines = iter(api.read_namespaced_pod_log("log", space, follow=True, _preload_content=False))
    assert next(lines) == b"line 0\n"  # it comes while the pod runs
    go.touch()
    assert list(lines) == [b"line 1\n", b"line 2\n"]
    finished(api, space, "log")
    assert log_of(api, "log", space, tail_lines=1) == "line 2\n"
    assert log_of(api, "log", space, limit_bytes=4) == "line"
    stamped = log_of(api, "log", space, timestamps=True, tail_lines=1)
    assert stamped.endswith("Z line 2\n")
    assert log_of(api, "log", space, since_seconds=3600).count("\n") == 3
    time.sleep(1.1)
    assert log_of(api, "log", space, since_seconds=1) == ""
    for option in ("tail_lines", "limit_bytes"):
        refused(422, "Invalid", api.read_namespaced_pod_log, "log", space, **{option: -1})
    status = refused(400, "BadRequest", api.read_namespaced_pod_log, "log", space, container="other")
    assert status["message"] == "container other is not valid for pod log"


def test_a_burst_of_output_is_complete(api, space):
    api.create_namespaced_pod(
        space, pod("burst", "for i in range(50000): print(i, 'x' * 50)\nprint('y' * 100000, end='')")
    )
    finished(api, space, "burst")
    lines = log_of(api, "burst", space).split("\n")
    assert [int(line.split()[0]) for line in lines[:-1]] == list(range(50000))
    assert lines[-1] == "y" * 100000


def test_init_containers_run_first_and_in_order(api, space):
    volume = {"volumes": [{"name": "shared", "emptyDir": {}}]}
    append = "import os; open(os.environ['VOLUME_SHARED'] + '/f', 'a').write('{}')"
    init = [
        {"name": name, "image": "python", "command": ["python", "-c", append.format(name)], "volumeMounts": mounts}
        for name, mounts in (
            ("one", [{"name": "shared", "mountPath": "/s"}]),
            ("two", [{"name": "shared", "mountPath": "/s"}]),
        )
    ]
    body = pod(
        "init",
        "import os; print(open(os.environ['VOLUME_SHARED'] + '/f').read())",
        spec={"initContainers": init, **volume},
    )
    api.create_namespaced_pod(space, body)
    assert finished(api, space, "init").status.phase == "Succeeded"
    assert log_of(api, "init", space) == "onetwo\n"

    init[0]["command"] = ["python", "-c", "raise SystemExit(1)"]
    body["metadata"]["name"] = "broken"
    api.create_namespaced_pod(space, body)
    done = finished(api, space, "broken")
    assert done.status.phase == "Failed"
    assert done.status.container_statuses[0].state.waiting.reason == "PodInitializing"


def test_a_pod_over_its_memory_limit_is_killed_with_all_its_processes(api, space):
    code = """
import subprocess, sys, time
child = subprocess.Popen(['sleep', '300'])
print(child.pid, flush=True)
hoard = []
while True: hoard.append(bytearray(8 << 20)); time.sleep(.01)
"""
    api.create_namespaced_pod(space, pod("oom", code, resources={"limits": {"memory": "120Mi"}}))
    state = finished(api, space, "oom").status.container_statuses[0].state.terminated
    assert (state.exit_code, state.reason) == (137, "OOMKilled")
    assert not psutil.pid_exists(int(log_of(api, "oom", space)))


def test_active_deadline_ends_a_pod(api, space):
    api.create_namespaced_pod(space, pod("slow", "import time; time.sleep(300)", spec={"activeDeadlineSeconds": 1}))
    done = finished(api, space, "slow")
    assert (done.status.phase, done.status.reason) == ("Failed", "DeadlineExceeded")


def test_deletion_gives_the_grace_period(api, space):
    polite = """
import signal, time
signal.signal(signal.SIGTERM, lambda *_: print("term") or time.sleep(1) or exit(0))
print("up")
signal.pause()
"""
    deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up'); time.sleep(300)"
    for name, code in (("polite", polite), ("deaf", deaf)):
        api.create_namespaced_pod(space, pod(name, code))
        has_phase(api, space, name, "Running")
        until(lambda name=name: "up" in log_of(api, name, space))

    def gone(name):
        return name not in [item.metadata.name for item in api.list_namespaced_pod(space).items]

    log = api.read_namespaced_pod_log("polite", space, follow=True, _preload_content=False)
    begin = time.monotonic()
    assert api.delete_namespaced_pod("polite", space).metadata.deletion_grace_period_seconds == 5
    until(lambda: gone("polite"))
    assert time.monotonic() - begin > 0.9
    assert log.read() == b"up\nterm\n"
    begin = time.monotonic()
    api.delete_namespaced_pod("deaf", space, grace_period_seconds=1)
    assert not gone("deaf")
    until(lambda: gone("deaf"))
    assert time.monotonic() - begin >= 1
    api.create_namespaced_pod(space, pod("deaf", deaf, grace=300))
    has_phase(api, space, "deaf", "Running")
    api.delete_namespaced_pod("deaf", space, grace_period_seconds=0)
    assert gone("deaf")


def test_a_pod_that_asks_for_a_gpu_stays_pending_and_says_why(api, space):
    gpu = pod("gpu", "pass", resources={"limits": {"nvidia.com/gpu": "1"}})
    pool = pod("pool", "pass", spec={"nodeSelector": {"pool": "gpu"}})
    for body in (gpu, pool):
        api.create_namespaced_pod(space, body)

    def condition(name):
        status = api.read_namespaced_pod(name, space).status
        found = [item for item in status.conditions or () if item.type == "PodScheduled"]
        return (status.phase, found[0].status, found[0].reason, found[0].message) if found else None

    phase, status, reason, message = until(lambda: condition("gpu"))
    assert (phase, status, reason) == ("Pending", "False", "Unschedulable")
    assert message.startswith("0/1 nodes are available: 1 Insufficient nvidia.com/gpu.")
    assert "didn't match Pod's node affinity/selector" in until(lambda: condition("pool"))[3]
    events = api.list_namespaced_event(space, field_selector="involvedObject.name=gpu").items
    assert [(event.reason, event.type) for event in events] == [("FailedScheduling", "Warning")]
    api.delete_namespaced_pod("gpu", space)
    refused(404, "NotFound", api.read_namespaced_pod, "gpu", space)

    api.patch_node("sandbox", {"metadata": {"labels": {"pool": "gpu"}}})
    assert finished(api, space, "pool").status.phase == "Succeeded"
    api.patch_node("sandbox", {"metadata": {"labels": {"pool": None}}})


def test_unknown_images_and_missing_secrets_wait_until_they_are_there(cluster, api, space):
    def waiting(name):
        statuses = api.read_namespaced_pod(name, space).status.container_statuses
        return statuses and statuses[0].state.waiting and statuses[0].state.waiting.reason

    api.create_namespaced_pod(space, pod("no-image", "pass", image="registry:5000/absent/app:1.0"))
    until(lambda: waiting("no-image") == "ErrImagePull")
    until(lambda: waiting("no-image") == "ImagePullBackOff")
    reference = {"valueFrom": {"secretKeyRef": {"name": "late", "key": "a"}}}
    api.create_namespaced_pod(
        space, pod("no-secret", "import os; print(os.environ['A'])", env=[{"name": "A", **reference}])
    )
    until(lambda: waiting("no-secret") == "CreateContainerConfigError")
    api.create_namespaced_secret(space, {"metadata": {"name": "late"}, "stringData": {"a": "now"}})
    assert finished(api, space, "no-secret").status.phase == "Succeeded"
    reasons = {
        event.reason for event in api.list_namespaced_event(space, field_selector="involvedObject.name=no-image").items
    }
    assert {"Scheduled", "Failed", "BackOff"} <= reasons
    status = refused(
        422, "Invalid", api.create_namespaced_pod, space, {"metadata": {"name": "x"}, "spec": {"containers": []}}
    )
    assert status["details"]["causes"][0]["field"] == "spec.containers"


def test_failing_containers_are_restarted_by_policy(api, space):
    once = """
import os, sys
path = os.environ["VOLUME_V"] + "/f"
again = os.path.exists(path)
open(path, "w")
sys.exit(not again)
"""
    volume = {"volumes": [{"name": "v", "emptyDir": {}}]}
    api.create_namespaced_pod(space, pod("retry", once, policy="OnFailure", spec=volume))
    done = finished(api, space, "retry")
    assert (done.status.phase, done.status.container_statuses[0].restart_count) == ("Succeeded", 1)
    assert done.status.container_statuses[0].last_state.terminated.exit_code == 1

    probe = {"exec": {"command": ["python", "-c", "raise SystemExit(1)"]}, "periodSeconds": 1, "failureThreshold": 1}
    api.create_namespaced_pod(space, pod("ill", "import time; time.sleep(300)", policy="Always", livenessProbe=probe))
    has_phase(api, space, "ill", "Running")
    until(lambda: api.read_namespaced_pod("ill", space).status.container_statuses[0].restart_count >= 1)
    events = api.list_namespaced_event(space, field_selector="involvedObject.name=ill,reason=Killing").items
    assert "failed liveness probe" in events[0].message


def test_jobs_complete_fail_and_take_their_pods_along(api, batch, space):
    def job(name, code, **spec):
        template = {"spec": pod("x", code)["spec"]}
        return {"metadata": {"name": name}, "spec": {"template": template, **spec}}

    def done(name):
        return [item.type for item in batch.read_namespaced_job_status(name, space).status.conditions or ()]

    batch.create_namespaced_job(space, job("good", "print(1)", completions=3, parallelism=2))
    assert until(lambda: done("good")) == ["Complete"]
    assert batch.read_namespaced_job("good", space).status.succeeded == 3
    batch.create_namespaced_job(space, job("bad", "raise SystemExit(1)", backoffLimit=1))
    assert until(lambda: done("bad")) == ["Failed"]
    assert batch.read_namespaced_job("bad", space).status.failed == 2

    def count(name):
        return len(api.list_namespaced_pod(space, label_selector=f"job-name={name}").items)

    batch.delete_namespaced_job("good", space, propagation_policy="Background")
    until(lambda: count("good") == 0)
    batch.delete_namespaced_job("bad", space, propagation_policy="Orphan")
    time.sleep(0.5)
    assert count("bad") == 2


# -- deployments and services -----------------------------------------------------------------------------------------


def deployment(version, replicas=2, **container):
    labels = {"app": "web"}
    main = {
        "name": "web",
        "image": "python:3",
        "command": ["python", "-c", SERVER],
        "env": [{"name": "VERSION", "value": version}],
        "ports": [{"name": "http", "containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 1},
        **container,
    }
    spec = {"containers": [main], "terminationGracePeriodSeconds": 5}
    template = {"metadata": {"labels": labels}, "spec": spec}
    return {
        "metadata": {"name": "web"},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template},
    }


def service(**spec):
    ports = [{"port": 80, "targetPort": "http"}]
    return {
        "metadata": {"name": "web"},
        "spec": {"type": "NodePort", "selector": {"app": "web"}, "ports": ports, **spec},
    }


def rolled_out(apps, space, seconds=90):
    def check():
        item = apps.read_namespaced_deployment("web", space)
        status, wanted = item.status, item.spec.replicas
        counts = (status.updated_replicas, status.replicas, status.available_replicas)
        return status.observed_generation == item.metadata.generation and counts == (wanted,) * 3 and item

    return until(check, seconds)


def fetch(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/path?q=1", timeout=10) as answer:
        return answer.read().decode().split(" ")


def test_a_rolling_update_fails_no_request(api, apps, space):
    port = api.create_namespaced_service(space, service()).spec.ports[0].node_port
    apps.create_namespaced_deployment(space, deployment("1"))
    first = rolled_out(apps, space)
    conditions = {item.type: (item.status, item.reason) for item in first.status.conditions}
    assert conditions == {
        "Available": ("True", "MinimumReplicasAvailable"),
        "Progressing": ("True", "NewReplicaSetAvailable"),
    }
    until(lambda: len({fetch(port)[0] for _ in range(8)}) == 2)  # both pods get their turn

    seen, failures, stop = [], [], threading.Event()

    def ask():
        while not stop.is_set():
            try:
                seen.append(fetch(port)[1])
            except Exception as error:
                failures.append(error)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    apps.patch_namespaced_deployment("web", space, deployment("2"))
    item = rolled_out(apps, space)
    time.sleep(0.5)
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []
    assert seen[0] == "1"
    assert seen[-1] == "2"
    assert len(seen) > 50
    assert item.metadata.annotations["deployment.kubernetes.io/revision"] == "2"
    assert len(apps.list_namespaced_replica_set(space).items) == 2


def test_a_bad_update_keeps_the_old_pods_and_times_out(api, apps, space):
    port = api.create_namespaced_service(space, service()).spec.ports[0].node_port
    apps.create_namespaced_deployment(space, deployment("1"))
    rolled_out(apps, space)
    bad = deployment("2", command=["python", "-c", "raise SystemExit(1)"])
    bad["spec"]["progressDeadlineSeconds"] = 2
    apps.patch_namespaced_deployment("web", space, bad)

    def progressing():
        status = apps.read_namespaced_deployment("web", space).status
        return {item.type: item.reason for item in status.conditions}["Progressing"]

    until(lambda: progressing() == "ProgressDeadlineExceeded")
    assert {fetch(port)[1] for _ in range(6)} == {"1"}
    apps.patch_namespaced_deployment("web", space, deployment("1"))
    assert rolled_out(apps, space).metadata.annotations["deployment.kubernetes.io/revision"] == "3"
    assert progressing() == "NewReplicaSetAvailable"


def test_a_service_has_endpoints_a_proxy_and_a_stable_port(api, apps, space):
    port = api.create_namespaced_service(space, service()).spec.ports[0].node_port
    apps.create_namespaced_deployment(space, deployment("1", replicas=1))
    rolled_out(apps, space)
    subset = until(lambda: api.read_namespaced_endpoints("web", space).subsets)[0]
    assert (subset.addresses[0].ip, subset.addresses[0].target_ref.kind) == ("127.0.0.1", "Pod")
    assert subset.ports[0].port not in (80, 8080, port)
    for name in ("web", "web:80", "http:web:80"):
        call = api.connect_get_namespaced_service_proxy_with_path
        answer = call(name, space, "v2/health/ready", _preload_content=False).read().decode()
        assert answer.split(" ")[2] == "/v2/health/ready"
    pod_name = api.list_namespaced_pod(space, label_selector="app=web").items[0].metadata.name
    assert pod_name in api.connect_get_namespaced_pod_proxy(f"{pod_name}:8080", space)

    api.delete_namespaced_service("web", space)
    other = service()
    other["metadata"]["name"] = "other"
    assert api.create_namespaced_service(space, other).spec.ports[0].node_port != port
    assert api.create_namespaced_service(space, service()).spec.ports[0].node_port == port
    assert until(lambda: answers(f"http://127.0.0.1:{port}/"))
    api.patch_namespaced_service("web", space, {"spec": {"type": "ClusterIP"}})
    assert api.read_namespaced_service("web", space).spec.ports[0].node_port is None
    until(lambda: not answers(f"http://127.0.0.1:{port}/"))
    apps.patch_namespaced_deployment_scale("web", space, {"spec": {"replicas": 0}})
    until(lambda: not api.read_namespaced_endpoints("web", space).subsets)
    refused(503, "ServiceUnavailable", api.connect_get_namespaced_service_proxy, "web", space)


# -- the stand-in's own life ------------------------------------------------------------------------------------------


def ready_since(api):
    pods = api.list_namespaced_pod("default", label_selector="app=web").items
    conditions = [(pod, item) for pod in pods for item in pod.status.conditions if item.type == "Ready"]
    return {pod.metadata.name: (item.status, item.last_transition_time) for pod, item in conditions}


def test_kill_9_loses_neither_pods_nor_exit_codes(own_cluster):
    api, apps = client.CoreV1Api(own_cluster.client()), client.AppsV1Api(own_cluster.client())
    port = api.create_namespaced_service("default", service()).spec.ports[0].node_port
    apps.create_namespaced_deployment("default", deployment("1"))
    wait = "import os, time\nprint('before')\nwhile not os.path.exists('{}'): time.sleep(.05)\nprint('after')\nexit({})"
    long, short = own_cluster.home / "long", own_cluster.home / "short"
    api.create_namespaced_pod("default", pod("long", wait.format(long, 7)))
    api.create_namespaced_pod("default", pod("short", wait.format(short, 5)))
    rolled_out(apps, "default")
    for name in ("long", "short"):
        has_phase(api, "default", name, "Running")
    before = {item.metadata.name: item.metadata.uid for item in api.list_namespaced_pod("default").items}
    ready = ready_since(api)
    shims = {process.pid for process in own_cluster.shims()}
    own_cluster.end(signal.SIGKILL)
    short.touch()
    until(lambda: len(own_cluster.shims()) == 3)  # `short` has ended, nothing else
    own_cluster.start()
    api, apps = client.CoreV1Api(own_cluster.client()), client.AppsV1Api(own_cluster.client())
    ended = finished(api, "default", "short").status.container_statuses[0]
    assert (ended.state.terminated.exit_code, ended.restart_count) == (5, 0)
    assert until(lambda: answers(f"http://127.0.0.1:{port}/"))
    long.touch()
    assert log_of(api, "long", "default", follow=True) == "before\nafter\n"
    assert finished(api, "default", "long").status.container_statuses[0].state.terminated.exit_code == 7
    assert ready_since(api) == ready  # nobody saw them unready
    after = api.list_namespaced_pod("default").items
    assert {item.metadata.name: item.metadata.uid for item in after} == before
    assert all(item.status.container_statuses[0].restart_count == 0 for item in after)
    assert {process.pid for process in own_cluster.shims()} < shims
    rolled_out(apps, "default")


def test_sigterm_stops_the_pods_unless_they_are_to_be_kept(own_cluster):
    api, apps = client.CoreV1Api(own_cluster.client()), client.AppsV1Api(own_cluster.client())
    apps.create_namespaced_deployment("default", deployment("1"))
    forks = "import subprocess, time; subprocess.Popen(['setsid', 'sleep', '301']); time.sleep(300)"
    api.create_namespaced_pod("default", pod("forks", forks))
    rolled_out(apps, "default")
    has_phase(api, "default", "forks", "Running")
    until(
        lambda: any(
            "301" in process.cmdline() for shim in own_cluster.shims() for process in shim.children(recursive=True)
        )
    )
    tree = [process for shim in own_cluster.shims() for process in (shim, *shim.children(recursive=True))]
    assert len(tree) >= 7
    own_cluster.end()
    assert own_cluster.process.returncode in (0, -signal.SIGTERM)
    assert not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in tree)

    own_cluster.start("--keep-pods")
    rolled_out(apps, "default")  # what stands for a reboot of the node restarts them
    assert api.read_namespaced_pod("forks", "default").status.phase == "Failed"
    shims = {process.pid for process in own_cluster.shims()}
    assert len(shims) == 2
    own_cluster.end()
    assert {process.pid for process in own_cluster.shims()} == shims
    own_cluster.start()
    rolled_out(apps, "default")
    assert {process.pid for process in own_cluster.shims()} == shims
    for number in range(3):  # their start is under way when the fixture ends the cluster and looks for what is left
        api.create_namespaced_pod("default", pod(f"late-{number}", "import time; time.sleep(300)"))


def test_a_busy_port_and_a_used_state_are_named(cluster, tmp_path):
    def words(state, port):
        images = ("--images", str(cluster.home / "images.json"), "--node-ports", "30000-30001")
        return (str(python("sandbox")), "-m", "sandbox.cluster", "--state", str(state), "--port", str(port), *images)

    for state, port, text in ((tmp_path, cluster.port, f"port {cluster.port}"), (cluster.state, 1, "another cluster")):
        done = subprocess.run(words(state, port), cwd=REPO, capture_output=True, text=True, check=False, timeout=30)
        assert done.returncode == 1
        assert text in done.stderr
        assert "choose another" in done.stderr
    (tmp_path / "objects.sqlite3").write_text("no database " * 100)
    done = subprocess.run(words(tmp_path, free_ports(1)[0]), cwd=REPO, capture_output=True, text=True, check=False)
    assert (done.returncode, "cannot be read" in done.stderr) == (1, True)


@pytest.fixture
def kubectl(cluster, space, tmp_path):
    """Run today's kubectl in the test's namespace, with a home of its own; `fails` for its exit code."""

    def run(*words, fails=False, **more):
        command = (python("dev").parent / "kubectl", "--kubeconfig", cluster.kubeconfig, "--context", "kubectl")
        env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
        done = subprocess.run(
            (*command, "-n", space, *words), capture_output=True, text=True, check=False, env=env, timeout=120, **more
        )
        assert bool(done.returncode) is fails, done.stdout + done.stderr
        return done.stdout + (done.stderr if fails else "")

    return run


def test_kubectl_gets_applies_logs_and_deletes(kubectl):
    def manifest(version):
        items = [deployment(version) | {"apiVersion": "apps/v1", "kind": "Deployment"}]
        items.append(service() | {"apiVersion": "v1", "kind": "Service"})
        return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})

    assert kubectl("apply", "-f", "-", input=manifest("1")).split("\n")[0] == "deployment.apps/web created"
    kubectl("rollout", "status", "deployment/web", "--timeout=90s")
    assert "unchanged" in kubectl("apply", "-f", "-", input=manifest("1"))
    assert "configured" in kubectl("apply", "-f", "-", input=manifest("2"))
    kubectl("rollout", "status", "deployment/web", "--timeout=90s")
    table = kubectl("get", "deployments,pods,services")
    assert "2/2" in table
    assert "Running" in table
    one = json.loads(kubectl("get", "deployment", "web", "-o", "json"))
    assert one["spec"]["template"]["spec"]["containers"][0]["env"] == [{"name": "VERSION", "value": "2"}]
    body = pod("hello", "print('hi')") | {"apiVersion": "v1", "kind": "Pod"}
    kubectl("create", "-f", "-", input=json.dumps(body))
    kubectl("wait", "pod/hello", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=90s")
    assert kubectl("logs", "-f", "hello") == "hi\n"
    assert "Started container base" in kubectl("describe", "pod", "hello")
    assert "pod/hello" in kubectl("get", "events")
    assert kubectl("label", "pod", "hello", "team=north") == "pod/hello labeled\n"
    assert kubectl("get", "pods", "-l", "team=north", "-o", "name") == "pod/hello\n"
    assert kubectl("diff", "-f", "-", input=manifest("2")) == ""
    assert "3" in kubectl("diff", "-f", "-", input=manifest("3"), fails=True)
    kubectl("scale", "deployment/web", "--replicas=1")
    kubectl("rollout", "restart", "deployment/web")
    kubectl("rollout", "status", "deployment/web", "--timeout=90s")
    kubectl("delete", "deployment/web", "service/web", "pod/hello")
    assert kubectl("get", "deployments", "-o", "name") == ""


def test_kubectl_prints_no_token(kubectl, cluster):
    said = kubectl("cluster-info")
    assert f"http://127.0.0.1:{cluster.port}" in said
    assert (cluster.home / "token").read_text().strip() not in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("exec", "hello", "--", "ls"), "Not Implemented"),
        (("port-forward", "pod/hello", ":80"), "Not Implemented"),
        (("top", "pods"), "Metrics API not available"),
        (("auth", "can-i", "get", "pods"), "left out of this stand-in"),
        (("create", "configmap", "x", "--from-literal=a=b"), "--dry-run=client -o yaml"),
        (("apply", "--server-side", "-f", "-"), "Server-side apply not available"),
        (("explain", "pod"), "couldn't find resource"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_kubectl_is_told_what_is_left_out(kubectl, words, said):
    body = json.dumps(pod("hello", "import time; time.sleep(600)") | {"apiVersion": "v1", "kind": "Pod"})
    kubectl("apply", "-f", "-", input=body)
    kubectl("wait", "pod/hello", "--for=condition=Ready", "--timeout=90s")
    assert said in kubectl(*words, fails=True, input=body)


def test_a_pod_moves_to_another_port_when_somebody_has_taken_its_own(own_cluster):
    api, apps = client.CoreV1Api(own_cluster.client()), client.AppsV1Api(own_cluster.client())
    port = api.create_namespaced_service("default", service()).spec.ports[0].node_port
    apps.create_namespaced_deployment("default", deployment("1", replicas=1))
    rolled_out(apps, "default")
    real = api.read_namespaced_endpoints("web", "default").subsets[0].ports[0].port
    own_cluster.end()
    with socket.create_server(("127.0.0.1", real)):
        own_cluster.start()
        assert until(lambda: answers(f"http://127.0.0.1:{port}/"))
    assert api.read_namespaced_endpoints("web", "default").subsets[0].ports[0].port != real
    assert "PortsChanged" in {event.reason for event in api.list_namespaced_event("default").items}
