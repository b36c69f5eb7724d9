import json
import subprocess

import pytest
from starlette.testclient import TestClient

from sandbox.argocd import bodies
from sandbox.argocd.accounts import Accounts
from sandbox.argocd.api import Api
from sandbox.argocd.clusters import Clusters
from sandbox.argocd.controller import Controller
from sandbox.argocd.live import Key
from sandbox.argocd.source import Sources
from sandbox.argocd.store import Store

APPLICATIONS = "/api/v1/applications"
PASSWORD = "open sesame"


@pytest.fixture
def repository(tmp_path):
    """URL of a Git repository with one commit."""
    folder = tmp_path / "work"
    subprocess.run(["git", "init", "--quiet", "--initial-branch=main", str(folder)], check=True)
    (folder / "app").mkdir()
    (folder / "app/config.yaml").write_text("kind: ConfigMap\napiVersion: v1\nmetadata: {name: old}\n")
    author = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    for words in (["add", "."], [*author, "commit", "--quiet", "-m", "Deploy <b>version</b> 3"]):
        subprocess.run(["git", "-C", str(folder), *words], check=True)
    return folder.as_uri()


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "state.sqlite")


@pytest.fixture
def sources(tmp_path):
    return Sources(tmp_path / "mirrors")


@pytest.fixture
def controller(store, sources, tmp_path):
    """Not started: nothing is ever synced."""
    return Controller(store=store, sources=sources, clusters=Clusters(tmp_path / "no-kubeconfig"))


@pytest.fixture
def client(store, sources, controller):
    accounts = Accounts(store, token="of-the-file", password=PASSWORD)
    app = Api(store=store, sources=sources, controller=controller, accounts=accounts).app()
    headers = {"Authorization": "Bearer of-the-file", "Content-Type": "application/json"}
    return TestClient(app, base_url="http://127.0.0.1:8085", headers=headers, raise_server_exceptions=False)


@pytest.fixture
def created(client, repository):
    """Name of an application."""
    source = {"repoURL": repository, "path": "app", "targetRevision": "main"}
    spec = {"source": source, "destination": {"server": "https://kubernetes.default.svc", "namespace": "web"}}
    assert client.post(APPLICATIONS, json={"metadata": {"name": "web"}, "spec": spec}).status_code == 200
    return "web"


def test_too_large_a_body_is_refused_before_login_and_without_reading_it_all(client):
    pulled = 0

    def endless():
        nonlocal pulled
        for _ in range(64):
            pulled += 1
            yield b" " * 2**18

    headers = {"Authorization": ""}
    answer = client.post("/api/v1/session", content=b" " * (bodies.MAX_BYTES + 1), headers=headers)
    assert (answer.status_code, answer.json()["message"]) == (413, "a body has 1048576 bytes at most")
    assert client.post("/api/v1/session", content=endless(), headers=headers).status_code == 413


@pytest.mark.parametrize(
    "content",
    [
        b'{"a":' * 5000 + b"1" + b"}" * 5000,
        b"[" * 500_000,
        b'{"username": "\\ud800"}',
        b'{"username": NaN}',
        b"{",
        b"\xff",
        b"[]",
    ],
)
def test_what_is_no_plain_json_object_is_refused(client, content):
    answer = client.post("/api/v1/session", content=content)
    assert (answer.status_code, answer.json()["code"]) == (400, 3)


@pytest.mark.parametrize("name", [None, "", "A", "a/b", "\0", "x" * 300, "a\n", 5, ["a"], {}])
def test_a_name_that_is_none_is_refused(client, name):
    body = {"metadata": {"name": name}, "spec": {}}
    assert client.post(APPLICATIONS, json=body).status_code == 400


OPERATION = {"op": "add", "path": "/metadata/labels", "value": {}}


