"""Whose a workspace is, and what the tasks say."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from flightline.tasks import workspace
from include.foundation.errors import ServiceUnavailable

UNTIL = datetime(2026, 1, 1, 20, tzinfo=UTC)


class Hook:
    """Stands for the cluster: a workspace that is ready at the second look."""

    def __init__(self):
        self.started, self.looks, self.places = [], 0, ["here"]

    def start(self, user, run_id, wanted):
        self.started.append((user, run_id, wanted))
        return SimpleNamespace(name=f"{user}-1", until=UNTIL)

    def look(self, name, *, user):
        self.looks += 1
        state = "ready" if self.looks > 1 else "starting"
        return SimpleNamespace(name=name, state=state, why="no node has room", until=UNTIL)

    def sweep(self):
        return {"ada-1": "it has ended"}


class Ti:
    def __init__(self):
        self.pushed = {}

    def xcom_push(self, key, value):
        self.pushed[key] = value


@pytest.fixture
def hook(monkeypatch):
    made = Hook()
    monkeypatch.setattr("flightline.hooks.workspaces.WorkspaceHook", lambda: made)
    monkeypatch.setattr(workspace, "POLL_SECONDS", 0)
    return made


def run(user):
    return SimpleNamespace(triggering_user_name=user, run_id="manual__1")


def test_it_is_the_logins_whatever_the_form_says(hook):
    form = {"image": None, "cpus": 1, "memory_gib": 2, "gpus": 0, "hours": 3, "user": "eve"}
    assert workspace.start.function(form, dag_run=run("ada")) == "ada-1"
    ((user, run_id, wanted),) = hook.started
    assert (user, run_id, wanted.cpus, wanted.hours) == ("ada", "manual__1", 1, 3)


@pytest.mark.parametrize("user", [None, ""])
def test_nobody_gets_none(hook, user):
    with pytest.raises(AirflowFailException, match="nobody asks"):
        workspace.start.function({}, dag_run=run(user))
    assert hook.started == []


def test_what_was_asked_for_is_ready_and_said(hook):
    ti = Ti()
    workspace.ready.function("ada-1", dag_run=run("ada"), ti=ti)
    assert hook.looks == 2
    assert ti.pushed["note"] == "ada-1 is ready, until 2026-01-01 20:00 UTC: Flightline, Workspaces, Open"
    assert ti.pushed["workspace"].endswith("/flightline/workspaces/ada-1/open")


def test_what_takes_too_long_says_what_it_waits_for(hook, monkeypatch):
    monkeypatch.setattr(workspace, "READY_SECONDS", -1)
    with pytest.raises(ServiceUnavailable, match="no node has room"):
        workspace.ready.function("ada-1", dag_run=run("ada"), ti=Ti())


def test_a_sweep_says_who_went(hook):
    ti = Ti()
    workspace.sweep.function(ti=ti)
    assert ti.pushed["note"] == "1 workspaces are gone: ada-1"


def test_where_nobody_has_workspaces_a_sweep_is_skipped(hook):
    hook.places = []
    with pytest.raises(AirflowSkipException, match="nothing to look at"):
        workspace.sweep.function(ti=Ti())
