"""Waiting for a run: every state, faults that pass, the time limit, a kill."""

import asyncio
import json
import time

import pytest

from flightline.exceptions import KubeflowRefused, KubeflowUnavailable
from flightline.hooks.kubeflow import KubeflowHook
from flightline.triggers.kubeflow import PipelineRunTrigger


class Hook:
    """A run that shows one state after the other; the state of a new run is not told."""

    def __init__(self, *states):
        self.states, self.ended = list(states), []

    def run(self, run_id):
        state = self.states[0] if len(self.states) == 1 else self.states.pop(0)
        if isinstance(state, Exception):
            raise state
        return None if state is None else {"state": state} if state else {}

    def terminate(self, run_id):
        self.ended.append(run_id)


def trigger(**options):
    given = {"conn_id": "kubeflow", "run_id": "r", "deadline": time.time() + 60, "poll_seconds": 0.001}
    return PipelineRunTrigger(**given | options)


@pytest.fixture
def outcome(monkeypatch):
    """Call it with states, for the event."""

    def run(*states, **options):
        async def aopen(conn_id):
            return Hook(*states)

        monkeypatch.setattr(KubeflowHook, "aopen", aopen)

        async def first():
            return [event.payload async for event in trigger(**options).run()]

        (event,) = asyncio.run(first())
        return event["status"], event["message"]

    return run


def test_it_goes_through_the_database_as_it_is():
    path, fields = trigger().serialize()
    assert path == "flightline.triggers.kubeflow.PipelineRunTrigger"
    assert PipelineRunTrigger(**json.loads(json.dumps(fields))).serialize() == (path, fields)


@pytest.mark.parametrize("state", ["SUCCEEDED", "FAILED", "CANCELED", "SKIPPED"])
def test_it_waits_for_the_end(outcome, state):
    before = ("", "PENDING", "RUNNING", "PAUSED", KubeflowUnavailable("503"), "CANCELING")
    assert outcome(*before, state) == ("ended", state)


def test_a_run_that_is_gone_has_ended_and_what_never_passes_ends_the_wait(outcome):
    assert outcome("RUNNING", None) == ("ended", "gone")
    assert outcome(KubeflowRefused("401")) == ("error", "401")


def test_the_wait_has_an_end_even_while_nothing_answers(outcome):
    assert outcome(KubeflowUnavailable("503"), deadline=time.time() - 1) == ("timeout", "503")
    assert outcome("PAUSED", deadline=time.time() - 1) == ("timeout", "PAUSED")


def test_a_kill_ends_the_run(monkeypatch):
    hook = Hook("RUNNING")

    async def aopen(conn_id):
        return hook

    monkeypatch.setattr(KubeflowHook, "aopen", aopen)
    asyncio.run(trigger().on_kill())
    assert hook.ended == ["r"]