@pytest.mark.parametrize(
    "patch",
    [
        [{**OPERATION, "path": 5}],
        [{**OPERATION, "path": None}],
        [{**OPERATION, "path": ["metadata"]}],
        [{**OPERATION, "path": "/spec/project/deeper"}],
        [{**OPERATION, "path": "/metadata/name/0"}],
        [{**OPERATION, "path": "", "value": 1}],
        [{**OPERATION, "path": "no-slash"}],
        [{**OPERATION, "path": "/metadata/labels~3"}],
        [{**OPERATION, "op": 1}],
        [{**OPERATION, "op": "none"}],
        [{"op": "copy", "from": 1, "path": "/x"}],
        [{"op": "move", "from": "/metadata", "path": "/metadata/labels"}],
        [{"op": "remove"}],
        [1],
        {"op": "add"},
        "text",
        None,
    ],
)
def test_a_patch_that_is_none_is_refused(client, created, patch):
    answer = client.patch(f"{APPLICATIONS}/{created}", json={"patch": json.dumps(patch)})
    assert (answer.status_code, answer.json()["code"]) == (400, 3)
    assert len(answer.text) < 5000


def test_a_deep_patch_is_refused(client, created):
    for kind in ("json", "merge"):
        answer = client.patch(f"{APPLICATIONS}/{created}", json={"patch": "[" * 5000, "patchType": kind})
        assert answer.status_code == 400
        assert "levels deep" in answer.json()["message"]


@pytest.mark.parametrize("revision", ["main", "--output=x", "%00", "a" * 300])
def test_metadata_is_asked_for_by_a_full_sha(client, created, revision):
    answer = client.get(f"{APPLICATIONS}/{created}/revisions/{revision}/metadata")
    assert "is no full commit SHA" in answer.json()["message"]


def test_words_with_a_nul_do_not_reach_git(client, created):
    assert client.post(f"{APPLICATIONS}/{created}/sync", json={"revision": "a\0b"}).status_code == 400


def test_a_resource_version_is_a_number(client):
    assert client.get("/api/v1/stream/applications", params={"resourceVersion": "x"}).status_code == 400


def test_another_host_is_refused_before_all_else(client):
    assert client.get("/api/version", headers={"Host": "evil.example:8085"}).status_code == 421
    assert client.get("/api/version").json() == {"Version": "v3.5.1+standin"}


def test_pages_ask_for_the_login(client):
    for path in ("/applications", "/applications/argocd/none"):
        for auth in (None, ("admin", "wrong")):
            client.headers.pop("Authorization", None)
            answer = client.get(path, auth=auth)
            assert answer.status_code == 401
            assert answer.headers["WWW-Authenticate"].startswith("Basic ")
    shown = client.get("/applications", auth=("admin", PASSWORD))
    assert shown.status_code == 200
    assert "stand-in for Argo CD" in shown.text


def test_a_page_shows_the_synced_commit_and_the_last_log_lines(client, created, store, sources, controller, repository):
    commit = sources.resolve(repository, "main")
    app = store.get(created)
    source = app["spec"]["source"]
    entry = {"id": 0, "revision": commit, "source": source, "deployedAt": "now", "initiatedBy": {"username": "ci"}}
    store.put({**app, "status": {"history": [entry]}})
    tracking_id = {"argocd.argoproj.io/tracking-id": "web:/Pod:web/web-1"}
    metadata = {"name": "web-1", "namespace": "web", "uid": "1", "annotations": tracking_id}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": []}}
    controller._live = {controller._clusters.of(app): {Key.of(pod): pod}}
    shown = client.get("/applications/argocd/web", auth=("admin", PASSWORD)).text
    assert "Deploy &lt;b&gt;version&lt;/b&gt; 3" in shown
    assert "Ada &lt;ada@example.org&gt;" in shown
    assert "+kind: ConfigMap" in shown
    assert "<h3>web-1</h3><pre>cannot be read: cannot reach the cluster" in shown
    unread = client.get(f"{APPLICATIONS}/web/pods/web-1/logs")
    assert (unread.status_code, unread.json()["message"][:24]) == (500, "cannot reach the cluster")
    assert client.get(f"{APPLICATIONS}/web/pods/other/logs").status_code == 400
    assert client.get(f"{APPLICATIONS}/web/pods/web-1/logs", headers={"Authorization": "Bearer no"}).status_code == 401
