import asyncio

import pytest
from starlette.requests import Request

from sandbox import bodies


def request(*chunks, length=None):
    """A request whose body comes in chunks; how many were taken is counted."""
    taken = []
    pending = [*chunks]

    async def receive():
        taken.append(pending[0])
        return {"type": "http.request", "body": pending.pop(0), "more_body": bool(pending)}

    headers = [] if length is None else [(b"content-length", str(length).encode())]
    return Request({"type": "http", "method": "POST", "headers": headers}, receive), taken


def test_a_body_of_as_many_bytes_as_are_taken_is_whole():
    asked, _ = request(b"ab", b"", b"cd", length=4)
    assert asyncio.run(bodies.read(asked, 4)) == b"abcd"


@pytest.mark.parametrize(("length", "held"), [(10**9, 0), (None, 2), (3, 2)])
def test_no_more_than_that_is_held_of_a_larger_one(length, held):
    asked, taken = request(b"abc", b"def", b"ghi", length=length)
    with pytest.raises(bodies.TooLarge, match="a body has 5 bytes at most"):
        asyncio.run(bodies.read(asked, 5))
    assert len(taken) == held


@pytest.mark.parametrize(
    "text", [b"[" * 500_000, b'{"a":' * 40 + b"1" + b"}" * 40, b"[NaN]", b'"\\ud800"', b"{", b"\xff"]
)
def test_what_is_no_plain_json_is_refused(text):
    with pytest.raises(ValueError):  # noqa: PT011  each has words of its own
        bodies.parse(text)
    assert bodies.parse(b'{"a": [1, "\xc3\xa9"]}') == {"a": [1, "é"]}
