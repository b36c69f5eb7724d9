import asyncio
import copy
import importlib
import json
import time
from types import SimpleNamespace

import pytest

from flightline.exceptions import ArgoCDUnavailable
from flightline.hooks.argocd import ArgoCDHook
from flightline.triggers.argocd import ArgoCDSyncTrigger, terminate_ours

GET = "GET /api/v1/applications/web"
TREE = "GET /api/v1/applications/web/resource-tree"
TERMINATE = "DELETE /api/v1/applications/web/operation"
OURS, OTHERS = "c0ffee", "bad0"


def operation(*, key="d/r/t", revision=OURS):
    return {
        "sync": {"revision": revision},
        "info": [{"name": "flightline", "value": key}],
        "initiatedBy": {"username": "ci"},
    }


def running(**which):
    app = done(phase="Running", **which)
    del app["status"]["operationState"]["finishedAt"]
    return {**app, "operation": operation(**which)}


def done(
    *, phase="Succeeded", message="", resources=(), health="Healthy", sync="Synced", compared=OURS, state=(), **which
):
    return {
        "status": {
            "operationState": {
                "operation": operation(**which),
                "phase": phase,
                "message": message,
                "finishedAt": "2026-01-01T00:00:00Z",
                "syncResult": {"revision": OURS, "resources": list(resources)},
            },
            "health": {"status": health},
            "sync": {"status": sync, "revision": compared},
            "resources": list(state),
        }
    }


def trigger(**changes):
    fields = {
        "conn_id": "argocd",
        "application": "web",
        "project": "default",
        "revision": OURS,
        "key": "d/r/t",
        "submitted": True,
        "prune": True,
        "deadline": time.time() + 20,
        "poll_seconds": 0.01,
    }
    return ArgoCDSyncTrigger(**{**fields, **changes})


def outcome(**changes):
    async def first():
        return [event.payload async for event in trigger(**changes).run()]

    (event,) = asyncio.run(first())
    assert json.loads(json.dumps(event)) == event
    assert event.pop("deadline") > 0
    return event


def test_serialize_round_trips():
    path, fields = trigger(deadline=12.5).serialize()
    module, _, name = path.rpartition(".")
    again = getattr(importlib.import_module(module), name)(**json.loads(json.dumps(fields)))
    assert again.serialize() == (path, fields)
    assert len(fields) == 9


def test_waits_for_the_operation_and_then_for_health(argo):
    argo.on(
        GET,
        running(),
        running(),
        done(health="Healthy"),  # still the health from before: a refresh follows
        done(health="Progressing"),
        done(),
        done(health="Healthy"),
    )
    argo.on(TREE, {"nodes": []})
    assert outcome() == {"status": "healthy", "revision": OURS, "health": "Healthy", "sync": "Synced"}
    assert ["refresh=normal" in query for query, _, _ in argo.sent(GET)] == [False, False, False, True, False, True]


def test_failure_names_resources_and_reasons(argo):
    resources = [
        {"kind": "Service", "namespace": "ns", "name": "ok", "status": "Synced", "hookPhase": "Running"},
        {"kind": "Deployment", "namespace": "ns", "name": "web", "status": "SyncFailed", "message": "spec is bad"},
    ]
    argo.on(GET, done(phase="Failed", message="one or more objects failed", resources=resources))
    event = outcome()
    assert event["status"] == "failed"
    assert event["message"] == "the sync Failed: one or more objects failed; Deployment ns/web: spec is bad"


def test_degraded_is_a_verdict_only_when_seen_twice(argo):
    argo.on(TREE, {"nodes": []})
    argo.on(GET, done(), done(health="Degraded"), done(), done())
    assert outcome()["status"] == "healthy"


def test_unhealthy_names_what_is_wrong(argo):
    nodes = [
        {"kind": "Service", "namespace": "ns", "name": "web", "health": {"status": "Healthy"}},
        {"kind": "ConfigMap", "namespace": "ns", "name": "conf"},
        {
            "kind": "Pod",
            "namespace": "ns",
            "name": "web-1",
            "health": {"status": "Degraded", "message": "no such image"},
        },
        {"kind": "Pod", "namespace": "ns", "name": "web-2", "health": {"status": "Progressing"}},
    ]
    argo.on(GET, done(health="Degraded"))
    argo.on(TREE, {"nodes": nodes})
    assert outcome() == {
        "status": "unhealthy",
        "message": "health is Degraded; Pod ns/web-1 is Degraded: no such image; Pod ns/web-2 is Progressing",
    }


LOGS = "GET /api/v1/applications/web/pods/web-1/logs"
CRASHED = {"kind": "Pod", "namespace": "ns", "name": "web-1", "health": {"status": "Degraded"}}


@pytest.mark.parametrize(
    "app", [done(health="Degraded"), done(phase="Failed", message="a wave is not healthy"), running()]
)
def test_a_verdict_carries_what_the_failing_pod_said_last(argo, app):
    argo.on(GET, app)
    argo.on(TREE, {"nodes": [CRASHED]})
    argo.on(LOGS, '{"result": {"content": "no column origin"}}\n{"result": {"content": "", "last": true}}\n')
    assert outcome(deadline=time.time() + 0.5)["message"].endswith("; Pod ns/web-1 said last: no column origin")
    assert len(argo.sent(LOGS)) == 1


