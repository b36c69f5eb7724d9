"""The stand-in's protocol and its faults, on a real repository and the cluster stand-in."""

import json
import threading
import time
from pathlib import Path

import jsonschema
import pytest

from sandbox.supervisor.service import REPO

pytestmark = pytest.mark.integration

SWAGGER = REPO.parent / "shared" / "contracts" / "argocd.swagger.json"
USED = json.loads((Path(__file__).parent / "used.schema.json").read_text())


def healthy(app):
    return app["status"].get("health", {}).get("status") == "Healthy" and app["status"]["sync"]["status"] == "Synced"


def strict(swagger):
    """The swagger with unknown fields forbidden wherever an object lists its fields."""
    definitions = swagger["definitions"]
    for definition in definitions.values():
        for inherited in definition.pop("allOf", []):
            definition["properties"] |= definitions[inherited["$ref"].rpartition("/")[2]]["properties"]
        if "properties" in definition:
            definition["additionalProperties"] = False
    return swagger


def conforms(document, definition):
    jsonschema.validate(document, {**USED, "$ref": f"#/$defs/{definition}"})


def test_its_state_is_its_owners_alone(argo):
    command = list(argo.service.command)
    state = Path(command[command.index("--state") + 1])
    files = [state, *state.rglob("*")]
    assert state / "argocd.sqlite" in files
    assert [file for file in files if file.stat().st_mode & 0o077] == []


def test_a_whole_life(argo, repository, created, name, make):
    """Create, compare, sync, change, prune, roll back, delete: every answer is of the shape that the project reads."""
    first = repository.git("rev-parse", "HEAD")
    app = argo.app(name)
    conforms(app, "application")
    assert app["status"]["sync"] == {
        "status": "OutOfSync",
        "revision": first,
        "comparedTo": {"source": app["spec"]["source"], "destination": app["spec"]["destination"]},
    }
    assert app["status"]["health"]["status"] == "Missing"

    infos = [{"name": "who", "value": "me"}]
    started = argo.call("POST", f"/applications/{name}/sync", json={"infos": infos, "project": "default"}).json()
    conforms(started, "application")
    assert started["operation"]["info"] == infos
    assert started["operation"]["sync"]["revision"] == first
    assert "operationState" not in started["status"]
    state = argo.finished(name)
    assert state["phase"] == "Succeeded"
    assert state["operation"]["info"] == infos
    assert {(each["kind"], each["status"]) for each in state["syncResult"]["resources"]} == {
        ("Deployment", "Synced"),
        ("ConfigMap", "Synced"),
    }
    app = argo.wait(name, healthy)
    assert app["status"]["reconciledAt"] >= state["finishedAt"]

    nodes, deadline = {}, time.monotonic() + 30
    while set(nodes) != {"Deployment", "ConfigMap", "ReplicaSet", "Pod"}:  # a look at the cluster may be a moment old
        tree = argo.call("GET", f"/applications/{name}/resource-tree", params={"project": "default"}).json()
        conforms(tree, "tree")
        nodes = {node["kind"]: node for node in tree["nodes"]}
        assert time.monotonic() < deadline, nodes
    assert nodes["Pod"]["parentRefs"][0]["kind"] == "ReplicaSet"
    assert nodes["Pod"]["images"] == ["demo/sleeper:1"]
    assert argo.live("configmap", name, "conf")["data"] == {"a": "1"}

    second = repository.commit(
        {"web.yaml": make.deployment("web", replicas=2), "other.yaml": make.config("other", b="2")}
    )
    app = argo.app(name)
    assert app["status"]["sync"]["revision"] == second
    statuses = {each["name"]: (each["status"], each.get("requiresPruning")) for each in app["status"]["resources"]}
    assert statuses == {"web": ("OutOfSync", None), "other": ("OutOfSync", None), "conf": ("OutOfSync", True)}

    argo.call("POST", f"/applications/{name}/sync", json={})
    skipped = {each["name"]: each["status"] for each in argo.finished(name)["syncResult"]["resources"]}
    assert skipped["conf"] == "PruneSkipped"
    assert argo.app(name)["status"]["sync"]["status"] == "OutOfSync"
    argo.call("POST", f"/applications/{name}/sync", json={"prune": True})
    assert {each["name"]: each["status"] for each in argo.finished(name)["syncResult"]["resources"]}["conf"] == "Pruned"
    argo.wait(name, healthy)
    assert [each["metadata"]["name"] for each in argo.live("configmap", name)] == ["other"]

    argo.call("POST", f"/applications/{name}/rollback", json={"id": 0, "prune": True})
    state = argo.finished(name)
    assert (state["phase"], state["syncResult"]["revision"]) == ("Succeeded", first)
    app = argo.app(name)
    assert (app["status"]["sync"]["status"], app["status"]["sync"]["revision"]) == ("OutOfSync", second)
    assert [each["revision"] for each in app["status"]["history"]] == [first, second, second, first]
    conforms(app, "application")

    assert argo.call("DELETE", f"/applications/{name}").status_code == 200
    gone = time.monotonic() + 20
    while argo.call("GET", f"/applications/{name}", params={"project": "default"}).status_code != 404:
        assert time.monotonic() < gone
        time.sleep(0.2)
    assert [*argo.live("deployment", name), *argo.live("configmap", name)] == []


