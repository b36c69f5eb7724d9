"""What the guard does for any service; limits under load are tried in services/serving/test_asgi.py."""

import asyncio
import io
import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router

from include.foundation.errors import ServiceUnavailable
from include.foundation.http.guard import NOTES, Guard, Limits
from include.foundation.http.host import Hosts
from include.foundation.http.json_log import AccessLog
from include.foundation.http.metrics import RequestMetrics
from include.foundation.http.refusal import Refusal


class Away(Exception):
    """Something that the service knows and the guard does not."""


ERRORS = {
    "refusal": Refusal.at(409, "name", "is taken"),
    "outage": ServiceUnavailable("the database does not answer"),
    "known": Away(),
    "bug": ZeroDivisionError("secret"),
}


async def _fail(request: Request) -> Response:
    request.scope[NOTES]["endpoint"] = "fail"
    raise ERRORS[request.path_params["kind"]]


async def _echo(request: Request) -> Response:
    request.scope[NOTES] |= {"endpoint": "echo", "rows": 3}
    return Response(await request.body())


ROUTES = Router([Route("/fail/{kind}", _fail), Route("/echo", _echo, methods=["POST"])], redirect_slashes=False)


def _ask(test: Callable[[httpx.AsyncClient, Guard], Awaitable[Any]], host: str = "localhost") -> tuple[Any, bytes]:
    log = io.BytesIO()
    guard = Guard(
        ROUTES,
        limits=Limits(body=100, hosts=Hosts(["models.agency.gov"])),
        metrics=RequestMetrics("test"),
        access_log=AccessLog(log),
        translate=lambda error: Refusal.busy("away") if isinstance(error, Away) else None,
    )

    async def main() -> Any:
        transport = httpx.ASGITransport(guard)
        async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}") as client:
            return await test(client, guard)

    return asyncio.run(main()), log.getvalue()


@pytest.mark.parametrize(
    ("method", "path", "status", "says"),
    [
        ("GET", "/fail/refusal", 409, "name: is taken"),
        ("GET", "/fail/outage", 503, "does not answer"),
        ("GET", "/fail/known", 503, "away"),
        ("GET", "/fail/bug", 500, "its log says more"),
        ("GET", "/nothing", 404, "Not Found"),
        ("GET", "/echo", 405, "Method Not Allowed"),
    ],
)
def test_what_a_service_raises_becomes_an_answer(method: str, path: str, status: int, says: str) -> None:
    answer, _ = _ask(lambda client, _: client.request(method, path))
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/json")
    assert says in answer.json()["error"]
    assert "secret" not in answer.text
    assert ("retry-after" in answer.headers) == (status == 503)


def test_a_body_comes_whole_or_not_at_all() -> None:
    async def test(client: httpx.AsyncClient, _: Guard) -> list[httpx.Response]:
        return [await client.post("/echo", content=b"a" * size) for size in (0, 100, 101)]

    (empty, full, large), _ = _ask(test)
    assert (empty.content, full.content, large.status_code) == (b"", b"a" * 100, 413)


def test_a_name_that_it_does_not_have_is_refused_before_the_body_is_read() -> None:
    for host, status in (("models.agency.gov", 200), ("rebound.example", 421)):
        answer, _ = _ask(lambda client, _: client.post("/echo", content=b"a"), host=host)
        assert answer.status_code == status


def test_requests_are_counted_and_logged_without_what_was_sent() -> None:
    async def test(client: httpx.AsyncClient, guard: Guard) -> str:
        await client.post("/echo?secret=1", content=b"secret")
        await client.get("/fail/bug")
        return guard._metrics.text().decode()

    text, log = _ask(test)
    assert 'flightline_test_requests_total{code="200",endpoint="echo"} 1.0' in text
    assert 'flightline_test_requests_total{code="500",endpoint="fail"} 1.0' in text
    lines = [json.loads(line) for line in log.splitlines()]
    assert [(line["endpoint"], line["status"], line["rows"]) for line in lines] == [("echo", 200, 3), ("fail", 500, 0)]
    assert b"secret" not in log


def test_who_drains_closes_every_connection() -> None:
    async def test(client: httpx.AsyncClient, guard: Guard) -> list[httpx.Response]:
        guard.draining = True
        return [await client.post("/echo", content=b"a"), await client.get("/nothing")]

    answers, _ = _ask(test)
    assert [answer.headers["connection"] for answer in answers] == ["close", "close"]
