"""Waiting for a training job: every state, faults that pass, the time limit, a kill."""

import asyncio
import json
import time

import pytest

from flightline.exceptions import SageMakerRefused, SageMakerUnavailable
from flightline.hooks.sagemaker import TrainingJobsHook
from flightline.triggers.sagemaker import TrainingJobTrigger


class Hook:
    """A job that shows one state after the other."""

    def __init__(self, *states):
        self.states, self.stopped = list(states), []

    def describe(self, name):
        state = self.states[0] if len(self.states) == 1 else self.states.pop(0)
        if isinstance(state, Exception):
            raise state
        return state and {"TrainingJobStatus": state, "SecondaryStatus": "Training"}

    def stop(self, name):
        self.stopped.append(name)


def trigger(**options):
    given = {"conn_id": "sagemaker", "job_name": "fit-1", "deadline": time.time() + 60, "poll_seconds": 0.001}
    return TrainingJobTrigger(**given | options)


@pytest.fixture
def outcome(monkeypatch):
    """Call it with states, for the event."""

    def run(*states, **options):
        hook = Hook(*states)

        async def aopen(conn_id):
            return hook

        monkeypatch.setattr(TrainingJobsHook, "aopen", aopen)

        async def first():
            return [event.payload async for event in trigger(**options).run()]

        (event,) = asyncio.run(first())
        assert event["job_name"] == "fit-1"
        return event

    return run


def test_it_goes_through_the_database_as_it_is():
    path, fields = trigger().serialize()
    assert path == "flightline.triggers.sagemaker.TrainingJobTrigger"
    assert TrainingJobTrigger(**json.loads(json.dumps(fields))).serialize() == (path, fields)


@pytest.mark.parametrize("state", ["Completed", "Failed", "Stopped"])
def test_it_waits_for_the_end(outcome, state):
    event = outcome("InProgress", SageMakerUnavailable("throttled"), "Stopping", state)
    assert event["status"] == "ended"
    assert event["message"].startswith(state)


def test_a_job_that_is_gone_has_ended(outcome):
    assert outcome("InProgress", None)["message"] == "unknown: not found"


def test_what_never_passes_ends_the_wait(outcome):
    assert outcome(SageMakerRefused("AccessDenied")) == {
        "status": "error",
        "message": "AccessDenied",
        "job_name": "fit-1",
    }


def test_the_wait_has_an_end_even_while_nothing_answers(outcome):
    event = outcome(SageMakerUnavailable("throttled"), deadline=time.time() - 1)
    assert event["status"] == "timeout"
    assert event["message"] == "throttled"


def test_a_kill_stops_the_job(monkeypatch):
    hook = Hook("InProgress")

    async def aopen(conn_id):
        return hook

    monkeypatch.setattr(TrainingJobsHook, "aopen", aopen)
    asyncio.run(trigger().on_kill())
    assert hook.stopped == ["fit-1"]
