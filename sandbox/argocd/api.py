"""The REST API as Argo CD v3.5's gateway serves it."""

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import (
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Route

from sandbox.argocd import bodies, comparison, page, pod_logs, selection, stream
from sandbox.argocd.accounts import ISSUER, Accounts
from sandbox.argocd.applications import Applications
from sandbox.argocd.controller import Controller
from sandbox.argocd.errors import INTERNAL, INVALID_ARGUMENT, NOT_FOUND, ArgoError, SourceError
from sandbox.argocd.source import Sources
from sandbox.argocd.store import Store
from sandbox.bodies import parse
from sandbox.host import OwnAddress

VERSION = "v3.5.1+standin"
REFRESH_SECONDS = 60.0
LOGGED_PODS = 5  # on a page

Body = dict[str, Any]


class Api:
    """The routes over the parts of the server."""

    def __init__(self, *, store: Store, sources: Sources, controller: Controller, accounts: Accounts) -> None:
        self._store, self._sources, self._controller, self._accounts = store, sources, controller, accounts
        self._applications = Applications(store=store, sources=sources, controller=controller)

    def app(self) -> Starlette:
        """The ASGI application."""
        one, get, post = "/api/v1/applications/{name}", ["GET"], ["POST"]
        routes = [
            Route("/api/version", self._open(lambda _: {"Version": VERSION}), methods=get),
            Route("/api/v1/session", self._open(self._login, bodies.SESSION), methods=post),
            Route("/api/v1/session", self._open(lambda _: {}), methods=["DELETE"]),
            Route("/api/v1/session/userinfo", self._open(self._userinfo), methods=get),
            Route("/api/v1/account/{name}/token", self._closed(self._token, bodies.TOKEN), methods=post),
            Route("/api/v1/applications", self._closed(self._list), methods=get),
            Route("/api/v1/applications", self._closed(self._create, bodies.APPLICATION), methods=post),
            Route(one, self._closed(self._get), methods=get),
            Route(one, self._closed(self._patch, bodies.PATCH), methods=["PATCH"]),
            Route(one, self._closed(self._delete), methods=["DELETE"]),
            Route(f"{one}/spec", self._closed(self._set_spec, bodies.SPEC), methods=["PUT"]),
            Route(f"{one}/sync", self._closed(self._sync, bodies.SYNC), methods=post),
            Route(f"{one}/rollback", self._closed(self._rollback, bodies.ROLLBACK), methods=post),
            Route(f"{one}/operation", self._closed(self._terminate), methods=["DELETE"]),
            Route(f"{one}/resource-tree", self._closed(self._tree), methods=get),
            Route(f"{one}/pods/{{pod}}/logs", self._logs, methods=get),
            Route(f"{one}/syncwindows", self._closed(self._windows), methods=get),
            Route(f"{one}/revisions/{{revision}}/metadata", self._closed(self._metadata), methods=get),
            Route("/api/v1/stream/applications", self._stream, methods=get),
            Route("/", lambda _: RedirectResponse("/applications"), methods=get),
            Route("/applications", self._shown(self._pages), methods=get),
            Route("/applications/{namespace}/{name}", self._shown(self._page), methods=get),
        ]
        middleware = [Middleware(OwnAddress)]
        handlers = {ArgoError: _argo_error, HTTPException: _http_error}
        return Starlette(routes=routes, middleware=middleware, exception_handlers=handlers)  # type: ignore[arg-type]

    def _open(self, handle: Callable[["Call"], Any], of: type[BaseModel] = bodies.ANY) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> Response:
            # "application/json; charset=utf-8" is refused too, and so is a DELETE without the header.
            if request.method not in ("GET", "HEAD") and request.headers.get("content-type") != "application/json":
                return PlainTextResponse("Invalid content type", status_code=415)
            call = await Call.of(request)
            bodies.check(call.body, of)
            return JSONResponse(await run_in_threadpool(handle, call))

        return endpoint

    def _closed(self, handle: Callable[["Call"], Any], of: type[BaseModel] = bodies.ANY) -> Callable[[Request], Any]:
        def checked(call: "Call") -> Any:
            call.user = self._accounts.user(call.authorization)
            return handle(call)

        return self._open(checked, of)

    def _login(self, call: "Call") -> Body:
        body = call.body
        return {"token": self._accounts.login(str(body.get("username", "")), str(body.get("password", "")))}

    def _userinfo(self, call: "Call") -> Body:
        try:
            return {"loggedIn": True, "username": self._accounts.user(call.authorization), "iss": ISSUER}
        except ArgoError:
            return {}

    def _token(self, call: "Call") -> Body:
        token_id, seconds = str(call.body.get("id") or ""), int(call.body.get("expiresIn") or 0)
        return {"token": self._accounts.issue(call.name, token_id=token_id, seconds=seconds)}

    def _list(self, call: "Call") -> Any:
        items = [app for app in self._store.all() if selection.shown(app, call.query)]
        return selection.fields({"items": items or None, "metadata": {}}, call.fields)

    def _create(self, call: "Call") -> Any:
        return self._applications.create(
            call.body, upsert=call.flag("upsert", default=False), validate=call.flag("validate", default=True)
        )

    def _get(self, call: "Call") -> Any:
        app = self._applications.get(call.name, call.project)
        if refresh := call.query.get("refresh"):
            hard = refresh == "hard"
            app = self._controller.refresh(call.name, hard=hard, seconds=REFRESH_SECONDS) or app
        return selection.fields(app, call.fields)

    def _patch(self, call: "Call") -> Any:
        return self._applications.patch(call.name, call.body)

    def _delete(self, call: "Call") -> Body:
        cascade = call.flag("cascade", default=True) and call.query.get("propagationPolicy") != "orphan"
        self._applications.delete(call.name, call.project, cascade=cascade)
        return {}

    def _set_spec(self, call: "Call") -> Any:
        validate = call.flag("validate", default=True)
        return self._applications.set_spec(call.name, call.project, call.body, validate=validate)["spec"]

    def _sync(self, call: "Call") -> Any:
        return self._applications.sync(call.name, call.body, user=call.user)

    def _rollback(self, call: "Call") -> Any:
        return self._applications.rollback(call.name, call.body, user=call.user)

    def _terminate(self, call: "Call") -> Body:
        self._applications.terminate(call.name, call.project)
        return {}

    def _tree(self, call: "Call") -> Body:
        app = self._applications.get(call.name, call.project)
        return {"nodes": comparison.tree(app, self._controller.live(app))}

    def _windows(self, call: "Call") -> Body:
        self._applications.get(call.name, call.project)
        return {"canSync": True}

    def _metadata(self, call: "Call") -> Body:
        app = self._applications.get(call.name, call.project)
        try:
            return self._sources.metadata(app["spec"]["source"]["repoURL"], call.path["revision"])
        except SourceError as error:
            raise ArgoError(INTERNAL, str(error)) from error

    async def _stream(self, request: Request) -> Response:
        self._accounts.user(request.headers.get("authorization"))
        call = await Call.of(request)
        if not (since := call.query.get("resourceVersion") or "0").isdecimal():
            raise ArgoError(INVALID_ARGUMENT, f"resourceVersion {since[:100]!r} is no number")
        events = request.headers.get("accept") == "text/event-stream"
        kind = "text/event-stream" if events else "application/json"
        content = stream.body(self._store, call.query, events=events, paths=call.fields)
        return StreamingResponse(content, media_type=kind)

    async def _logs(self, request: Request) -> Response:
        self._accounts.user(request.headers.get("authorization"))
        call = await Call.of(request)

        def read() -> str:
            nodes = self._tree(call)["nodes"]
            pod = pod_logs.find(nodes, call.path["pod"], call.query.get("namespace", ""))
            app = self._applications.get(call.name, call.project)
            text = self._controller.read_log(app, pod["namespace"], pod["name"], **pod_logs.asked(call.query))
            return "".join(pod_logs.entries(pod["name"], text))

        return Response(await run_in_threadpool(read), media_type="application/json")

    def _shown(self, show: Callable[[Request], Response]) -> Callable[[Request], Response]:
        """A page behind the login, which the browser asks for."""

        def endpoint(request: Request) -> Response:
            try:
                self._accounts.check_basic(request.headers.get("authorization"))
            except ArgoError as error:
                headers = {"WWW-Authenticate": 'Basic realm="Argo CD stand-in", charset="UTF-8"'}
                return PlainTextResponse(str(error), status_code=error.http_status, headers=headers)
            return show(request)

        return endpoint

    def _pages(self, request: Request) -> Response:  # noqa: ARG002 (Starlette passes it)
        return HTMLResponse(page.applications(self._store.all()))

    def _page(self, request: Request) -> Response:
        app = self._store.get(request.path_params["name"])
        if app is None:
            return HTMLResponse("no such application", status_code=404)
        nodes = comparison.tree(app, self._controller.live(app))
        pods = [node for node in nodes if node["kind"] == "Pod"][:LOGGED_PODS]
        logs = {pod["name"]: self._controller.log(app, pod["namespace"], pod["name"]) for pod in pods}
        commit, diff = self._synced(app)
        return HTMLResponse(page.application(app, nodes, commit=commit, diff=diff, logs=logs))

    def _synced(self, app: Body) -> tuple[Body, str]:
        """The commit that was deployed last, and what it changed."""
        history = app.get("status", {}).get("history") or []
        if not history:
            return {}, ""
        source, commit = history[-1]["source"], history[-1]["revision"]
        try:
            return self._sources.metadata(source["repoURL"], commit), self._sources.diff(
                source["repoURL"], commit, source["path"]
            )
        except SourceError as error:
            return {"message": f"cannot be read: {error}"}, ""


class Call:
    """What a handler needs of a request."""

    def __init__(self, request: Request, body: Any) -> None:
        self.body: Any = body
        self.path = request.path_params
        self.authorization = request.headers.get("authorization")
        self.query: dict[str, Any] = dict(request.query_params)
        # `project` is the old name of `projects`
        projects = [*request.query_params.getlist("projects"), *request.query_params.getlist("project")]
        self.query["projects"] = projects
        self.fields = [path for path in self.query.get("fields", "").split(",") if path]
        self.user = ""

    @classmethod
    async def of(cls, request: Request) -> "Call":
        """Read the body. Raises ArgoError 413 if it is too large, 400 if it is no JSON object."""
        raw = await bodies.read(request)
        try:
            body = parse(raw) if raw else {}
        except ValueError as error:
            raise ArgoError(INVALID_ARGUMENT, str(error)) from error
        if not isinstance(body, dict):
            raise ArgoError(INVALID_ARGUMENT, "json: cannot unmarshal the body into an object")
        return cls(request, body)

    @property
    def name(self) -> str:
        """The application (or account) of the path."""
        return str(self.path["name"])

    @property
    def project(self) -> str | None:
        """The project of the query."""
        return self.query.get("project")

    def flag(self, name: str, *, default: bool) -> bool:
        """A boolean of the query."""
        value = self.query.get(name)
        return default if value is None else value.lower() in ("true", "1")


async def _argo_error(_: Request, error: ArgoError) -> Response:
    return JSONResponse(error.body, status_code=error.http_status)


async def _http_error(_: Request, error: HTTPException) -> Response:
    not_found = ArgoError(NOT_FOUND, "Not Found")
    if error.status_code == 405:  # the gateway knows no other answer for a path without that method
        return JSONResponse(
            {**not_found.body, "code": 12, "error": "Method Not Allowed", "message": "Method Not Allowed"}, 501
        )
    return JSONResponse(not_found.body, status_code=404)
