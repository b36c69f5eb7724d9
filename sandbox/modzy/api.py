"""The REST API, under /api."""

import hmac
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import HTTP
from functools import partial
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.types import Lifespan

from sandbox import bodies
from sandbox.host import OwnAddress
from sandbox.modzy import page
from sandbox.modzy.errors import ModzyError
from sandbox.modzy.jobs import Jobs
from sandbox.modzy.models import Models

MAX_BYTES = 64 * 2**20  # a job's inputs come whole, too
REQUIREMENTS = [{"requirementId": 1, "status": "ACTIVE", "cpuAmount": "1000m", "memoryAmount": "1Gi"}]
FEATURES = {"inputChunkMaximumSize": "1M", "maximumInputChunksCount": 10_000}
_VERSION = "/models/{model}/versions/{version}"
SAMPLES = ("sample-input", "sample-output")


def _part(raw: bytes, content_type: str, name: str) -> bytes:
    """The file of a multipart form's field (RFC 7578)."""
    head = f"Content-Type: {content_type}\r\nMIME-Version: 1.0\r\n\r\n".encode()
    form = BytesParser(policy=HTTP).parsebytes(head + raw)
    for part in form.iter_parts() if form.is_multipart() else ():
        if isinstance(part, EmailMessage) and part.get_param("name", header="content-disposition") == name:
            return bytes(part.get_payload(decode=True) or b"")
    raise ModzyError(400, f"the form has no field {name!r}")


@dataclass(frozen=True)
class Call:
    """One request: the path's parts, the parsed JSON, of a form its raw bytes, and the query."""

    parts: Mapping[str, str]
    body: Any
    form: Callable[[str], bytes]
    query: Mapping[str, str]

    @property
    def version(self) -> tuple[str, str]:
        """Model and version."""
        return self.parts["model"], self.parts["version"]

    @property
    def job(self) -> str:
        """Identifier of a job."""
        return self.parts["job"]


Handler = Callable[[Call], Any]