@pytest.mark.skipif(not SWAGGER.exists(), reason="argocd.swagger.json, Argo CD's published API, is not on this machine")
def test_answers_are_of_the_published_shape(argo, repository, created, name, make):
    swagger = strict(json.loads(SWAGGER.read_text()))

    def published(document, definition):
        # `validate` would check the large schema itself every time.
        jsonschema.Draft4Validator({"$ref": f"#/definitions/{definition}", **swagger}).validate(document)

    def valid(answer, definition):
        assert answer.status_code == 200, answer.text
        published(answer.json(), definition)
        return answer.json()

    password = {"username": "admin", "password": "open sesame"}
    valid(argo.call("POST", "/session", json=password), "sessionSessionResponse")
    valid(argo.call("GET", "/session/userinfo"), "sessionGetUserInfoResponse")
    valid(argo.client.get("/api/version"), "versionVersionMessage")
    token = {"id": f"ci-{name}", "expiresIn": 60}
    valid(argo.call("POST", "/account/flightline/token", json=token), "accountCreateTokenResponse")
    one = f"/applications/{name}"
    valid(argo.call("POST", f"{one}/sync", json={"prune": True}), "v1alpha1Application")
    argo.finished(name)
    argo.wait(name, healthy)
    valid(argo.call("POST", f"{one}/sync", json={"prune": True}), "v1alpha1Application")
    argo.finished(name)
    valid(argo.call("GET", one, params={"refresh": "hard"}), "v1alpha1Application")
    valid(argo.call("GET", "/applications"), "v1alpha1ApplicationList")
    valid(argo.call("GET", f"{one}/resource-tree"), "v1alpha1ApplicationTree")
    valid(argo.call("GET", f"{one}/syncwindows"), "applicationApplicationSyncWindowsResponse")
    head = repository.git("rev-parse", "HEAD")
    metadata = valid(argo.call("GET", f"{one}/revisions/{head}/metadata"), "v1alpha1RevisionMetadata")
    assert metadata["message"] == "change"
    valid(argo.call("PUT", f"{one}/spec", json=make.spec(repository, name)), "v1alpha1ApplicationSpec")
    patch = {"patch": json.dumps({"metadata": {"labels": {"a": "b"}}}), "patchType": "merge"}
    valid(argo.call("PATCH", one, json=patch), "v1alpha1Application")
    valid(argo.call("POST", f"{one}/rollback", json={"id": 0}), "v1alpha1Application")
    argo.finished(name)
    with argo.client.stream("GET", "/api/v1/stream/applications", params={"name": name}) as stream:
        event = json.loads(next(stream.iter_lines()))["result"]
    published(event, "v1alpha1ApplicationWatchEvent")
    published(argo.call("GET", "/applications/none").json(), "runtimeError")


