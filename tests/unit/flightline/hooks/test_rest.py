"""Requests that are made again, over a transport that answers by script."""

import httpx
import pytest

from flightline.hooks import rest
from flightline.hooks.rest import RETRY_SECONDS, Unanswered, answered


@pytest.fixture
def pauses(monkeypatch):
    slept = []
    monkeypatch.setattr(rest.time, "sleep", slept.append)
    monkeypatch.setattr(rest.random, "uniform", lambda low, high: low)
    return slept


@pytest.fixture
def ask():
    """Ask a server that gives these answers, one a request; an exception is a fault of the network."""

    def ask(*script, **words):
        left = iter(script)

        def answer(_):
            said = next(left)
            if isinstance(said, Exception):
                raise said
            return httpx.Response(said, text=f"said {said}")

        with httpx.Client(transport=httpx.MockTransport(answer), base_url="http://there") as client:
            return answered(client, "GET", "/thing", message=lambda response: response.text, **words)

    return ask


def test_what_may_pass_is_waited_out(ask, pauses):
    told = []
    found = ask(503, httpx.ConnectError("nobody"), 429, 200, tell=lambda *words: told.append(words))
    assert found.status_code == 200
    assert pauses == [*RETRY_SECONDS[:3]]
    assert told == [("503 said 503", 0.5), ("ConnectError: nobody", 1.0), ("429 said 429", 2.0)]


@pytest.mark.parametrize("status", [404, 409, 501])
def test_what_is_final_is_returned_at_once(ask, pauses, status):
    assert ask(status).status_code == status
    assert pauses == []


def test_the_last_fault_is_told(ask, pauses):
    with pytest.raises(Unanswered, match=r"^504 said 504$"):
        ask(503, 504, pauses=(0.5,))
    assert pauses == [0.5]
    with pytest.raises(Unanswered, match=r"^ReadTimeout: slow$"):
        ask(httpx.ReadTimeout("slow"), pauses=())


def test_a_caller_may_know_more_of_an_answer(ask, pauses):
    found = ask(400, 200, may_pass=lambda response: response.status_code == 400, wait=lambda _, pause: pause * 10)
    assert found.status_code == 200
    assert pauses == [5.0]
