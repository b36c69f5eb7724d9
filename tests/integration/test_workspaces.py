"""Workspaces on the process-backed cluster, and on two behind Rancher; in their image's place a server that answers."""

import json
import sys
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from types import SimpleNamespace

import pytest
from airflow.sdk import Connection

from flightline.hooks.workspaces import WorkspaceHook
from flightline.workspaces import objects
from flightline.workspaces.settings import Wanted
from include.foundation.errors import InvalidInput, MissingInput
from sandbox.supervisor.service import REPO, Service, answers, free_ports, python, running

pytestmark = pytest.mark.integration
SERVER = """#!/bin/sh
exec {python} -c '
import os
from http.server import BaseHTTPRequestHandler, HTTPServer
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/api" and os.environ["JUPYTER_TOKEN"] else 404)
        self.end_headers()
HTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Handler).serve_forever()
'
"""
SETTINGS = {"url": "http://{name}.localhost", "images": ["desk:1", "absent:1", "broken:1"]}
RUN = "manual__2026-01-01T00:00:00+00:00"


def _server(home, kind):
    (home / "token").write_text("s3cr3t:of-the-connection")
    (home / "desk").mkdir()
    (home / "desk/python").write_text(SERVER.format(python=sys.executable))
    (home / "broken").mkdir()
    (home / "broken/python").write_text("#!/bin/sh\necho 'InvalidInput: this machine lacks programs' >&2\nexit 65\n")
    for name in ("desk", "broken"):
        (home / name / "python").chmod(0o755)
    images = {name: {"path": str(home / name)} for name in ("desk", "broken")}
    (home / "images.json").write_text(json.dumps(images))
    port, low = free_ports(1)[0], free_ports(20)[0]
    words = ("--port", str(port), "--state", str(home / "state"), "--images", str(home / "images.json"))
    words += ("--token-file", str(home / "token"))
    if kind == "kubernetes":
        words += ("--node-ports", f"{low}-{low + 19}")
    else:
        (home / "password").write_text("open sesame")
        words += ("--node-ports", str(low), "--password-file", str(home / "password"))
        words += ("--cluster", "east:tier=desks", "--cluster", "west:tier=desks")
    url = f"http://127.0.0.1:{port}"
    module = "sandbox.rancher" if kind == "rancher" else "sandbox.cluster"
    command = (str(python("sandbox")), "-m", module, *words)
    ready = partial(answers, f"{url}/readyz")
    return Service(name=kind, command=command, env={"PYTHONPATH": str(REPO)}, url=url, ready=ready, grace_seconds=20)


def _connection(kind, url, home):
    if kind == "rancher":
        host, _, port = url.removeprefix("http://").partition(":")
        extra = {"cluster": {"tier": "desks"}, "workspaces": SETTINGS}
        where = {"schema": "http", "host": host, "port": int(port), "password": (home / "token").read_text()}
        return Connection(conn_id="cluster", conn_type="rancher", extra=json.dumps(extra), **where)
    user = {"name": "u", "user": {"token": (home / "token").read_text()}}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": url}}],
        "users": [user],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
    }
    extra = {"kube_config": config, "workspaces": SETTINGS}
    return Connection(conn_id="cluster", conn_type="kubernetes", extra=json.dumps(extra))


@pytest.fixture(scope="module", params=["kubernetes", pytest.param("rancher", marks=pytest.mark.long)])
def desks(request, tmp_path_factory):
    """The Connection to a running cluster, or to Rancher with two."""
    home = tmp_path_factory.mktemp("desks")
    service = _server(home, request.param)
    with running(service, log=home / "log"):
        connection = _connection(request.param, service.url, home)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AIRFLOW_CONN_CLUSTER", connection.get_uri())
            for place in WorkspaceHook().places:
                metadata = {"metadata": {"name": place.settings.namespace}}
                place.client.core_v1_client.create_namespace(metadata)
            yield SimpleNamespace(connection=connection, clusters=2 if request.param == "rancher" else 1)


@pytest.fixture
def hook(desks):
    made = WorkspaceHook()
    yield made
    for place, each in made.every():
        place.delete(each)
    eventually(lambda: not made.every())


def eventually(check, seconds=60):
    deadline = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < deadline, "it did not come to be"
        time.sleep(0.1)
    return found


def ready(hook, name, user="ada"):
    return eventually(lambda: (found := hook.look(name, user=user)).state == "ready" and found)


