"""`ministack` behind a door: only requests signed with the sandbox's key pair come in. Runs in `.venv/sandbox`.

ministack by itself takes any key, and has a path that wipes everything, which any web page could post to.
"""

import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import uvicorn

from sandbox.lake.signing import Request, Signer

READY = "/_ministack/ready"
_DENIED = (
    b"<Error><Code>SignatureDoesNotMatch</Code>"
    b"<Message>The request is not signed with this sandbox's keys.</Message></Error>"
)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


def guarded(app: App, signer: Signer) -> App:
    """The ASGI application, for signed requests to its S3 paths alone."""

    async def door(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not _welcome(scope, signer):
            headers = [(b"content-type", b"application/xml"), (b"content-length", str(len(_DENIED)).encode())]
            await send({"type": "http.response.start", "status": 403, "headers": headers})
            await send({"type": "http.response.body", "body": _DENIED})
        else:
            await app(scope, receive, send)

    return door


def _welcome(scope: Scope, signer: Signer) -> bool:
    if scope["path"].startswith("/_"):
        return bool(scope["path"] == READY and scope["method"] == "GET")
    return signer.accepts(
        Request(
            method=scope["method"],
            path=scope["raw_path"].decode("ascii"),
            query=scope["query_string"].decode("ascii"),
            headers={name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]},
        )
    )


if __name__ == "__main__":
    from ministack.app import app as ministack

    from sandbox.lake.s3 import REGION

    signer = Signer(
        access_key=os.environ["AWS_ACCESS_KEY_ID"], secret_key=os.environ["AWS_SECRET_ACCESS_KEY"], region=REGION
    )
    uvicorn.run(
        guarded(ministack, signer),
        host=os.environ["BIND_HOST"],
        port=int(os.environ["GATEWAY_PORT"]),
        access_log=False,
        log_level="warning",
        timeout_keep_alive=75,
        timeout_graceful_shutdown=2,
    )