def test_errors(argo, repository, created, name, make):
    one = f"/applications/{name}"

    def refused(answer, status, code, message):
        assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
        conforms(answer.json(), "error")
        assert message in answer.json()["message"]
        assert answer.json()["error"] == answer.json()["message"]

    anonymous = {"Authorization": ""}
    refused(argo.call("GET", one, headers=anonymous), 401, 16, "no session information")
    refused(argo.call("GET", one, headers={"Authorization": "Bearer x"}), 401, 16, "invalid session")
    refused(argo.call("POST", "/session", json={"username": "admin"}), 401, 16, "Invalid username or password")
    assert argo.call("GET", "/session/userinfo", headers=anonymous).json() == {}
    for wrong in ("application/json; charset=utf-8", "text/plain", ""):
        for method, path in (("POST", f"{one}/sync"), ("DELETE", f"{one}/operation"), ("PATCH", one)):
            answer = argo.call(method, path, headers={"Content-Type": wrong})
            assert (answer.status_code, answer.text) == (415, "Invalid content type")
    refused(argo.call("GET", "/applications/none"), 403, 7, "permission denied")
    refused(argo.call("GET", "/applications/none", params={"project": "default"}), 404, 5, '"none" not found')
    refused(argo.call("GET", one, params={"project": "other"}), 404, 5, "not found")
    refused(argo.call("POST", "/applications/none/sync", json={}), 403, 7, "permission denied")
    refused(argo.call("POST", "/applications/none/sync", json={"project": "default"}), 404, 5, "not found")
    refused(argo.call("GET", "/no/such/route"), 404, 5, "Not Found")
    refused(argo.call("POST", f"{one}/sync", content="{"), 400, 3, "")
    refused(argo.call("POST", f"{one}/sync", json={"revision": "no"}), 400, 9, "unable to resolve 'no' to a commit SHA")
    refused(argo.call("POST", f"{one}/sync", json={"sourcePositions": ["1"]}), 400, 3, "cannot unmarshal string")
    refused(argo.call("DELETE", f"{one}/operation"), 400, 3, "No operation is in progress")
    refused(argo.call("POST", f"{one}/rollback", json={"id": 7}), 400, 3, "does not have deployment with id 7")
    refused(argo.call("PATCH", one, json={"patch": {"spec": {}}, "patchType": "merge"}), 400, 3, "of type string")
    refused(argo.call("PATCH", one, json={"patch": "{}", "patchType": "odd"}), 400, 3, "'odd' is not supported")
    refused(argo.call("PATCH", one, json={"patch": "[5]"}), 400, 3, "error applying patch: the JSON patch")
    refused(argo.call("PATCH", one, json={"patch": "5", "patchType": "merge"}), 400, 3, "number into Application")
    refused(argo.call("POST", "/applications", json={"metadata": {"name": 5}}), 400, 3, "metadata.name of type string")
    refused(argo.call("PUT", f"{one}/spec", json={"source": []}), 400, 3, "array into ApplicationSpec.source")
    for changes, status, code, message in (
        ({"syncPolicy": {"automated": {"prune": True}}}, 501, 12, "automated is left out"),
        ({"project": "other"}, 400, 3, "does not exist"),
        ({"destination": {}}, 400, 3, "Destination server missing"),
        ({"source": {"repoURL": "file:///nowhere", "path": "x"}}, 400, 3, "repository not accessible"),
        ({"source": {"repoURL": repository.url, "path": "x", "helm": {"values": ""}}}, 501, 12, "helm: left out"),
    ):
        body = {"metadata": {"name": f"{name}-bad"}, "spec": make.spec(repository, name, **changes)}
        refused(argo.call("POST", "/applications", json=body), status, code, message)
    body = {"metadata": {"name": "Not_A_Name"}, "spec": make.spec(repository, name)}
    refused(argo.call("POST", "/applications", json=body), 400, 3, "is not a lower case")


def test_create_is_idempotent_and_upsert_changes(argo, repository, created, name, make):
    body = {"metadata": {"name": name}, "spec": make.spec(repository, name)}
    before = argo.app(name)
    again = argo.call("POST", "/applications", json=body)
    assert again.json()["metadata"]["uid"] == before["metadata"]["uid"]

    body["spec"]["revisionHistoryLimit"] = 3
    body["metadata"]["labels"] = {"team": "ml"}
    refused = argo.call("POST", "/applications", json=body)
    assert (refused.status_code, refused.json()["code"]) == (400, 3)
    assert "existing application spec is different, use upsert flag to force update" in refused.json()["message"]
    changed = argo.call("POST", "/applications", params={"upsert": "true"}, json=body).json()
    assert changed["spec"]["revisionHistoryLimit"] == 3
    assert changed["metadata"]["uid"] == before["metadata"]["uid"]

    def names(**query):
        items = argo.call("GET", "/applications", params=query).json()["items"] or []
        return [item["metadata"]["name"] for item in items]

    assert name in names(selector="team=ml")
    assert name not in names(selector="team!=ml")
    assert names(projects="other") == []
    only = argo.call("GET", "/applications", params={"fields": "items.metadata.name"}).json()
    assert {"metadata": {"name": name}} in only["items"]

    patch = {"patch": json.dumps([{"op": "remove", "path": "/spec/revisionHistoryLimit"}]), "patchType": "json"}
    assert "revisionHistoryLimit" not in argo.call("PATCH", f"/applications/{name}", json=patch).json()["spec"]


