import json
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import AirflowFailException, TaskDeferred

from flightline.exceptions import (
    ArgoCDError,
    ArgoCDRefused,
    ArgoCDSuperseded,
    ArgoCDSyncFailed,
    ArgoCDTimeout,
    ArgoCDUnhealthy,
)
from flightline.operators.argocd import ArgoCDSyncOperator

GET = "GET /api/v1/applications/web"
CREATE = "POST /api/v1/applications"
SYNC = "POST /api/v1/applications/web/sync"
TERMINATE = "DELETE /api/v1/applications/web/operation"
KEY = "d/r/sync"
COMMIT = "c0ffee" + "0" * 34
BUSY = (400, {"message": "another operation is already in progress"})


def app(*, key=KEY, revision=COMMIT, phase="Running", sync="Synced"):
    operation = {"sync": {"revision": revision}, "info": [{"name": "flightline", "value": key}]}
    state = {"operation": operation, "phase": phase}
    if phase == "Running":
        return {"operation": operation, "status": {"operationState": state}}
    state["finishedAt"] = "2026-01-01T00:00:00Z"
    compared = {"status": sync, "revision": COMMIT}
    return {"status": {"operationState": state, "sync": compared, "health": {"status": "Healthy"}}}


def context(*, try_number=1, map_index=-1):
    pushed = {}
    ti = SimpleNamespace(
        dag_id="d",
        run_id="r",
        task_id="sync",
        map_index=map_index,
        try_number=try_number,
        xcom_push=lambda key, value: pushed.update({key: value}),
        pushed=pushed,
    )
    return {"ti": ti}


def operator(**arguments):
    fields = {"task_id": "sync", "application": "web", "revision": COMMIT, "poll_seconds": 0.01, "timeout": 20}
    return ArgoCDSyncOperator(**{**fields, **arguments})


def deferral(of, with_context):
    with pytest.raises(TaskDeferred) as raised:
        of.execute(with_context)
    return raised.value


def test_starts_a_sync_that_carries_the_tasks_key_and_defers(argo):
    argo.on(GET, {"status": {}})
    argo.on(SYNC, {})
    with_context = context(try_number=3)
    deferred = deferral(operator(), with_context)
    ((_, body, _),) = argo.sent(SYNC)
    assert body["revision"] == COMMIT
    assert body["prune"] is True
    assert body["infos"] == [{"name": "flightline", "value": KEY}, {"name": "flightline-try", "value": "3"}]
    assert deferred.method_name == "resume"
    assert deferred.trigger.submitted
    assert deferred.trigger.key == KEY
    assert with_context["ti"].pushed == {"_link_ArgoCDLink": f"http://127.0.0.1:{argo.port}/applications/argocd/web"}


def test_mapped_tasks_have_keys_of_their_own(argo):
    argo.on(GET, {})
    argo.on(SYNC, {})
    assert deferral(operator(), context(map_index=2)).trigger.key == f"{KEY}/2"


@pytest.mark.parametrize(
    "spec", [{"project": "default"}, {"metadata": {"name": "web"}, "spec": {"project": "default"}}]
)
def test_ensures_the_application_first(argo, spec):
    argo.on(CREATE, {})
    argo.on(GET, {})
    argo.on(SYNC, {})
    deferral(operator(application_spec=spec), context())
    ((query, body, _),) = argo.sent(CREATE)
    assert "upsert=true" in query
    assert body == {"metadata": {"name": "web"}, "spec": {"project": "default"}}
    assert [entry[0] for entry in argo.requests] == ["POST", "GET", "POST"]


@pytest.mark.parametrize("found", [app(), app(phase="Succeeded")], ids=["running", "succeeded"])
def test_retry_goes_on_with_its_own_operation(argo, found):
    argo.on(GET, found)
    deferred = deferral(operator(), context(try_number=2))
    assert argo.sent(SYNC) == []
    assert deferred.trigger.submitted


@pytest.mark.parametrize(
    "found",
    [
        app(phase="Failed"),
        app(phase="Succeeded", key="other"),
        app(phase="Succeeded", revision="older"),
        app(phase="Succeeded", sync="OutOfSync"),
    ],
    ids=["failed", "of others", "other revision", "drifted since"],
)
def test_retry_starts_anew_otherwise(argo, found):
    argo.on(GET, found)
    argo.on(SYNC, {})
    deferral(operator(), context(try_number=2))
    assert len(argo.sent(SYNC)) == 1


