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
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, Router

from include.foundation.http import refusal as http
from include.foundation.http.depth import DEPTH, is_deep
from include.foundation.http.guard import NOTES, Guard, Limits
from include.foundation.http.json_log import AccessLog
from include.foundation.http.metrics import RequestMetrics
from include.services.tuning import api
from include.services.tuning.refusal import Refusal
from include.services.tuning.store import Store

log = logging.getLogger(__name__)
THREADS = 16
LARGEST_BODY = 8 * 2**20  # 2500 observations with metadata take 2 MB


def application(store: Store, tokens: Iterable[str], *, limits: Limits, access_log: AccessLog) -> Guard:
    """The application.

    Args:
        store: its prepared state.
        tokens: whoever presents one of these may do everything.
        limits: what it takes.
        access_log: gets a line for each request.
    """
    tokens, metrics = tuple(tokens), RequestMetrics("tuning")
    threads, computing = anyio.CapacityLimiter(THREADS), anyio.CapacityLimiter(1)

    def endpoint(handler: api.Handler) -> Callable[[Request], Awaitable[Response]]:
        # suggestions take turns: numpy's generator is global, and they would only share the processor
        limiter = computing if handler is api.create_suggestion else threads

        async def answer(request: Request) -> Response:
            request.scope[NOTES]["endpoint"] = handler.__name__
            token = _token(request, tokens)
            call = api.Call(
                store=store,
                path=_ids(request),
                query=request.query_params,
                body=_parsed(await request.body()),
                token=token,
            )
            document = await anyio.to_thread.run_sync(partial(handler, call), limiter=limiter)
            if request.headers.get("X-Response-Content") == "skip":
                return Response(status_code=204)
            return JSONResponse(document)

        return answer

    async def health(request: Request) -> Response:
        request.scope[NOTES]["endpoint"] = "health"
        await anyio.to_thread.run_sync(store.ping, limiter=threads)
        return JSONResponse({"status": "ok"})

    async def exposition(request: Request) -> Response:
        request.scope[NOTES]["endpoint"] = "metrics"
        return Response(metrics.text(), media_type=metrics.content_type)

    routes = [Route(path, endpoint(handler), methods=[method]) for method, path, handler in api.ROUTES]
    routes += [Route("/health", health), Route("/healthz", health), Route("/metrics", exposition)]
    router = Router(routes)
    return Guard(
        router,
        limits=limits,
        metrics=metrics,
        access_log=access_log,
        content=_content,
        translate=_translated,
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
            raise Refusal(f"No {name} {text[:100]}", status=404)
        ids[name] = int(text)
    return ids


def _parsed(body: bytes) -> Any:
    """The JSON of a body; None if it is empty. Numbers are finite, whole ones of any size, and text is Unicode."""
    if not body:
        return None
    if is_deep(body):
        raise Refusal(f"The body is not JSON that is taken: it is nested more than {DEPTH} levels deep")
    try:
        parsed = json.loads(body, parse_float=_finite(float), parse_int=_finite(int), parse_constant=_finite(float))
        json.dumps(parsed, ensure_ascii=False).encode()
    except ValueError as error:
        raise Refusal(f"The body is not JSON: {error}") from error
    if not isinstance(parsed, dict):
        raise Refusal("The body is not a JSON object")
    return parsed


def _finite(number: Callable[[str], float]) -> Callable[[str], float]:
    def parse(text: str) -> float:
        if not math.isfinite(float(text)):
            raise ValueError(f"{text[:40]} is not a finite number")
        return number(text)

    return parse


def _content(refusal: http.Refusal) -> dict[str, Any]:
    """As SigOpt writes errors."""
    details = refusal.details if isinstance(refusal, Refusal) else {}
    return {"message": refusal.message, "status": refusal.status, **details}


def _translated(error: Exception) -> Refusal | None:
    if isinstance(error, psycopg.DataError):
        return Refusal(f"The database cannot hold this: {error}", status=400)
    if isinstance(error, psycopg.OperationalError):
        log.error("the database does not answer: %s", error)
        return Refusal("The database does not answer; try again", status=503)
    return None