def test_manifest_that_the_cluster_refuses(argo, repository, created, name, make):
    bad = json.loads(make.deployment("web"))
    bad["spec"]["template"]["metadata"]["labels"] = {"app": "another"}
    repository.commit({"web.yaml": json.dumps(bad), "conf.yaml": make.config("conf")})
    argo.call("POST", f"/applications/{name}/sync", json={})
    state = argo.finished(name)
    assert state["phase"] == "Failed"
    assert state["message"].startswith("one or more objects failed to apply, reason: ")
    statuses = {each["kind"]: each["status"] for each in state["syncResult"]["resources"]}
    assert statuses == {"Deployment": "SyncFailed", "ConfigMap": "Synced"}
    assert "history" not in argo.app(name)["status"]


def test_unreadable_manifest_is_a_condition(argo, repository, created, name, make):
    repository.commit({"web.yaml": "kind: ["})
    app = argo.app(name)
    assert app["status"]["sync"]["status"] == "Unknown"
    (condition,) = app["status"]["conditions"]
    assert condition["type"] == "ComparisonError"
    assert "web.yaml" in condition["message"]
    conforms(app, "application")
    argo.call("POST", f"/applications/{name}/sync", json={})
    assert argo.finished(name)["phase"] == "Error"
    repository.commit({"conf.yaml": make.config("conf")})
    assert "conditions" not in argo.app(name)["status"]


def test_one_operation_at_a_time_and_terminate(argo, repository, created, name):
    argo.block(repository, name)
    busy = argo.call("POST", f"/applications/{name}/sync", json={})
    assert busy.status_code == 400
    message = "another operation is already in progress"
    assert busy.json() == {"error": message, "code": 9, "message": message}
    assert argo.call("POST", f"/applications/{name}/rollback", json={"id": 0}).status_code == 400
    app = argo.app(name)
    conforms(app, "application")
    assert app["status"]["operationState"]["phase"] == "Running"

    assert argo.call("DELETE", f"/applications/{name}/operation").json() == {}
    state = argo.finished(name)
    assert (state["phase"], state["message"]) == ("Failed", "Operation terminated")
    assert argo.live("configmap", name) == []


def test_waves_follow_each_other(argo, repository, created, name, make):
    repository.commit(
        {
            "a.yaml": make.deployment("web", wave=1),
            "b.yaml": make.config("first", wave=-1),
            "c.yaml": make.config("last", wave=2),
        }
    )
    argo.call("POST", f"/applications/{name}/sync", json={})
    state = argo.finished(name)
    assert state["phase"] == "Succeeded"
    assert [each["name"] for each in state["syncResult"]["resources"]] == ["first", "web", "last"]


def test_dry_run_and_selected_resources(argo, repository, created, name):
    argo.call("POST", f"/applications/{name}/sync", json={"dryRun": True})
    assert argo.finished(name)["phase"] == "Succeeded"
    app = argo.app(name)
    assert app["status"]["health"]["status"] == "Missing"
    only = [{"kind": "ConfigMap", "name": "conf"}]
    argo.call("POST", f"/applications/{name}/sync", json={"resources": only})
    assert [each["name"] for each in argo.finished(name)["syncResult"]["resources"]] == ["conf"]
    assert "history" not in argo.app(name)["status"]


def test_deletion_without_cascade_leaves_the_objects(argo, repository, created, name):
    argo.call("POST", f"/applications/{name}/sync", json={})
    argo.finished(name)
    assert argo.call("DELETE", f"/applications/{name}", params={"cascade": "false"}).status_code == 200
    assert argo.call("GET", f"/applications/{name}", params={"project": "default"}).status_code == 404
    assert argo.live("configmap", name, "conf")["data"] == {"a": "1"}


