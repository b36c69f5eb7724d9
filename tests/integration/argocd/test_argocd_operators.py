"""The project's operators against the stand-in: committed to a real repository, deployed to the cluster stand-in."""

import asyncio
import json
import threading
import time
from functools import partial
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import TaskDeferred

from flightline.exceptions import ArgoCDSyncFailed, ArgoCDTimeout, ArgoCDUnhealthy
from flightline.operators.argocd import ArgoCDSyncOperator
from flightline.operators.gitops import GitOpsCommitOperator

pytestmark = pytest.mark.integration


@pytest.fixture
def connections(argo, repository, monkeypatch):
    port = int(argo.url.rpartition(":")[2])
    connection = {"conn_type": "http", "host": "127.0.0.1", "schema": "http", "port": port, "password": "t0k3n"}
    monkeypatch.setenv("AIRFLOW_CONN_ARGOCD", json.dumps(connection))
    monkeypatch.setenv("AIRFLOW_CONN_GITOPS", json.dumps({"conn_type": "git", "host": repository.url}))


def context(task_id, *, try_number=1):
    ti = SimpleNamespace(
        dag_id="promote",
        run_id="r1",
        task_id=task_id,
        map_index=-1,
        try_number=try_number,
        xcom_push=lambda key, value: None,
    )
    return {"ti": ti}


def sync(name, revision, **more):
    fields = {"task_id": "sync", "application": name, "revision": revision, "poll_seconds": 0.2, "timeout": 60}
    return ArgoCDSyncOperator(**{**fields, **more})


def carry_out(operator, with_context):
    """What worker and triggerer do: execute, run each trigger from its serialized form, resume, until it returns."""
    step = partial(operator.execute, with_context)
    while True:
        try:
            return step()
        except TaskDeferred as deferred:
            trigger = type(deferred.trigger)(**json.loads(json.dumps(deferred.trigger.serialize()[1])))
            event = asyncio.run(anext(trigger.run())).payload
            step = partial(getattr(operator, deferred.method_name), with_context, event)


def commit(task_id, **change):
    return GitOpsCommitOperator(task_id=task_id, message=task_id, **change).execute(context(task_id))


def test_commit_and_sync(argo, repository, name, connections, make):
    done = commit("commit", files={"app/web.yaml": make.deployment("web"), "app/conf.yaml": make.config("conf")})
    result = carry_out(sync(name, done["commit"], application_spec=make.spec(repository, name)), context("sync"))
    assert result == {
        "application": name,
        "revision": done["commit"],
        "health": "Healthy",
        "sync": "Synced",
        "url": f"{argo.url}/applications/argocd/{name}",
    }
    live = argo.live("deployment", name, "web")
    assert live["status"]["availableReplicas"] == 1
    infos = argo.app(name)["status"]["operationState"]["operation"]["info"]
    assert {info["name"]: info["value"] for info in infos} == {"flightline": "promote/r1/sync", "flightline-try": "1"}

    # A second try finds the work done: no new commit, no new operation.
    finished = argo.app(name)["status"]["operationState"]["finishedAt"]
    assert (
        commit("commit", files={"app/web.yaml": make.deployment("web"), "app/conf.yaml": make.config("conf")}) == done
    )
    again = carry_out(
        sync(name, done["commit"], application_spec=make.spec(repository, name)), context("sync", try_number=2)
    )
    assert again == result
    assert argo.app(name)["status"]["operationState"]["finishedAt"] == finished
    assert len(argo.app(name)["status"]["history"]) == 1


