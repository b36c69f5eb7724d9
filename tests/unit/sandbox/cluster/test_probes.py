import asyncio
import sys

import pytest

from sandbox.cluster import probes
from sandbox.cluster.ports import free_port
from sandbox.cluster.probes import ProbeError


async def http(answer, delay=0.0):
    async def serve(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(delay)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n" if answer == "header" and b"X-Key: 1" in head else str(answer).encode())
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    return server.sockets[0].getsockname()[1]


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        ("HTTP/1.1 200 OK\r\n\r\n", None),
        ("HTTP/1.1 302 Found\r\n\r\n", None),
        ("header", None),
        ("HTTP/1.1 503 Busy\r\n\r\n", "statuscode: 503"),
        ("nonsense", "not an HTTP answer"),
        ("", "not an HTTP answer"),
        ("X" * 200_000, "Get "),
    ],
)
def test_http(answer, fault):
    async def run():
        handler = {"path": "/x", "httpHeaders": [{"name": "X-Key", "value": "1"}]}
        await probes.http_get(await http(answer), handler, 5)

    if fault is None:
        asyncio.run(run())
    else:
        with pytest.raises(ProbeError, match=fault):
            asyncio.run(run())


def test_time_is_up_and_nobody_listens():
    async def slow():
        await probes.http_get(await http("HTTP/1.1 200 OK\r\n\r\n", delay=5), {"path": "/"}, 0.2)

    with pytest.raises(ProbeError, match="timeout"):
        asyncio.run(slow())
    with pytest.raises(ProbeError, match="dial tcp"):
        asyncio.run(probes.tcp_connect(free_port(), 1))


@pytest.mark.parametrize(
    ("code", "fault"),
    [("pass", None), ("print('why'); raise SystemExit(1)", "why"), ("import time; time.sleep(60)", "timed out")],
)
def test_commands(code, fault):
    async def run():
        await probes.execute([sys.executable, "-c", code], {}, "/", 5 if fault != "timed out" else 0.3)

    if fault is None:
        asyncio.run(run())
    else:
        with pytest.raises(ProbeError, match=fault):
            asyncio.run(run())


NO = ProbeError("no")


def reports(outcomes, fault=NO, **probe):
    """What `watch` reports for these outcomes (letters: s succeeds, f fails)."""
    seen, rest = [], list(outcomes)

    async def attempt():
        if not rest:
            await asyncio.Event().wait()
        if rest.pop(0) == "f":
            raise fault

    async def run():
        settings = {"periodSeconds": 0, "successThreshold": 1, "failureThreshold": 3, **probe}
        task = asyncio.create_task(
            probes.watch(settings, attempt, lambda success, _: seen.append("s" if success else "f"))
        )
        while rest:
            await asyncio.sleep(0)
        await asyncio.sleep(0.01)
        task.cancel()

    asyncio.run(run())
    return "".join(seen)


def test_thresholds():
    assert reports("s") == "s"
    assert reports("sff") == "s"
    assert reports("sfff") == "sf"
    assert reports("sffsfff") == "ssf"
    assert reports("ssfsss", successThreshold=3) == "s"
    assert reports("ffffff") == "ff"


def test_an_unforeseen_fault_is_a_failure_too():
    assert reports("sfffs", fault=KeyError("port")) == "sfs"
