"""The server on a real socket: half-sent requests are left, those in flight are answered."""

import asyncio
import io
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from include.foundation.http import server
from include.foundation.http.guard import Guard, Limits
from include.foundation.http.json_log import AccessLog
from include.foundation.http.metrics import RequestMetrics
from sandbox.supervisor.service import free_ports


async def _slow(scope: Any, receive: Any, send: Any) -> None:
    await asyncio.sleep(0.3)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@asynccontextmanager
async def _serving(**more: Any) -> AsyncIterator[int]:
    (port,) = free_ports(1)
    guard = Guard(_slow, limits=Limits(body=100), metrics=RequestMetrics("test"), access_log=AccessLog(io.BytesIO()))
    task = asyncio.create_task(server.serve(guard, host="127.0.0.1", port=port, **more))
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.02)
        else:
            writer.close()
            break
    yield port
    if not task.done():
        os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(task, 10)


def _run(test: Callable[[int], Awaitable[None]], **more: Any) -> None:
    async def main() -> None:
        async with _serving(**more) as port:
            await test(port)

    asyncio.run(main())


@pytest.mark.parametrize("sent", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\nA"])
def test_a_head_that_does_not_end_is_left(monkeypatch: pytest.MonkeyPatch, sent: bytes) -> None:
    monkeypatch.setattr(server._Protocol, "head_seconds", 0.4)

    async def test(port: int) -> None:
        whole = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
        for before in (b"", whole):  # on a new connection, and on one that has been answered
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            if before:
                writer.write(before)
                assert b"200" in await asyncio.wait_for(reader.readuntil(b"ok"), 5)
            writer.write(sent)
            start = time.monotonic()
            if sent or not before:
                assert await asyncio.wait_for(reader.read(), 5) == b""
                assert time.monotonic() - start >= 0.2
            writer.close()

    _run(test)


def test_a_slow_answer_is_not_taken_for_a_slow_head(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server._Protocol, "head_seconds", 0.1)

    async def test(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"ok" in await asyncio.wait_for(reader.readuntil(b"ok"), 5)
        writer.close()

    _run(test)


def test_what_is_in_flight_is_answered_before_it_leaves() -> None:
    left = []

    async def test(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await asyncio.sleep(0.1)
        os.kill(os.getpid(), signal.SIGTERM)
        answer = await asyncio.wait_for(reader.read(), 5)
        assert b"200" in answer
        assert b"connection: close" in answer
        writer.close()
        await asyncio.sleep(1)

    _run(test, on_leave=lambda: left.append(True))
    assert left