def test_a_verdict_stands_without_logs(argo):
    argo.on(GET, done(phase="Failed", message="no"))
    argo.on(TREE, (403, {"message": "permission denied"}))
    assert outcome() == {"status": "failed", "message": "the sync Failed: no"}


def test_a_state_is_logged_once(argo, monkeypatch):
    said = []
    monkeypatch.setattr(ArgoCDSyncTrigger, "log", SimpleNamespace(info=lambda form, *rest: said.append(form % rest)))
    argo.on(GET, *[running()] * 5, done())
    argo.on(TREE, {"nodes": []})
    assert outcome()["status"] == "healthy"
    assert said == ["web: the sync runs: nothing to tell yet"]


def test_timeout_says_what_was_seen_last(argo):
    argo.on(GET, done(health="Progressing"))
    argo.on(TREE, {"nodes": [{"kind": "Pod", "name": "p", "health": {"status": "Progressing", "message": "pulling"}}]})
    event = outcome(deadline=time.time() + 0.3)
    assert event == {"status": "timeout", "message": "health is Progressing; Pod p is Progressing: pulling"}


def test_operation_that_never_finishes_is_bounded(argo):
    """Argo CD may leave `Succeeded` without `finishedAt` for ever after a restart."""
    stuck = done()
    del stuck["status"]["operationState"]["finishedAt"]
    argo.on(GET, stuck)
    assert outcome(deadline=time.time() + 0.2)["status"] == "timeout"


def test_outage_is_waited_out(argo):
    argo.on(GET, *[(503, "starting")] * 6, done())
    assert outcome()["status"] == "healthy"


def test_refusal_ends_the_wait(argo):
    argo.on(GET, (403, {"message": "permission denied"}))
    assert outcome() == {"status": "error", "message": "web: Argo CD answered 403: permission denied"}


def test_operation_of_others_to_another_revision_supersedes(argo):
    argo.on(GET, running(), running(key="other", revision=OTHERS))
    assert outcome() == {
        "status": "superseded",
        "message": f"another operation took its place: revision {OTHERS} by ci flightline=other",
    }


def test_operation_of_others_to_our_revision_is_as_good_as_ours(argo):
    argo.on(GET, running(key="other"), done(key="other"))
    assert outcome()["status"] == "healthy"


def test_drift_from_our_revision_is_waited_for(argo):
    web = {"kind": "Deployment", "namespace": "ns", "name": "web", "status": "OutOfSync"}
    argo.on(TREE, {"nodes": []})
    argo.on(GET, done(sync="OutOfSync", state=[web]))
    assert outcome(deadline=time.time() + 0.2)["message"] == "out of sync: Deployment ns/web"


@pytest.mark.parametrize(
    "app",
    [
        done(sync="OutOfSync", compared="newer", state=[{"kind": "A", "name": "a", "status": "OutOfSync"}]),
        done(sync="OutOfSync", state=[{"kind": "A", "name": "a", "status": "OutOfSync", "requiresPruning": True}]),
    ],
    ids=["the branch moved on", "leftovers that were not to be pruned"],
)
def test_out_of_sync_that_is_no_drift(argo, app):
    argo.on(GET, app)
    assert outcome(prune=False) == {"status": "healthy", "revision": OURS, "health": "Healthy", "sync": "OutOfSync"}


def test_unknown_sync_tells_why(argo):
    app = copy.deepcopy(done(sync="Unknown", compared=None))
    app["status"]["conditions"] = [{"type": "ComparisonError", "message": "repository not accessible"}]
    argo.on(GET, app)
    argo.on(TREE, {"nodes": []})
    assert outcome(deadline=time.time() + 0.1)["message"] == "sync is Unknown; repository not accessible"


def test_waits_for_its_turn(argo):
    argo.on(GET, running(key="other"), running(key="other"), done(key="other"))
    assert outcome(submitted=False) == {"status": "free"}
    assert len(argo.requests) == 3


def test_kill_ends_our_operation(argo):
    argo.on(GET, running())
    argo.on(TERMINATE, {})
    asyncio.run(trigger().on_kill())
    assert len(argo.sent(TERMINATE)) == 1


@pytest.mark.parametrize("app", [running(key="other"), done(), {"status": {}}], ids=["other", "finished", "none"])
def test_kill_leaves_everything_else_alone(argo, app):
    argo.on(GET, app)
    argo.on(TERMINATE, {})
    asyncio.run(trigger().on_kill())
    assert argo.sent(TERMINATE) == []


def test_kill_waits_for_an_operation_that_has_not_begun(argo):
    argo.on(GET, {"operation": operation()})
    refusal = (400, {"message": "Unable to terminate operation. No operation is in progress"})
    argo.on(TERMINATE, refusal, refusal, {})
    asyncio.run(trigger().on_kill())
    assert len(argo.sent(TERMINATE)) == 3


def test_kill_of_an_operation_that_never_begins_gives_up(argo):
    argo.on(GET, {"operation": operation()})
    argo.on(TERMINATE, (400, {"message": "No operation is in progress"}))
    with pytest.raises(ArgoCDUnavailable, match="did not begin"):
        terminate_ours(ArgoCDHook(), "web", "d/r/t")


def test_cleanup_touches_nothing(argo):
    asyncio.run(trigger().cleanup())
    assert argo.requests == []
