"""The API, as far as training uses it."""

import json
import uuid
from collections.abc import Callable, Iterable
from email.parser import BytesParser
from email.policy import HTTP
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox import bodies
from sandbox.cluster.images import Images
from sandbox.host import OwnAddress
from sandbox.kubeflow.pipelines import InvalidPipeline, parameters, read, steps
from sandbox.kubeflow.runs import Run, now

MAX_BYTES = 32 * 2**20  # as the API has it for files
PREFIX = "/apis/v2beta1"
# Fields that a client may send, of the API's description.
PIPELINE = {"name", "display_name", "description", "namespace", "tags"}
EXPERIMENT = {"display_name", "description", "namespace"}
RUN = {
    *("display_name", "description", "experiment_id", "pipeline_version_reference", "pipeline_spec"),
    *("runtime_config", "service_account"),
}
NOT_FOUND, ALREADY_EXISTS, INVALID, UNAUTHENTICATED = 5, 6, 3, 16
STATUS = {NOT_FOUND: 404, ALREADY_EXISTS: 409, INVALID: 400, UNAUTHENTICATED: 401}


class ApiError(Exception):
    """An answer of the gateway: `code` is gRPC's."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message

    @property
    def response(self) -> JSONResponse:
        """The gateway puts the text for a person into the first detail."""
        detail = {"@type": "type.googleapis.com/google.rpc.Status", "code": self.code, "message": self.message}
        body = {"code": self.code, "message": f"rpc error: code = {self.code}", "details": [detail]}
        return JSONResponse(body, status_code=STATUS[self.code])


class Api:
    """Pipelines, versions, experiments and runs, in memory.

    Args:
        state: folder for the runs' files.
        images: the file that says which environments stand for images.
        secrets: file, JSON: the namespace's Secrets, name to variables; read for each run.
        token: that clients must send.
    """

    def __init__(self, *, state: Path, images: Path, secrets: Path, token: str) -> None:
        self._state, self._images, self._secrets, self._token = state, Images(images), secrets, token
        self._pipelines: dict[str, dict[str, Any]] = {}
        self._versions: dict[str, dict[str, Any]] = {}
        self._experiments: dict[str, dict[str, Any]] = {}
        self._runs: dict[str, Run] = {}

    def app(self) -> Starlette:
        """The ASGI application."""
        routes = {
            ("GET", "/healthz"): self._health,
            ("GET", "/pipelines/names/{name}"): self._pipeline_by_name,
            ("POST", "/pipelines"): self._create_pipeline,
            ("GET", "/pipelines/{pipeline_id}/versions"): self._list_versions,
            ("POST", "/pipelines/upload_version"): self._upload_version,
            ("GET", "/experiments"): self._list_experiments,
            ("POST", "/experiments"): self._create_experiment,
            ("GET", "/runs"): self._list_runs,
            ("POST", "/runs"): self._create_run,
            ("GET", "/runs/{run_id}"): self._get_run,
            ("POST", "/runs/{run_id}:terminate"): self._terminate,
        }
        made = [Route(PREFIX + path, self._guarded(call), methods=[verb]) for (verb, path), call in routes.items()]
        made.sort(key=lambda route: not route.path.endswith(":terminate"))
        return Starlette(routes=made, middleware=[Middleware(OwnAddress)])

    def close(self) -> None:
        """End every run's processes."""
        for run in self._runs.values():
            run.kill()

    def _guarded(self, call: Callable[[Request], Any]) -> Callable[[Request], Any]:
        async def answer(request: Request) -> Response:
            try:
                if call != self._health and request.headers.get("authorization") != f"Bearer {self._token}":
                    raise ApiError(UNAUTHENTICATED, "Request header error: there is no user identity header.")
                return JSONResponse(await call(request))
            except ApiError as error:
                return error.response
            except bodies.TooLarge as error:
                return Response(str(error), status_code=413)
            except InvalidPipeline as error:
                return ApiError(INVALID, f"Invalid input error: {error}").response

        return answer

    async def _health(self, _: Request) -> dict[str, Any]:
        return {"multi_user": False, "pipeline_store": "database"}

    async def _pipeline_by_name(self, request: Request) -> dict[str, Any]:
        return _only(self._pipelines.values(), "name", request.path_params["name"])

    async def _create_pipeline(self, request: Request) -> dict[str, Any]:
        body = await _body(request, PIPELINE)
        name = body.get("name") or body.get("display_name")
        if not name:
            raise ApiError(INVALID, "Invalid input error: pipeline's name cannot be empty")
        if any(each["name"] == name for each in self._pipelines.values()):
            raise ApiError(ALREADY_EXISTS, f"Failed to create a new pipeline. The name {name} already exists")
        made = {"display_name": name, **body, "pipeline_id": str(uuid.uuid4()), "name": name, "created_at": now()}
        self._pipelines[made["pipeline_id"]] = made
        return made

    async def _list_versions(self, request: Request) -> dict[str, Any]:
        of = request.path_params["pipeline_id"]
        found = [each for each in self._versions.values() if each["pipeline_id"] == of]
        return _page(request, "pipeline_versions", found)

    async def _upload_version(self, request: Request) -> dict[str, Any]:
        try:
            return await self._take_version(request)
        except (ApiError, InvalidPipeline) as error:  # uploads have an answer of their own
            status = STATUS[error.code] if isinstance(error, ApiError) else 400
            body = {"error_message": f"Failed to create a pipeline version: {error}", "error_details": str(error)}
            raise _Upload(body, status) from error

    async def _take_version(self, request: Request) -> dict[str, Any]:
        query = request.query_params
        pipeline_id = query.get("pipelineid", "")
        if pipeline_id not in self._pipelines:
            raise ApiError(INVALID, "Please specify a pipeline id when creating versions.")
        spec, platform = read(_uploaded(request.headers.get("content-type", ""), await bodies.read(request, MAX_BYTES)))
        name = query.get("name") or "version"
        if any((each["pipeline_id"], each["name"]) == (pipeline_id, name) for each in self._versions.values()):
            raise ApiError(ALREADY_EXISTS, f"The name {name} already exists")
        made: dict[str, Any] = {
            "pipeline_id": pipeline_id,
            "pipeline_version_id": str(uuid.uuid4()),
            "name": name,
            "display_name": query.get("display_name") or name,
            "created_at": now(),
            "pipeline_spec": {"pipeline_spec": spec, "platform_spec": {"platforms": {"kubernetes": platform}}},
        }
        self._versions[made["pipeline_version_id"]] = made
        return made

    async def _list_experiments(self, request: Request) -> dict[str, Any]:
        return _page(request, "experiments", self._experiments.values())

    async def _create_experiment(self, request: Request) -> dict[str, Any]:
        body = await _body(request, EXPERIMENT)
        if any(each["display_name"] == body.get("display_name") for each in self._experiments.values()):
            raise ApiError(ALREADY_EXISTS, f"The experiment name {body['display_name']} already exists")
        made = {**body, "experiment_id": str(uuid.uuid4()), "created_at": now(), "storage_state": "AVAILABLE"}
        self._experiments[made["experiment_id"]] = made
        return made

    async def _list_runs(self, request: Request) -> dict[str, Any]:
        return _page(request, "runs", (run.document for run in self._runs.values()))

    async def _create_run(self, request: Request) -> dict[str, Any]:
        body = await _body(request, RUN)
        if not body.get("display_name"):
            raise ApiError(INVALID, "Invalid input error: the run's display name is empty")
        if body.get("experiment_id") not in self._experiments:
            raise ApiError(NOT_FOUND, f"Experiment {body.get('experiment_id')} not found")
        version = self._versions.get((body.get("pipeline_version_reference") or {}).get("pipeline_version_id", ""))
        if version is None:
            raise ApiError(NOT_FOUND, "PipelineVersion not found")
        spec = version["pipeline_spec"]["pipeline_spec"]
        platform = version["pipeline_spec"]["platform_spec"]["platforms"]["kubernetes"]
        values = parameters(spec, (body.get("runtime_config") or {}).get("parameters") or {})
        run_id = str(uuid.uuid4())
        run = Run(
            {**body, "run_id": run_id, "storage_state": "AVAILABLE"},
            steps=steps(spec, platform, values),
            place=self._state / run_id,
            images=self._images,
            secrets=json.loads(self._secrets.read_text()),
        )
        self._runs[run_id] = run
        return run.document

    async def _get_run(self, request: Request) -> dict[str, Any]:
        return self._run(request).document

    async def _terminate(self, request: Request) -> dict[str, Any]:
        run = self._run(request)
        if run.ended:
            raise ApiError(INVALID, f"Failed to terminate the run {run.document['run_id']}: it has finished")
        await run.terminate()
        return {}

    def _run(self, request: Request) -> Run:
        if (found := self._runs.get(request.path_params["run_id"])) is None:
            raise ApiError(NOT_FOUND, f"Run {request.path_params['run_id']} not found")
        return found


