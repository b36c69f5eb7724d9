"""What all triggers share that look again and again; what each looks at is in its own tests."""

import asyncio
import time

import pytest

from flightline.triggers.polling import PollingTrigger


class Counting(PollingTrigger):
    """Shows one state after the other; `three` is the last."""

    arguments = ("conn_id", "deadline", "poll_seconds")
    over, passing, final = "done", ConnectionError, ValueError
    what = "the count"
    looks = ()

    async def open(self):
        return iter(self.looks)

    def look(self, hook):
        found = next(hook)
        if isinstance(found, Exception):
            raise found
        return found == "three", found


def outcome(*looks, seconds=60.0):
    made = Counting(conn_id="c", deadline=time.time() + seconds, poll_seconds=0.001)
    made.looks = looks
    event = asyncio.run(made.outcome())
    assert event["deadline"] == made.deadline
    return event["status"], event["message"]


def test_it_looks_until_it_is_over_past_what_passes():
    assert outcome("one", ConnectionError("away"), "one", "three") == ("done", "three")


def test_what_does_not_pass_ends_the_wait():
    assert outcome("one", ValueError("no")) == ("error", "no")
    with pytest.raises(ZeroDivisionError):
        outcome(ZeroDivisionError())


def test_the_time_is_over_even_while_nothing_answers():
    assert outcome(ConnectionError("away"), seconds=-1) == ("timeout", "away")
    assert outcome("one", seconds=-1) == ("timeout", "one")


def test_each_state_is_told_once(monkeypatch):
    told = []
    monkeypatch.setattr(
        Counting, "log", type("Log", (), {"info": lambda _, words, *values: told.append(words % values)})()
    )
    outcome("one", "one", "two", "three")
    assert told == ["the count: one", "the count: two"]