def test_who_asks_gets_a_workspace_and_a_retry_finds_it(hook, desks):
    found = hook.start("ada", RUN, Wanted(cpus=1, memory_gib=1))
    assert len(hook.places) == desks.clusters
    assert ready(hook, found.name).user == "ada"
    origin, token = hook.token(found.name, user="ada")
    assert (origin, len(token)) == (f"http://{found.name}.localhost", 43)
    assert hook.start("ada", RUN, Wanted(cpus=1, memory_gib=1)).uid == found.uid
    assert hook.token(found.name, user="ada")[1] == token
    place, _ = hook.find(found.name, user="ada")
    pod = place.client.core_v1_client.read_namespaced_pod(found.name, place.settings.namespace)
    assert token not in str(pod)


def test_nobody_gets_at_anybody_elses(hook):
    name = hook.start("ada", RUN, Wanted()).name
    for forbidden in (
        lambda: hook.token(name, user="eve"),
        lambda: hook.extend(name, 1, user="eve"),
        lambda: hook.stop(name, user="eve"),
        lambda: hook.look(name, user="eve"),
    ):
        with pytest.raises(MissingInput, match=r"there is no workspace .* of yours"):
            forbidden()
    assert hook.of("eve") == []
    assert [each.user for _, each in hook.every()] == ["ada"]
    assert hook.start("eve", RUN, Wanted()).name != name


def test_the_quota_is_a_persons(hook):
    for number in range(2):
        hook.start("ada", f"{RUN}{number}", Wanted(cpus=1, memory_gib=1))
    with pytest.raises(InvalidInput, match="workspaces 3 of 2"):
        hook.start("ada", f"{RUN}3", Wanted(cpus=1, memory_gib=1))
    hook.start("eve", RUN, Wanted())


def test_extended_then_stopped_and_the_home_stays(hook):
    name = hook.start("ada", RUN, Wanted(hours=1)).name
    until = hook.extend(name, 5, user="ada")
    assert until > datetime.now(UTC) + timedelta(hours=4, minutes=59)
    place, found = hook.find(name, user="ada")
    assert found.until == until.replace(microsecond=0)
    ready(hook, name)
    hook.stop(name, user=None)
    eventually(lambda: not hook.of("ada"))
    core, namespace = place.client.core_v1_client, place.settings.namespace
    eventually(lambda: not core.list_namespaced_service(namespace).items)
    eventually(lambda: not core.list_namespaced_secret(namespace).items)
    claims = core.list_namespaced_persistent_volume_claim(namespace).items
    assert "home-ada" in {each.metadata.name for each in claims}


def test_a_sweep_takes_what_is_over_and_what_has_ended_and_nothing_else(hook):
    kept = hook.start("ada", RUN, Wanted()).name
    over = hook.start("ada", f"{RUN}over", Wanted()).name
    ended = hook.start("eve", RUN, Wanted(image="broken:1")).name
    place, _ = hook.find(over, user="ada")
    past = {"metadata": {"annotations": {objects.UNTIL: "2026-01-01T00:00:00+00:00"}}}
    place.client.core_v1_client.patch_namespaced_pod(over, place.settings.namespace, past)
    eventually(lambda: hook.find(ended, user="eve")[1].state == "ended")
    with pytest.raises(InvalidInput, match="this machine lacks programs"):
        hook.look(ended, user="eve")
    assert hook.sweep() == {over: "its time was over at 2026-01-01 00:00 UTC", ended: "it has ended"}
    eventually(lambda: [each.name for _, each in hook.every()] == [kept])


def test_an_image_that_is_none_is_said(hook):
    with pytest.raises(InvalidInput, match="'evil:1' is none that may be asked for"):
        hook.start("ada", RUN, Wanted(image="evil:1"))
    name = hook.start("ada", RUN, Wanted(image="absent:1")).name

    def refused():
        try:
            hook.look(name, user="ada")
        except InvalidInput as error:
            return str(error)

    assert "image absent:1 of workspace" in eventually(refused)


def test_a_cluster_whose_owner_says_nothing_of_workspaces_has_none(monkeypatch):
    connection = Connection(conn_id="cluster", conn_type="kubernetes", extra="{}")
    monkeypatch.setenv("AIRFLOW_CONN_CLUSTER", connection.get_uri())
    assert WorkspaceHook().sweep() == {}
    with pytest.raises(InvalidInput, match="there are no workspaces here: say `workspaces`"):
        WorkspaceHook().start("ada", RUN, Wanted())