class Api:
    """The routes; handlers run in threads."""

    def __init__(self, *, models: Models, jobs: Jobs, key: str) -> None:
        self._models, self._jobs, self._key = models, jobs, key

    def app(self, lifespan: Lifespan[Starlette] | None = None) -> OwnAddress:
        """The ASGI application, with what comes before and after it."""
        routes = [*self._of_models(), *self._of_versions(), *self._of_jobs()]
        found = [Route(path, self._answer(handler), methods=[method]) for method, path, handler in routes]
        ready = Route("/readyz", lambda _: PlainTextResponse("ok"))
        shown = Route("/models/{model}/{version}", self._page)
        return OwnAddress(Starlette(routes=[ready, shown, Mount("/api", routes=found)], lifespan=lifespan))

    def _page(self, request: Request) -> Response:
        model, name = request.path_params["model"], request.path_params["version"]
        try:
            return HTMLResponse(page.version(self._models.card(model), self._models.version(model, name).document))
        except ModzyError as error:
            return JSONResponse(error.body, status_code=error.status)

    def _of_models(self) -> Iterator[tuple[str, str, Handler]]:
        models = self._models
        yield "GET", "/models", self._listed
        yield "POST", "/models", lambda call: models.create(call.body)
        yield "GET", "/models/requirements/account", lambda _: REQUIREMENTS
        yield "GET", "/models/{model}", lambda call: models.card(call.parts["model"])
        yield "PATCH", "/models/{model}", lambda call: models.describe(call.parts["model"], call.body)
        yield "GET", "/models/{model}/versions", lambda call: models.versions(call.parts["model"])
        yield "POST", "/models/{model}/versions", lambda call: models.add(call.parts["model"], call.body)
        yield "GET", "/resources/processing/engines", lambda _: self._engines()

    def _of_versions(self) -> Iterator[tuple[str, str, Handler]]:
        models = self._models
        yield "GET", _VERSION, self._version
        yield "PATCH", _VERSION, lambda call: models.change(*call.version, call.body)
        yield "POST", f"{_VERSION}/container-image", lambda call: models.set_image(*call.version, call.body)
        yield "POST", f"{_VERSION}/load-process", lambda call: models.load(*call.version)
        yield "POST", f"{_VERSION}/testInput", self._test_input
        yield "POST", f"{_VERSION}/run-process", lambda call: models.start_test(*call.version)
        for name in ("container-image", "run-process", *SAMPLES):
            yield "GET", f"{_VERSION}/{name}", partial(self._progress, name)
        for name in SAMPLES:
            yield "PUT", f"{_VERSION}/{name}", partial(self._set_sample, name)

    def _of_jobs(self) -> Iterator[tuple[str, str, Handler]]:
        jobs = self._jobs
        yield "POST", "/jobs", lambda call: jobs.submit(call.body)
        yield "GET", "/jobs/features", lambda _: FEATURES
        yield "GET", "/jobs/history", self._history
        yield "GET", "/jobs/{job}", lambda call: jobs.get(call.job).document
        yield "DELETE", "/jobs/{job}", lambda call: jobs.cancel(call.job)
        yield "POST", "/jobs/{job}/close", lambda call: jobs.close(call.job)
        yield "POST", "/jobs/{job}/{item}/{name}", self._append
        yield "GET", "/results/{job}", lambda call: jobs.results(call.job)

    def _answer(self, handler: Handler) -> Callable[[Request], Any]:
        async def answer(request: Request) -> Response:
            try:
                given = request.headers.get("authorization", "")
                if not hmac.compare_digest(given.encode(), f"ApiKey {self._key}".encode()):
                    raise ModzyError(401, "the API key is not valid")
                call = _call(request, await bodies.read(request, MAX_BYTES))
                return JSONResponse(await run_in_threadpool(handler, call))
            except bodies.TooLarge as error:
                return JSONResponse(ModzyError(413, str(error)).body, status_code=413)
            except ModzyError as error:
                return JSONResponse(error.body, status_code=error.status)

        return answer

    def _version(self, call: Call) -> dict[str, Any]:
        return {"identifier": call.parts["model"], **self._models.version(*call.version).document}

    def _progress(self, process: str, call: Call) -> dict[str, Any]:
        return self._models.progress(*call.version, process)

    def _set_sample(self, which: str, call: Call) -> dict[str, Any]:
        return self._models.set_sample(*call.version, which, call.body)

    def _test_input(self, call: Call) -> dict[str, Any]:
        return self._models.set_test_input(*call.version, call.query.get("name", ""), call.form("file"))

    def _append(self, call: Call) -> dict[str, Any]:
        return self._jobs.append(call.job, call.parts["item"], call.parts["name"], call.form("input"))

    def _listed(self, call: Call) -> list[dict[str, Any]]:
        cards = [self._models.card(identifier) for identifier in self._models.cards]
        name = call.query.get("name")
        return [
            {"modelId": card["identifier"], "versions": card["versions"], "latestVersion": card["versions"][-1]}
            for card in cards
            if name is None or name.lower() in card["name"].lower()
        ]

    def _engines(self) -> list[dict[str, Any]]:
        return [
            {
                "identifier": each.model,
                "version": each.name,
                "ready": int(bool(each.container and each.container.running)),
            }
            for each in self._models.every()
            if each.active
        ]

    def _history(self, call: Call) -> list[dict[str, Any]]:
        page, size = (call.query.get(name, default) for name, default in (("page", "1"), ("per-page", "10")))
        if not (page.isdigit() and size.isdigit() and int(page) and 0 < int(size) <= 1000):
            raise ModzyError(400, "page and per-page must be numbers from 1, per-page 1000 at most")
        return self._jobs.history(int(page), int(size))


def _call(request: Request, raw: bytes) -> Call:
    kind, body = request.headers.get("content-type", ""), None
    if raw and not kind.startswith("multipart/form-data"):
        try:
            body = bodies.parse(raw)
        except ValueError as error:
            raise ModzyError(400, f"the body is not JSON: {error}") from error
    return Call(dict(request.path_params), body, partial(_part, raw, kind), request.query_params)
