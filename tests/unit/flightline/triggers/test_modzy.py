import asyncio
import time

import pytest

from flightline.exceptions import ModzyRefused, ModzyUnavailable
from flightline.hooks.modzy import ModzyHook
from flightline.triggers.modzy import ModzyTrigger


def trigger(process="run-process", **changes):
    fields = {
        "conn_id": "modzy",
        "model": "m1",
        "version": "1.0.0",
        "process": process,
        "job": "j1" if process == "job" else "",
        "deadline": time.time() + 20,
        "poll_seconds": 0.01,
    }
    return ModzyTrigger(**fields | changes)


@pytest.fixture
def said(monkeypatch):
    """What Modzy says, look by look; an error is raised."""
    answers = []

    async def aopen(_):
        return ModzyHook("modzy", connection=None)

    def next_one(*_):
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(ModzyHook, "aopen", aopen)
    monkeypatch.setattr(ModzyHook, "progress", next_one)
    monkeypatch.setattr(ModzyHook, "job", next_one)
    return answers


def test_it_goes_through_a_row_as_it_is():
    one = trigger("job")
    path, fields = one.serialize()
    assert path == "flightline.triggers.modzy.ModzyTrigger"
    assert ModzyTrigger(**fields).serialize() == (path, fields)


def test_it_waits_for_the_whole_and_over_a_restart(said):
    said += [None, {"percentage": 40}, ModzyUnavailable("restarting"), {"percentage": 100}]
    event = asyncio.run(trigger().outcome())
    assert (event["status"], said) == ("done", [])


@pytest.mark.parametrize("last", ["COMPLETED", "CANCELED", "TIMEDOUT"])
def test_a_job_is_over_in_each_of_its_last_states(said, last):
    said += [{}, {"status": "OPEN"}, {"status": "IN_PROGRESS", "pending": 2}, {"status": last}]
    assert asyncio.run(trigger("job").outcome())["status"] == "done"


def test_a_refusal_is_told(said):
    said.append(ModzyRefused("there is no such model", status=404))
    event = asyncio.run(trigger().outcome())
    assert (event["status"], event["message"]) == ("error", "there is no such model")


def test_time_is_up(said):
    said += [{"percentage": 7}] * 3
    event = asyncio.run(trigger(deadline=time.time() - 1).outcome())
    assert (event["status"], event["message"]) == ("timeout", "run-process is at 7%")


def test_only_a_job_is_ended_with_its_task(said, monkeypatch):
    ended = []
    monkeypatch.setattr(ModzyHook, "cancel", lambda _, job: ended.append(job))
    asyncio.run(trigger().on_kill())
    asyncio.run(trigger("job").on_kill())
    assert ended == ["j1"]
