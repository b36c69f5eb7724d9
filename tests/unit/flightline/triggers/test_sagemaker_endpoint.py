"""Waiting for an endpoint: every state, faults that pass, the time limit, a kill."""

import asyncio
import json
import time

import pytest

from flightline.exceptions import SageMakerRefused, SageMakerUnavailable
from flightline.hooks.sagemaker_endpoint import MOVING, STILL, EndpointsHook
from flightline.triggers.sagemaker_endpoint import EndpointTrigger


class Hook:
    """An endpoint that shows one state after the other."""

    def __init__(self, *states):
        self.states, self.abandoned = list(states), []

    def describe(self, name):
        state = self.states[0] if len(self.states) == 1 else self.states.pop(0)
        if isinstance(state, Exception):
            raise state
        return state and {"EndpointStatus": state}

    def abandon(self, name):
        self.abandoned.append(name)


def trigger(**options):
    given = {"conn_id": "sagemaker", "endpoint": "flights", "deadline": time.time() + 60, "poll_seconds": 0.001}
    return EndpointTrigger(**given | options)


@pytest.fixture
def hooked(monkeypatch):
    """Call it with states."""

    def make(*states):
        hook = Hook(*states)

        async def aopen(conn_id):
            return hook

        monkeypatch.setattr(EndpointsHook, "aopen", aopen)
        return hook

    return make


def outcome(**options):
    async def first():
        return [event.payload async for event in trigger(**options).run()]

    (event,) = asyncio.run(first())
    return event["status"], event["message"]


def test_it_goes_through_the_database_as_it_is():
    path, fields = trigger().serialize()
    assert path == "flightline.triggers.sagemaker_endpoint.EndpointTrigger"
    assert EndpointTrigger(**json.loads(json.dumps(fields))).serialize() == (path, fields)


@pytest.mark.parametrize("state", STILL)
def test_it_waits_until_nothing_moves(hooked, state):
    hooked(*MOVING, SageMakerUnavailable("throttled"), state)
    assert outcome() == ("settled", state)


def test_an_endpoint_that_is_gone_has_settled(hooked):
    hooked("Deleting", None)
    assert outcome() == ("settled", "gone")


def test_what_never_passes_ends_the_wait_and_so_does_time(hooked):
    hooked(SageMakerRefused("AccessDenied"))
    assert outcome() == ("error", "AccessDenied")
    hooked("Updating")
    assert outcome(deadline=time.time() - 1) == ("timeout", "Updating")


def test_a_kill_abandons_the_endpoint(hooked):
    hook = hooked("Creating")
    asyncio.run(trigger().on_kill())
    assert hook.abandoned == ["flights"]