class _Upload(ApiError):
    """The answer of an upload endpoint that failed."""

    def __init__(self, body: dict[str, Any], status: int) -> None:
        super().__init__(INVALID, body["error_message"])
        self._answer = JSONResponse(body, status_code=status)

    @property
    def response(self) -> JSONResponse:
        return self._answer


def _only(found: Iterable[dict[str, Any]], key: str, value: str) -> dict[str, Any]:
    for each in found:
        if each[key] == value:
            return each
    raise ApiError(NOT_FOUND, f"{value} not found")


async def _body(request: Request, fields: set[str]) -> dict[str, Any]:
    try:
        body = bodies.parse(await bodies.read(request, MAX_BYTES))
    except ValueError as error:
        raise ApiError(INVALID, f"proto: syntax error: {error}") from error
    if not isinstance(body, dict):
        raise ApiError(INVALID, "proto: syntax error: unexpected token")
    if unknown := sorted({*body} - fields):
        raise ApiError(INVALID, f'proto: (line 1:1): unknown field "{unknown[0]}"')
    return body


def _uploaded(content_type: str, body: bytes) -> str:
    """The file of a multipart form."""
    form = BytesParser(policy=HTTP).parsebytes(f"Content-Type: {content_type}\r\n\r\n".encode() + body)
    for part in form.iter_parts():
        if part.get_param("name", header="content-disposition") == "uploadfile":
            return bytes(part.get_payload(decode=True)).decode()
    raise ApiError(INVALID, "Failed to read pipeline spec file: no uploadfile")