def test_repair_of_what_somebody_changed_by_hand(argo, repository, created, name):
    argo.call("POST", f"/applications/{name}/sync", json={})
    argo.finished(name)
    argo.wait(name, healthy)
    env = {"spec": {"template": {"spec": {"containers": [{"name": "main", "env": [{"name": "A", "value": "9"}]}]}}}}
    argo.change("deployment", name, "web", env)
    argo.change("deployment", name, "web", {"spec": {"replicas": 2}})
    assert argo.app(name)["status"]["sync"]["status"] == "OutOfSync"
    argo.call("POST", f"/applications/{name}/sync", json={})
    argo.finished(name)
    argo.wait(name, healthy)
    live = argo.live("deployment", name, "web")["spec"]
    assert live["replicas"] == 1
    assert live["template"]["spec"]["containers"][0]["env"] == [{"name": "A", "value": "1"}]


def test_stream(argo, repository, created, name):
    """With a name the present state comes first; then every change, as lines or as server-sent events."""
    seen, done = [], threading.Event()

    def watch():
        with argo.client.stream("GET", "/api/v1/stream/applications", params={"name": name}) as stream:
            for line in stream.iter_lines():
                seen.append(json.loads(line)["result"])
                if seen[-1]["type"] == "DELETED":
                    break
        done.set()

    threading.Thread(target=watch, daemon=True).start()
    argo.wait(name, lambda app: seen)
    assert seen[0]["type"] == "ADDED"
    argo.call("POST", f"/applications/{name}/sync", json={})
    argo.finished(name)
    argo.call("DELETE", f"/applications/{name}", params={"cascade": "false"})
    assert done.wait(20)
    phases = [event["application"]["status"].get("operationState", {}).get("phase") for event in seen]
    assert "Running" in phases
    assert "Succeeded" in phases
    versions = [int(event["application"]["metadata"]["resourceVersion"]) for event in seen[:-1]]
    assert versions == sorted(set(versions))


def test_stream_of_server_sent_events(argo, created, name):
    query = {"name": name, "fields": "result.type,result.application.metadata.name"}
    headers = {"Accept": "text/event-stream"}
    with argo.client.stream("GET", "/api/v1/stream/applications", params=query, headers=headers) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        line = next(stream.iter_lines())
    assert line == f'data: {{"result":{{"type":"ADDED","application":{{"metadata":{{"name":"{name}"}}}}}}}}'


def test_pages_show_what_is_deployed(argo, repository, created, name):
    argo.call("POST", f"/applications/{name}/sync", json={})
    argo.finished(name)
    assert argo.client.get("/applications").status_code == 401
    login = ("admin", "open sesame")
    listed = argo.client.get("/applications", auth=login).text
    assert f'href="/applications/argocd/{name}"' in listed
    page = argo.client.get(f"/applications/argocd/{name}", auth=login).text
    assert f"{name}/web" in page
    assert "Succeeded" in page
    assert argo.client.get("/applications/argocd/none", auth=login).status_code == 404


def test_kill_9_during_an_operation(argo, repository, created, name):
    """What was answered is kept; the operation goes on where it was, and can be ended."""
    revision = argo.block(repository, name)
    argo.kill_and_restart()
    app = argo.app(name)
    assert app["operation"]["info"] == [{"name": "who", "value": "blocker"}]
    assert app["status"]["operationState"]["syncResult"]["revision"] == revision
    repaired = {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "demo/sleeper:1"}]}}}}
    argo.change("deployment", name, "never", repaired)
    state = argo.finished(name)
    assert state["phase"] == "Succeeded"
    assert [each["name"] for each in state["syncResult"]["resources"]] == ["never", "later"]
    assert len(argo.app(name)["status"]["history"]) == 1


@pytest.mark.long
def test_kill_9_at_any_moment(argo, repository, created, name, make):
    """Twenty syncs, each cut at another moment: none is stuck, lost or recorded twice."""
    for number in range(20):
        revision = repository.commit(
            {"conf.yaml": make.config("conf", n=str(number)), "web.yaml": make.deployment("web", replicas=1)}
        )
        argo.call("POST", f"/applications/{name}/sync", json={})
        time.sleep(number * 0.01)
        argo.kill_and_restart()
        state = argo.finished(name)
        assert (state["phase"], state["syncResult"]["revision"]) == ("Succeeded", revision)
    assert [entry["id"] for entry in argo.app(name)["status"]["history"]] == list(range(10, 20))