def test_failed_promotion_goes_back(argo, repository, name, connections, make):
    """A version that never becomes healthy fails with the reason; restoring the folder brings the old one back."""
    before = commit("first", files={"app/web.yaml": make.deployment("web")})
    carry_out(sync(name, before["commit"], application_spec=make.spec(repository, name)), context("sync1"))
    bad = commit(
        "second",
        files={
            "app/web.yaml": make.deployment("web", image="no/such:2", deadline=2),
            "app/extra.yaml": make.config("extra"),
        },
    )
    assert bad["previous"] == before["commit"]
    with pytest.raises(ArgoCDUnhealthy) as raised:
        carry_out(sync(name, bad["commit"]), context("sync2"))
    reason = str(raised.value)
    assert f"{name} at {bad['commit']}: health is Degraded" in reason
    assert 'Deployment "web" exceeded its progress deadline' in reason
    assert "no/such:2" in reason

    words = ("sh", "-c", "echo cannot open the model; sleep 1; exit 1")
    manifest = json.loads(make.deployment("web", command=words, deadline=4))
    manifest["spec"]["minReadySeconds"] = 60
    broken = commit("third", files={"app/web.yaml": json.dumps(manifest)})
    with pytest.raises(ArgoCDUnhealthy, match="cannot open the model"):
        carry_out(sync(name, broken["commit"]), context("sync3"))

    restored = commit("restore", restore=("app", bad["previous"]))
    assert sorted(restored["changed"]) == ["app/extra.yaml", "app/web.yaml"]
    assert carry_out(sync(name, restored["commit"]), context("sync4"))["health"] == "Healthy"
    live = argo.live("deployment", name, "web")
    assert live["spec"]["template"]["spec"]["containers"][0]["image"] == "demo/sleeper:1"
    assert argo.live("configmap", name) == []


def test_refused_manifest_names_the_object(argo, repository, name, connections, make):
    bad = json.loads(make.deployment("web"))
    bad["spec"]["template"]["metadata"]["labels"] = {"app": "another"}
    done = commit("commit", files={"app/web.yaml": json.dumps(bad)})
    with pytest.raises(ArgoCDSyncFailed, match=f"Deployment {name}/web: .*selector"):
        carry_out(sync(name, done["commit"], application_spec=make.spec(repository, name)), context("sync"))


def test_waits_while_another_operation_runs(argo, repository, created, name, connections, make):
    argo.block(repository, name)
    good = repository.commit({"web.yaml": make.deployment("web")})
    threading.Timer(2, lambda: argo.call("DELETE", f"/applications/{name}/operation")).start()
    begun = time.monotonic()
    assert carry_out(sync(name, good), context("sync"))["revision"] == good
    assert time.monotonic() - begun >= 2


def test_timeout_ends_our_operation(argo, repository, created, name, connections, make):
    never = repository.commit({"a.yaml": make.never(), "b.yaml": make.config("later")})
    with pytest.raises(ArgoCDTimeout, match="waiting for healthy state of apps/Deployment"):
        carry_out(sync(name, never, timeout=3), context("sync"))
    assert argo.finished(name)["message"] == "Operation terminated"


def test_kill_ends_our_operation_and_no_other(argo, repository, created, name, connections, make):
    never = repository.commit({"a.yaml": make.never(), "b.yaml": make.config("later")})
    with pytest.raises(TaskDeferred) as raised:
        sync(name, never).execute(context("sync"))
    others = type(raised.value.trigger)(**{**raised.value.trigger.serialize()[1], "key": "promote/r1/another"})
    asyncio.run(others.on_kill())
    assert "operation" in argo.app(name)
    asyncio.run(raised.value.trigger.on_kill())
    assert argo.finished(name)["message"] == "Operation terminated"


def test_killed_in_the_worker(argo, repository, created, name, connections, make):
    """Not deferrable: the signal handler ends the operation while `execute` waits."""
    never = repository.commit({"a.yaml": make.never(), "b.yaml": make.config("later")})
    operator = sync(name, never, deferrable=False)
    threading.Timer(1.5, operator.on_kill).start()
    with pytest.raises(ArgoCDSyncFailed, match="Operation terminated"):
        operator.execute(context("sync"))


def test_restart_of_argo_cd_while_waiting(argo, repository, created, name, connections, make):
    slow = ("sh", "-c", "sleep 600")
    done = repository.commit({"web.yaml": make.deployment("web", command=slow, replicas=3)})
    threading.Timer(0.3, argo.kill_and_restart).start()
    assert carry_out(sync(name, done), context("sync"))["health"] == "Healthy"


def test_two_writers_commit_at_the_same_time(repository, name, connections, make):
    repository.commit({"web.yaml": make.deployment("web")})
    results = {}

    def write(who):
        results[who] = commit(who, files={f"app/{who}.yaml": make.config(who)})

    threads = [threading.Thread(target=write, args=(who,)) for who in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    commits = repository.git("log", "--format=%H", "main", cwd=repository.bare).split()
    assert {done["commit"] for done in results.values()} == set(commits[:2])
    listed = repository.git("ls-tree", "--name-only", "main:app", cwd=repository.bare).split()
    assert listed == ["one.yaml", "two.yaml", "web.yaml"]
