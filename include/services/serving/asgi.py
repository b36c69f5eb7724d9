"""The endpoints as an ASGI application, behind the guard that all services have.

Routed by hand: of a tensor's request a framework's routing costs a caller a tenth (docs/adr/0004-serving-library.md).
"""

import re
import uuid

from include.foundation.http.guard import NOTES, Guard, Limits, Message, Receive, Send
from include.foundation.http.json_log import AccessLog
from include.foundation.http.refusal import Refusal
from include.services.serving.metrics import Metrics
from include.services.serving.service import Service, route

REQUEST_ID = b"x-request-id"
_SOUND = re.compile(rb"[!-~]{1,128}")


def application(service: Service, *, limits: Limits, metrics: Metrics, access_log: AccessLog) -> Guard:
    """The application that answers for a service."""

    async def answer(scope: Message, receive: Receive, send: Send) -> None:
        found = route(scope["path"])
        if found is None:
            raise Refusal(404, "no such endpoint; GET / says what there is")
        scope[NOTES]["endpoint"] = found.endpoint
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        if method != found.method:
            raise Refusal(405, f"this endpoint answers {found.method} only", headers={"allow": found.method})
        body = (await receive())["body"] if method == "POST" else b""
        request_id = _request_id(scope)
        made = await service.answer(found, body, request_id=request_id)
        scope[NOTES]["rows"] = made.rows
        headers = [
            (b"content-type", made.content_type.encode()),
            (b"content-length", b"%d" % len(made.body)),
            (REQUEST_ID, request_id.encode()),
        ]
        await send({"type": "http.response.start", "status": made.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else made.body})
        if made.then:
            made.then()

    return Guard(answer, limits=limits, metrics=metrics, access_log=access_log)


def _request_id(scope: Message) -> str:
    """The caller's name for the request, so that he finds it in the prediction log; a new one where he gives none."""
    given = next((value for name, value in scope["headers"] if name == REQUEST_ID), b"")
    return given.decode() if _SOUND.fullmatch(given) else uuid.uuid4().hex
