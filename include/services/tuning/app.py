"""The service as an ASGI application: authentication, JSON, threads, errors."""

import base64
import binascii
import hmac
import json
import logging
import math
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any

import anyio
import anyio.to_thread
import psycopg
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from include.services.tuning import api
from include.services.tuning.refusal import Refusal
from include.services.tuning.store import Store

log = logging.getLogger(__name__)
_THREADS = 16
_LARGEST_BODY = 8 * 2**20  # 2500 observations with metadata take 2 MB


def application(store: Store, tokens: Iterable[str]) -> Starlette:
    """The application.

    Args:
        store: its prepared state.
        tokens: whoever presents one of these may do everything.
    """
    tokens = tuple(tokens)
    threads, computing = anyio.CapacityLimiter(_THREADS), anyio.CapacityLimiter(1)

    def endpoint(handler: api.Handler) -> Callable[[Request], Awaitable[Response]]:
        # suggestions take turns: numpy's generator is global, and they would only share the processor
        limiter = computing if handler is api.create_suggestion else threads

        async def answer(request: Request) -> Response:
            token = _token(request, tokens)
            call = api.Call(
                store=store,
                path=_ids(request),
                query=request.query_params,
                body=_parsed(await _body(request)),
                token=token,
            )
            document = await anyio.to_thread.run_sync(partial(handler, call), limiter=limiter)
            if request.headers.get("X-Response-Content") == "skip":
                return Response(status_code=204)
            return JSONResponse(document)

        return answer

    async def health(_: Request) -> Response:
        await anyio.to_thread.run_sync(store.ping, limiter=threads)
        return JSONResponse({"status": "ok"})

    routes = [Route(path, endpoint(handler), methods=[method]) for method, path, handler in api.ROUTES]
    for path in ("/health", "/healthz"):
        routes.append(Route(path, health))
    return Starlette(
        routes=routes,
        exception_handlers={
            Refusal: _refused,
            HTTPException: _refused,
            psycopg.DataError: _unstorable,
            psycopg.OperationalError: _unavailable,
            Exception: _failed,
        },
    )


def _token(request: Request, tokens: Iterable[str]) -> str:
    """The token: user of HTTP Basic authentication, the password is empty."""
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    try:
        token = base64.b64decode(credentials, validate=True).decode().partition(":")[0]
    except (binascii.Error, UnicodeDecodeError):
        token = ""
    if scheme.lower() != "basic" or not token:
        raise Refusal("An API token is wanted as the user of HTTP Basic authentication", status=401)
    if not any(hmac.compare_digest(token.encode(), known.encode()) for known in tokens):
        raise Refusal("Unknown API token", status=403, token_status="invalid")  # noqa: S106 (a word for the client)
    return token


def _ids(request: Request) -> dict[str, int]:
    ids = {}
    for name, text in request.path_params.items():
        if not text.isascii() or not text.isdigit() or len(text) > 18:
            raise Refusal(f"No {name} {text}", status=404)
        ids[name] = int(text)
    return ids


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LARGEST_BODY:
            raise Refusal(f"The body is larger than {_LARGEST_BODY} bytes", status=413)
    return bytes(body)


def _parsed(body: bytes) -> Any:
    """The JSON of a body; None if it is empty. Numbers are finite and text is Unicode."""
    if not body:
        return None
    try:
        parsed = json.loads(body, parse_float=_finite(float), parse_int=_finite(int), parse_constant=_finite(float))
        json.dumps(parsed, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise Refusal(f"The body is not JSON: {error}") from error
    if not isinstance(parsed, dict):
        raise Refusal("The body is not a JSON object")
    return parsed


def _finite(number: Callable[[str], float]) -> Callable[[str], float]:
    def parse(text: str) -> float:
        if not math.isfinite(float(text)):
            raise ValueError(f"{text} is not a finite number")
        return number(text)

    return parse


def _refused(_: Request, error: Exception) -> Response:
    if isinstance(error, Refusal):
        return _error(str(error), error.status, **error.details)
    if isinstance(error, HTTPException):  # no such route, or no such method
        return _error(error.detail, error.status_code)
    raise error


def _unstorable(_: Request, error: Exception) -> Response:
    return _error(f"The database cannot hold this: {error}", 400)


def _unavailable(_: Request, error: Exception) -> Response:
    log.error("the database does not answer: %s", error)
    return _error("The database does not answer; try again", 503)


def _failed(_: Request, error: Exception) -> Response:
    """Starlette raises the error again afterwards, so the server logs it."""
    return _error(f"Unexpected error: {type(error).__name__}", 500)


def _error(message: str, status: int, **details: str) -> Response:
    return JSONResponse({"message": message, "status": status, **details}, status_code=status)