def test_busy_application_is_waited_for(argo):
    argo.on(GET, app(key="other"))
    argo.on(SYNC, BUSY)
    deferred = deferral(operator(), context())
    assert not deferred.trigger.submitted

    argo.on(GET, app(key="other", phase="Succeeded"))
    argo.on(SYNC, {})
    with pytest.raises(TaskDeferred) as raised:
        operator().resume(context(), {"status": "free", "deadline": deferred.trigger.deadline})
    assert raised.value.trigger.submitted
    assert raised.value.trigger.deadline == deferred.trigger.deadline


def test_lost_answer_is_found_again(argo):
    """The first POST arrived, its answer did not; the second one is refused because of the first."""
    argo.on(GET, {}, app())
    argo.on(SYNC, (None, ""), BUSY)
    assert deferral(operator(), context()).trigger.submitted


def test_result(argo):
    event = {"status": "healthy", "revision": COMMIT, "health": "Healthy", "sync": "Synced"}
    result = operator().resume(context(), event)
    assert result == {
        "application": "web",
        "revision": COMMIT,
        "health": "Healthy",
        "sync": "Synced",
        "url": f"http://127.0.0.1:{argo.port}/applications/argocd/web",
    }
    assert json.loads(json.dumps(result)) == result


@pytest.mark.parametrize(
    ("status", "error"),
    [
        ("failed", ArgoCDSyncFailed),
        ("superseded", ArgoCDSuperseded),
        ("unhealthy", ArgoCDUnhealthy),
        ("error", ArgoCDError),
    ],
)
def test_failures_have_names_and_can_be_retried(argo, status, error):
    with pytest.raises(error, match=r"web at c0ffee.*: Pod p is Degraded") as raised:
        operator().resume(context(), {"status": status, "message": "Pod p is Degraded"})
    assert not isinstance(raised.value, AirflowFailException)
    assert argo.requests == []


def test_timeout_makes_way_for_others(argo):
    argo.on(GET, app())
    argo.on(TERMINATE, {})
    with pytest.raises(ArgoCDTimeout, match="still Progressing"):
        operator().resume(context(), {"status": "timeout", "message": "still Progressing"})
    assert len(argo.sent(TERMINATE)) == 1


def test_refusal_is_not_retried(argo):
    argo.on(GET, (404, {"message": "not found"}))
    with pytest.raises(ArgoCDRefused) as raised:
        operator().execute(context())
    assert isinstance(raised.value, AirflowFailException)


def test_waits_in_the_worker_if_not_deferrable(argo):
    succeeded = app(phase="Succeeded")
    argo.on(
        GET, app(key="other"), app(key="other"), app(key="other", phase="Succeeded"), {}, app(), succeeded, succeeded
    )
    argo.on(SYNC, BUSY, {})
    assert operator(deferrable=False).execute(context())["health"] == "Healthy"
    assert len(argo.sent(SYNC)) == 2


def test_kill_ends_our_operation_only(argo):
    killed = operator()
    killed.on_kill()  # before it did anything
    assert argo.requests == []

    argo.on(GET, {})
    argo.on(SYNC, {})
    deferral(killed, context())
    argo.on(GET, app(key="other"))
    argo.on(TERMINATE, {})
    killed.on_kill()
    assert argo.sent(TERMINATE) == []
    argo.on(GET, app())
    killed.on_kill()
    assert len(argo.sent(TERMINATE)) == 1


def test_templates():
    templated = operator(
        application="{{ a }}", revision="{{ r }}", conn_id="{{ c }}", application_spec={"x": ["{{ a }}"]}
    )
    templated.render_template_fields({"a": "web", "r": COMMIT, "c": "argocd"})
    assert (templated.application, templated.revision, templated.conn_id) == ("web", COMMIT, "argocd")
    assert templated.application_spec == {"x": ["web"]}


@pytest.mark.parametrize("revision", ["None", "", "main", "c0ffee"])
def test_only_a_full_commit_is_deployed(argo, revision):
    with pytest.raises(ArgoCDRefused, match="is not a full commit SHA"):
        operator(revision=revision).execute(context())
    assert argo.requests == []
