"""ASGI middleware: what is checked before a service sees a request, and what is noted of its answer."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from starlette.exceptions import HTTPException

from include.foundation.errors import RetryableError
from include.foundation.http.host import Hosts
from include.foundation.http.json_log import AccessLog
from include.foundation.http.metrics import RequestMetrics
from include.foundation.http.refusal import Refusal

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Service = Callable[[Message, Receive, Send], Awaitable[None]]

log = logging.getLogger(__name__)
NOTES = "flightline"  # in the scope: a service notes the `endpoint` and, if it has any, the `rows` of its answer
FULL_BODIES = 8  # of so many bodies of the greatest size the bytes are held, arrived in part or whole; more get 503


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a service takes.

    Attributes:
        body: bytes of one request's body.
        body_seconds: in which a caller must have sent the body.
        in_flight: requests with a body that are answered at once; more get 503.
        hosts: the names that it answers to.
    """

    body: int
    body_seconds: float = 10
    in_flight: int = 256
    hosts: Hosts = field(default_factory=Hosts)


def no_translation(_: Exception) -> Refusal | None:
    """The service raises nothing but refusals and this project's errors."""
    return None


class Guard:
    """The application.

    The service gets its request's body in one message. What it raises becomes an answer: a `Refusal` (or Starlette's
    HTTPException) as it says, a `RetryableError` 503, anything else 500 and a traceback in the log.

    Args:
        service: an ASGI application that answers.
        limits: what it takes.
        metrics: counts every request.
        access_log: gets a line for every request but successful GETs, which are probes and scrapes mostly.
        content: a refusal as the JSON of its answer.
        translate: a service's other exceptions as refusals; None for what it does not know.

    Attributes:
        draining: the process is about to leave: every answer closes its connection, so that the caller's next request
            goes to another replica.
    """

    def __init__(
        self,
        service: Service,
        *,
        limits: Limits,
        metrics: RequestMetrics,
        access_log: AccessLog,
        content: Callable[[Refusal], Any] = Refusal.content,
        translate: Callable[[Exception], Refusal | None] = no_translation,
    ) -> None:
        self.draining = False
        self._service, self._limits, self._metrics, self._access_log = service, limits, metrics, access_log
        self._content, self._translate = content, translate
        self._in_flight = self._held = 0
        metrics.in_flight.set_function(lambda: self._in_flight)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        start = time.monotonic()
        notes: dict[str, Any] = {"endpoint": "none", "rows": 0}
        scope[NOTES] = notes
        scope["app"] = self  # lets Starlette's router raise its 404 and 405, which it would answer in its own words
        status = 0

        async def note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if self.draining:
                    message["headers"] = [*message.get("headers", ()), (b"connection", b"close")]
            await send(message)

        try:
            await self._guarded(scope, receive, note)
        except Exception as error:
            refusal = self._refusal(error, notes["endpoint"])
            if status:
                raise  # half an answer cannot be taken back; the server closes the connection
            await self._refuse(refusal, note, head=scope["method"] == "HEAD")
        self._record(notes, scope["method"], status, time.monotonic() - start)

    async def _guarded(self, scope: Message, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        if not self._limits.hosts.allow(headers.get(b"host", b"")):
            raise Refusal(
                421, "this server has no such name; FLIGHTLINE_ALLOWED_HOSTS lists the names that it answers to"
            )
        if b"content-length" not in headers and b"transfer-encoding" not in headers:
            await self._service(scope, _received(b""), send)
            return
        if headers.get(b"content-encoding", b"identity") != b"identity":
            raise Refusal(415, "content-encoding must be identity")
        if self._in_flight >= self._limits.in_flight:
            raise Refusal.busy("too many requests at once")
        self._in_flight += 1
        body = bytearray()
        try:
            await self._read(headers, receive, body)
            await self._service(scope, _received(bytes(body)), send)
        finally:
            self._held -= len(body)
            self._in_flight -= 1

    async def _read(self, headers: MutableMapping[bytes, bytes], receive: Receive, body: bytearray) -> None:
        """Read into `body`, which counts as held, complete or not."""
        most = self._limits.body
        too_large = Refusal(413, f"a body has {most} bytes at most", headers={"connection": "close"})
        # Who still sends does not read: unless he waits for leave to send, a body is read on for a while, to no use.
        patience = most if b"expect" in headers else FULL_BODIES * most
        if int(headers.get(b"content-length", b"0")) > patience:
            raise too_large
        size = 0
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                more = True
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise Refusal(400, "the caller went away")
                    more, chunk = message.get("more_body", False), message.get("body", b"")
                    size += len(chunk)
                    if size > patience:
                        raise too_large
                    if size <= most:
                        body += chunk
                        self._held += len(chunk)
                        if self._held > FULL_BODIES * most:
                            raise Refusal.busy("too many bytes at once")
        except TimeoutError:
            slow = f"the body took more than {self._limits.body_seconds} s"
            raise Refusal(408, slow, headers={"connection": "close"}) from None
        if size > most:
            raise too_large

    def _refusal(self, error: Exception, endpoint: str) -> Refusal:
        if isinstance(error, Refusal):
            return error
        if isinstance(error, HTTPException):
            return Refusal(error.status_code, error.detail, headers=error.headers)
        if isinstance(error, RetryableError):
            log.warning("%s", error)
            return Refusal.busy("a service that is needed for the answer does not answer")
        if translated := self._translate(error):
            return translated
        log.error("%s failed", endpoint, exc_info=error)
        return Refusal(500, "this is a fault of the server; its log says more")

    async def _refuse(self, refusal: Refusal, send: Send, *, head: bool) -> None:
        body = orjson.dumps(self._content(refusal))
        headers = {"content-type": "application/json", "content-length": str(len(body)), **refusal.headers}
        encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": refusal.status, "headers": encoded})
        await send({"type": "http.response.body", "body": b"" if head else body})

    def _record(self, notes: dict[str, Any], method: str, status: int, seconds: float) -> None:
        endpoint = notes["endpoint"]
        self._metrics.requests.labels(endpoint, status).inc()
        self._metrics.seconds.labels(endpoint).observe(seconds)
        if method not in ("GET", "HEAD") or status >= 400:
            # Not the path, the query or the body: they may hold personal data.
            self._access_log.write(
                {
                    "endpoint": endpoint,
                    "method": method,
                    "status": status,
                    "rows": notes["rows"],
                    "ms": round(seconds * 1000, 3),
                }
            )


def _received(body: bytes) -> Receive:
    """A `receive` that has the whole body at once; whoever asks on learns that the caller has gone."""
    messages = iter(({"type": "http.request", "body": body, "more_body": False},))

    async def receive() -> Message:
        return next(messages, {"type": "http.disconnect"})

    return receive
