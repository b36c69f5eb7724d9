"""The HTTP face: paths, authentication, content types, lists, watches and subresources."""

import asyncio
import base64
import hmac
import json
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from sandbox.cluster import discovery, logs, requests, scraping, selectors, status, tables
from sandbox.cluster.node import Node
from sandbox.cluster.proxy import Proxy
from sandbox.cluster.registry import Registry
from sandbox.cluster.requests import Target
from sandbox.cluster.resources import Resource
from sandbox.cluster.status import ApiError, Object, bad_request, invalid
from sandbox.cluster.store import Change
from sandbox.cluster.timestamps import parse

_OPEN = ("/version", "/healthz", "/readyz", "/livez")
_log = logging.getLogger(__name__)
Handler = Callable[[Request, Target], Awaitable[Response]]
_FOREVER = 3600 * 24


class Api:
    """The ASGI application."""

    def __init__(self, registry: Registry, node: Node, proxy: Proxy, token: str | None) -> None:
        self._registry = registry
        self._store = registry.store
        self._node = node
        self._proxy = proxy
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; every refusal is a `Status`."""
        if not scope["path"].startswith("/"):  # by a proxy, which is this server: the whole URL (RFC 9112, 3.2.2)
            scope = {**scope, "path": urlsplit(scope["path"]).path or "/"}
        request = Request(scope, receive)
        try:
            response = await self._route(request)
        except ApiError as error:
            response = JSONResponse(error.body(), error.code)
        except Exception as error:  # noqa: BLE001  a full disk, above all
            _log.exception("%s %s failed", request.method, request.url.path)
            response = JSONResponse(ApiError(500, "InternalError", f"Internal error occurred: {error}").body(), 500)
        await response(scope, receive, send)

    def _authenticate(self, request: Request) -> None:
        """Accept the token as bearer, or as Basic password, of a proxy too: kubectl sends no token over plain HTTP."""
        given = request.headers.get("authorization") or request.headers.get("proxy-authorization", "")
        kind, _, value = given.partition(" ")
        if kind.lower() == "basic":
            try:
                value = base64.b64decode(value, validate=True).decode().partition(":")[2]
            except ValueError:
                value = ""
        elif kind.lower() != "bearer":
            value = ""
        if not hmac.compare_digest(value.strip().encode(), (self._token or "").encode()):
            raise ApiError(401, "Unauthorized", "Unauthorized")

    async def _route(self, request: Request) -> Response:
        path, method = request.url.path.rstrip("/") or "/", request.method
        if method == "CONNECT":  # the way of `exec`, `attach` and `port-forward` to the proxy; kubectl shows the status
            raise _left_out("exec, attach and port-forward")
        if self._token and path not in _OPEN:
            self._authenticate(request)
        if path in ("/healthz", "/readyz", "/livez"):
            return PlainTextResponse("ok")
        if path == scraping.PATH:
            return JSONResponse(scraping.targets(self._store))
        if path == "/openapi/v2":
            # An empty document of that protobuf type: kubectl then leaves validation to the server.
            return Response(b"", media_type="application/com.github.proto-openapi.spec.v2.v1.0+protobuf")
        if (found := discovery.document(path)) is not None:
            return JSONResponse(found)
        target = requests.parse_path(request.url.path)
        if part := requests.left_out(request.url.path):
            raise _left_out(part)
        if target is None:
            raise ApiError(404, "NotFound", "the server could not find the requested resource")
        if target.subresource == "proxy":
            keys = (target.resource.name, target.namespace, target.name, target.rest)
            return await self._proxy.handle(request, *keys)
        handler = self._handlers(target).get(method)
        if handler is None:
            raise _not_allowed()
        return await handler(request, target)

    def _handlers(self, target: Target) -> dict[str, Handler]:
        if target.subresource == "log":
            return {"GET": self._log}
        if target.subresource == "scale":
            return {"GET": self._get_scale, "PUT": self._put_scale, "PATCH": self._put_scale}
        if target.subresource:
            return {"GET": self._get, "PUT": self._put, "PATCH": self._patch}
        if target.name:
            return {"GET": self._get, "PUT": self._put, "PATCH": self._patch, "DELETE": self._delete}
        return {"GET": self._list, "POST": self._post, "DELETE": self._delete_all}

    def _key(self, target: Target) -> tuple[str, str, str]:
        return target.resource.name, target.namespace, target.name

    async def _get(self, request: Request, target: Target) -> Response:
        return self._answer(request, target.resource, self._store.get(*self._key(target)))

    async def _list(self, request: Request, target: Target) -> Response:
        query = request.query_params
        test = selectors.predicate(
            query.get("labelSelector", ""), query.get("fieldSelector", ""), target.resource.selectable
        )
        version = query.get("resourceVersion", "")
        if not version.isdigit() and version:
            raise bad_request(f"invalid resource version {version!r}")
        if query.get("watch", "").lower() in ("true", "1"):
            return self._watch(request, target, test, int(version or 0))
        if int(version or 0) > self._store.version:
            text = f"Too large resource version: {version}, current: {self._store.version}"
            raise ApiError(504, "Timeout", text)
        items = [item for item in self._store.list(target.resource.name, target.namespace) if test(item)]
        if tables.wanted(request.headers.get("accept", "")):
            return JSONResponse(tables.table(target.resource.kind, items, str(self._store.version)))
        body = {
            "kind": f"{target.resource.kind}List",
            "apiVersion": target.resource.api_version,
            "metadata": {"resourceVersion": str(self._store.version)},
            "items": items,
        }
        return JSONResponse(body)

    def _watch(self, request: Request, target: Target, test: Callable[[Object], bool], version: int) -> Response:
        try:
            seconds = int(request.query_params.get("timeoutSeconds") or _FOREVER)
        except ValueError as error:
            raise bad_request(f"timeoutSeconds: {error}") from error
        if "sendInitialEvents" in request.query_params:  # refused as by a server without it: clients then list first
            why = "Forbidden: sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled"
            raise invalid("ListOptions", "", [("sendInitialEvents", why)])
        as_table = tables.wanted(request.headers.get("accept", ""))

        def seen(kind: str, item: Object) -> bytes:
            shown = (
                tables.table(target.resource.kind, [item], item["metadata"]["resourceVersion"]) if as_table else item
            )
            return json.dumps({"type": kind, "object": shown}, separators=(",", ":")).encode() + b"\n"

        async def stream() -> AsyncIterator[bytes]:
            since, first = version, b""
            if not version:
                since = self._store.version
                items = self._store.list(target.resource.name, target.namespace)
                first = b"".join(seen("ADDED", item) for item in items if test(item))
            try:
                with self._store.follow(since) as queue:
                    yield first  # also sends the headers
                    async with asyncio.timeout(seconds):
                        while True:
                            change = await queue.get()
                            if kind := _visible(change, target, test):
                                yield seen(kind, change.item)
            except ApiError as error:
                yield json.dumps({"type": "ERROR", "object": error.body()}).encode() + b"\n"
            except TimeoutError:
                return

        return StreamingResponse(stream(), media_type="application/json")

    async def _post(self, request: Request, target: Target) -> Response:
        if target.resource.namespaced and not target.namespace:
            raise _not_allowed()
        item = await requests.body(request, target)
        name = target.resource.name
        created = self._registry.create(name, target.namespace, item, dry_run=requests.dry_run(request))
        return self._answer(request, target.resource, created, 201)

    async def _put(self, request: Request, target: Target) -> Response:
        item = await requests.body(request, target)
        dry_run = requests.dry_run(request)
        done = self._registry.replace(*self._key(target), item, subresource=target.subresource, dry_run=dry_run)
        return self._answer(request, target.resource, done)

    async def _patch(self, request: Request, target: Target) -> Response:
        apply, body = await requests.patch_body(request)
        old = self._store.get(*self._key(target))
        item = apply(old, body)
        if not isinstance(item, dict) or not isinstance(item.get("metadata"), dict):
            raise bad_request("the patch leaves no object")
        if isinstance(body, dict) and not (body.get("metadata") or {}).get("resourceVersion"):
            item["metadata"] = {**item["metadata"], "resourceVersion": ""}
        dry_run = requests.dry_run(request)
        done = self._registry.replace(*self._key(target), item, subresource=target.subresource, dry_run=dry_run)
        return self._answer(request, target.resource, done)

    async def _delete(self, request: Request, target: Target) -> Response:
        options = await requests.delete_options(request)
        item, gone = self._registry.delete(*self._key(target), options, dry_run=requests.dry_run(request))
        if gone and target.resource.kind != "Pod":
            metadata = item["metadata"]
            return JSONResponse(status.success(target.resource.name, metadata["name"], metadata["uid"]))
        return JSONResponse(item)

    async def _delete_all(self, request: Request, target: Target) -> Response:
        query, options = request.query_params, await requests.delete_options(request)
        labels, fields = query.get("labelSelector", ""), query.get("fieldSelector", "")
        test = selectors.predicate(labels, fields, target.resource.selectable)
        items = [item for item in self._store.list(target.resource.name, target.namespace) if test(item)]
        for item in items:
            keys = (target.resource.name, item["metadata"].get("namespace", ""), item["metadata"]["name"])
            self._registry.delete(*keys, options, dry_run=requests.dry_run(request))
        kind, version = f"{target.resource.kind}List", target.resource.api_version
        metadata = {"resourceVersion": str(self._store.version)}
        return JSONResponse({"kind": kind, "apiVersion": version, "metadata": metadata, "items": items})

    async def _get_scale(self, _request: Request, target: Target) -> Response:
        return JSONResponse(_scale(self._store.get(*self._key(target))))

    async def _put_scale(self, request: Request, target: Target) -> Response:
        old = self._store.get(*self._key(target))
        if request.method == "PATCH":
            apply, body = await requests.patch_body(request)
            scale = apply(_scale(old), body)
        else:
            scale = requests.decode(await requests.read(request))
        replicas = selectors.field(scale, "spec.replicas")
        metadata = {**old["metadata"], "resourceVersion": ""}
        item = old | {"metadata": metadata, "spec": old["spec"] | {"replicas": replicas}}
        return JSONResponse(_scale(self._registry.replace(*self._key(target), item, dry_run=requests.dry_run(request))))

    async def _log(self, request: Request, target: Target) -> Response:
        query = request.query_params
        pod = self._store.get(*self._key(target))
        previous = query.get("previous", "").lower() == "true"
        directory = self._node.container(pod, query.get("container"), previous=previous)
        try:
            since = parse(query["sinceTime"]) if "sinceTime" in query else None
            since = time.time() - float(query["sinceSeconds"]) if "sinceSeconds" in query else since
            window = logs.Window(
                follow=query.get("follow", "").lower() in ("true", "1"),
                timestamps=query.get("timestamps", "").lower() in ("true", "1"),
                tail=int(query["tailLines"]) if "tailLines" in query else None,
                since=since,
                limit=int(query["limitBytes"]) if "limitBytes" in query else None,
            )
        except ValueError as error:
            raise bad_request(str(error)) from error
        why = "Invalid value: must be greater than or equal to 0"
        if negative := [(key, why) for key in ("tailLines", "limitBytes") if int(query.get(key, 0)) < 0]:
            raise invalid("PodLogOptions", target.name, negative)
        return StreamingResponse(logs.read(directory, window), media_type="text/plain")

    def _answer(self, request: Request, resource: Resource, item: Object, code: int = 200) -> Response:
        if request.method == "GET" and tables.wanted(request.headers.get("accept", "")):
            return JSONResponse(tables.table(resource.kind, [item], item["metadata"]["resourceVersion"]))
        return JSONResponse(item, code)


def _left_out(what: str) -> ApiError:
    return ApiError(501, "NotImplemented", f"{what}: left out of this stand-in for Kubernetes")


def _not_allowed() -> ApiError:
    return ApiError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")


def _visible(change: Change, target: Target, test: Callable[[Object], bool]) -> str | None:
    """How a change looks to a watch: an object that begins or ceases to match is added or deleted for it."""
    if change.resource != target.resource.name:
        return None
    if target.namespace and change.item["metadata"].get("namespace") != target.namespace:
        return None
    now, before = test(change.item), change.before is not None and test(change.before)
    if change.type == "DELETED":
        return "DELETED" if before else None
    if now:
        return "MODIFIED" if before else "ADDED"
    return "DELETED" if before else None


def _scale(item: Object) -> Object:
    metadata = {
        key: item["metadata"][key] for key in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    }
    pairs = (item["spec"]["selector"].get("matchLabels") or {}).items()
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": metadata,
        "spec": {"replicas": item["spec"]["replicas"]},
        "status": {
            "replicas": (item.get("status") or {}).get("replicas", 0),
            "selector": ",".join(f"{key}={value}" for key, value in pairs),
        },
    }