def _page(request: Request, key: str, found: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """One page of a list, by `filter`, `page_size` and `page_token`."""
    query = request.query_params
    matching = [each for each in found if all(_matches(each, one) for one in _predicates(query.get("filter", "")))]
    size, start = int(query.get("page_size") or 10), int(query.get("page_token") or 0)
    answer: dict[str, Any] = {key: matching[start : start + size], "total_size": len(matching)}
    return answer | ({"next_page_token": str(start + size)} if start + size < len(matching) else {})


def _predicates(text: str) -> list[dict[str, Any]]:
    if not text:
        return []
    try:
        found: list[dict[str, Any]] = bodies.parse(text.encode())["predicates"]
    except (ValueError, LookupError, TypeError) as error:
        raise ApiError(INVALID, f"Failed to create a filter: {error}") from error
    for each in found:
        if each.get("key") not in ("name", "display_name") or each.get("operation") not in ("EQUALS", "IS_SUBSTRING"):
            raise ApiError(INVALID, f"Failed to create a filter: left out here: {each}")
    return found


def _matches(each: dict[str, Any], predicate: dict[str, Any]) -> bool:
    value, wanted = str(each.get(predicate["key"], "")), predicate["stringValue"]
    return value == wanted if predicate["operation"] == "EQUALS" else wanted in value
