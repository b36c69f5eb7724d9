"""HTTP: bodies, limits, error answers, the access log. An ASGI application over `Service`.

Why no framework: there are nine endpoints, and the limits, the error bodies, the metrics and the log would be the
project's own in any of them (docs/adr/0004-serving-library.md has the cost of one).
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import orjson

from include.foundation.errors import RetryableError
from include.services.serving.json_log import AccessLog
from include.services.serving.metrics import Metrics
from include.services.serving.refusal import Refusal
from include.services.serving.service import Answer, Route, Service, route

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

log = logging.getLogger(__name__)
BODY_SECONDS = 10  # in which a caller must have sent the body
FULL_BODIES = 8  # of so many bodies of the greatest size the bytes are held, arrived in part or whole; more get 503


class App:
    """The ASGI application.

    Args:
        service: answers.
        metrics: is told of every request.
        access_log: is told of every request but successful probes and scrapes.
        max_body: bytes of one request's body.
        max_in_flight: requests with a body that are answered at once; more get 503.
    """

    def __init__(
        self, service: Service, *, metrics: Metrics, access_log: AccessLog, max_body: int, max_in_flight: int
    ) -> None:
        self._service, self._metrics, self._access_log = service, metrics, access_log
        self._max_body, self._max_in_flight = max_body, max_in_flight
        self._in_flight = self._held = 0
        metrics.in_flight.set_function(lambda: self._in_flight)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        start = time.monotonic()
        found = route(scope["path"])
        answer = await self._answer(found, scope, receive)
        headers = [(b"content-type", answer.content_type.encode()), (b"content-length", b"%d" % len(answer.body))]
        headers += [(name.encode(), value.encode()) for name, value in answer.headers.items()]
        if self._service.readiness.draining:
            headers.append((b"connection", b"close"))  # the caller's next request goes to another replica
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else answer.body})
        self._record(found, scope["method"], answer, time.monotonic() - start)

    async def _answer(self, found: Route | None, scope: Message, receive: Receive) -> Answer:
        try:
            if found is None:
                raise Refusal(404, "no such endpoint; GET / says what there is")
            method = "GET" if scope["method"] == "HEAD" else scope["method"]
            if method != found.method:
                raise Refusal(405, f"this endpoint answers {found.method} only", headers={"allow": found.method})
            if method == "GET":
                return await self._service.answer(found, b"")
            return await self._answer_body(found, scope, receive)
        except Refusal as refusal:
            return _refused(refusal)
        except RetryableError as error:
            log.warning("%s", error)
            return _refused(Refusal.busy("a service that is needed for the answer does not answer"))
        except Exception:
            log.exception("%s failed", found.endpoint if found else "request")
            return _refused(Refusal(500, "this is a fault of the server; its log says more"))

    async def _answer_body(self, found: Route, scope: Message, receive: Receive) -> Answer:
        headers = dict(scope["headers"])
        if headers.get(b"content-encoding", b"identity") != b"identity":
            raise Refusal(415, "content-encoding must be identity")
        if self._in_flight >= self._max_in_flight:
            raise Refusal.busy("too many requests at once")
        self._in_flight += 1
        body = bytearray()
        try:
            await self._read(headers, receive, body)
            return await self._service.answer(found, bytes(body))
        finally:
            self._held -= len(body)
            self._in_flight -= 1

    async def _read(self, headers: MutableMapping[bytes, bytes], receive: Receive, body: bytearray) -> None:
        """Read into `body`, which counts as held, complete or not."""
        too_large = Refusal(413, f"a body has {self._max_body} bytes at most", headers={"connection": "close"})
        # Who still sends does not read: unless he waits for leave to send, a body is read on for a while, to no use.
        patience = self._max_body if b"expect" in headers else FULL_BODIES * self._max_body
        if int(headers.get(b"content-length", b"0")) > patience:
            raise too_large
        size = 0
        try:
            async with asyncio.timeout(BODY_SECONDS):
                more = True
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise Refusal(400, "the caller went away")
                    more, chunk = message.get("more_body", False), message.get("body", b"")
                    size += len(chunk)
                    if size > patience:
                        raise too_large
                    if size <= self._max_body:
                        body += chunk
                        self._held += len(chunk)
                        if self._held > FULL_BODIES * self._max_body:
                            raise Refusal.busy("too many bytes at once")
        except TimeoutError:
            slow = f"the body took more than {BODY_SECONDS} s"
            raise Refusal(408, slow, headers={"connection": "close"}) from None
        if size > self._max_body:
            raise too_large

    def _record(self, found: Route | None, method: str, answer: Answer, seconds: float) -> None:
        endpoint = found.endpoint if found else "none"
        self._metrics.requests.labels(endpoint, answer.status).inc()
        self._metrics.seconds.labels(endpoint).observe(seconds)
        if method == "POST" or answer.status >= 400:
            # Not the path, the query or the body: they may hold personal data.
            self._access_log.write(
                {
                    "endpoint": endpoint,
                    "method": method,
                    "status": answer.status,
                    "rows": answer.rows,
                    "ms": round(seconds * 1000, 3),
                }
            )


def _refused(refusal: Refusal) -> Answer:
    content: dict[str, Any] = {"error": refusal.message}
    if refusal.fields:
        content["fields"] = refusal.fields
    return Answer(status=refusal.status, body=orjson.dumps(content), headers=refusal.headers)
