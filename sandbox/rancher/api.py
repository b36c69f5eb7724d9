"""Rancher's API: logins, clusters, tokens, kubeconfigs of both generations, and the proxy."""

import json
from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from sandbox import bodies
from sandbox.rancher.members import ACTIVE, Member
from sandbox.rancher.tokens import LONGEST_SECONDS, Token, Tokens

SESSION_SECONDS = 960 * 60  # auth-user-session-ttl-minutes: what a login asks for does not count
KUBECONFIG_SECONDS = 30 * 86_400
MAX_BYTES = 2**20
EXT = "/apis/ext.cattle.io/v1/"


class Refused(Exception):
    """An answer other than 2xx, in norman's words or, under /apis, as a Status."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code

    def response(self, path: str) -> Response:
        """The answer."""
        if path.startswith("/apis/"):
            body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": self.status}
            return JSONResponse(body | {"reason": self.code, "message": str(self)}, self.status)
        body = {"type": "error", "baseType": "error", "status": self.status, "code": self.code, "message": str(self)}
        return JSONResponse(body, self.status)


class Api:
    """The ASGI application.

    Args:
        members: the clusters.
        tokens: of the one user.
        password: of the user `admin`.
        url: base URL of this server.
        old: answer as before 2.12: the new paths are not there.
    """

    def __init__(self, *, members: Sequence[Member], tokens: Tokens, password: str, url: str, old: bool) -> None:
        self._members = {each.id: each for each in members}
        self._tokens, self._password, self._url, self._old = tokens, password, url, old
        self._kubeconfigs: dict[str, str] = {}  # name -> its token's

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or start and stop the clusters with the server."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        request = Request(scope, receive)
        try:
            if request.url.path == "/readyz":
                response: Response = PlainTextResponse("ok")
            elif request.url.path.startswith("/k8s/clusters/"):
                await self._proxy(request, scope, receive, send)
                return
            else:
                response = await self._answer(request)
        except Refused as refused:
            response = refused.response(request.url.path)
        await response(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        for member in self._members.values():
            await member.cluster.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        for member in self._members.values():
            await member.cluster.stop()
        await send({"type": "lifespan.shutdown.complete"})

    async def _proxy(self, request: Request, scope: Scope, receive: Receive, send: Send) -> None:
        token, name = self._authenticated(request), request.url.path.split("/")[3]
        if name not in self._members or token.cluster not in ("", name):
            raise Refused(403, "Forbidden", f"clusters.management.cattle.io {name} is forbidden")
        member = self._members[name]
        if member.state == ACTIVE:
            await member.pass_on(scope, receive, send)
            return
        # Written by Rancher's proxy itself, before its content type: no Status, and of capital keys.
        code = {"Code": "ClusterUnavailable", "Status": 503}
        body = {"Code": code, "Message": "cluster agent disconnected", "Cause": None, "FieldName": ""}
        await PlainTextResponse(json.dumps(body), 503)(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        path, method = request.url.path, request.method
        body = await _body(request)
        if (method, path) == ("POST", "/v1-public/login") and not self._old:
            return self._log_in(body)
        if (method, path) == ("POST", "/v3-public/localProviders/local"):
            return self._log_in(body)
        if path.startswith("/v1-public/"):
            raise Refused(404, "NotFound", f"{path} not found")
        self._authenticated(request)
        if path.startswith(EXT) and not self._old:
            kind, _, name = path.removeprefix(EXT).partition("/")
            return self._ext(method, kind, name, body)
        return self._norman(request, path, body)

    def _norman(self, request: Request, path: str, body: Any) -> Response:
        method = request.method
        if path == "/v3/tokens" and method == "POST":
            return self._token(body)
        if path.startswith("/v3/tokens/") and method == "DELETE":
            return self._revoked(path.rpartition("/")[2])
        if path == "/v3/clusters" and method == "GET":
            wanted = request.query_params.get("name")
            found = [each.document(self._url) for each in self._members.values() if wanted in (None, each.name)]
            return JSONResponse({"type": "collection", "data": found, "pagination": {"limit": 1000}})
        if path.startswith("/v3/clusters/"):
            return self._cluster(method, self._member(path.rpartition("/")[2]), request.query_params.get("action"))
        raise Refused(404, "NotFound", f"{path} not found")

    def _cluster(self, method: str, member: Member, action: str | None) -> Response:
        if method == "GET":
            return JSONResponse(member.document(self._url))
        if action != "generateKubeconfig":
            raise Refused(404, "ActionNotAvailable", "action not available")
        token = self._tokens.make("kubeconfig-u-", seconds=KUBECONFIG_SECONDS, cluster=member.id)
        return JSONResponse({"config": member.kubeconfig(self._url, token), "type": "generateKubeconfigOutput"})

    def _authenticated(self, request: Request) -> Token:
        kind, _, value = request.headers.get("authorization", "").partition(" ")
        found = self._tokens.find(value.removeprefix("ext/")) if kind == "Bearer" else None
        if found is None:
            raise Refused(401, "Unauthorized", "must authenticate")
        return found

    def _log_in(self, body: Any) -> Response:
        if (body.get("username"), body.get("password")) != ("admin", self._password):
            raise Refused(401, "Unauthorized", "authentication failed")
        token = self._tokens.make("token-", seconds=SESSION_SECONDS)
        return JSONResponse({"token": token, "id": token.partition(":")[0], "type": "token", "baseType": "token"}, 201)

    def _token(self, body: Any) -> Response:
        cluster = str(body.get("clusterId") or "")
        if cluster:
            self._member(cluster)
        token = self._tokens.make("token-", seconds=_seconds(body.get("ttl", 0), per_second=1000), cluster=cluster)
        return JSONResponse({"type": "token", "id": token.partition(":")[0], "token": token}, 201)

    def _ext(self, method: str, kind: str, name: str, body: Any) -> Response:
        spec = body.get("spec") or {}
        if not isinstance(spec, dict):
            raise Refused(400, "BadRequest", "spec is no object")
        if kind == "tokens" and method == "POST":
            cluster = str(spec.get("clusterName") or "")
            token = self._tokens.make("token-", seconds=_seconds(spec.get("ttl", 0), per_second=1000), cluster=cluster)
            metadata, status = {"name": token.partition(":")[0]}, {"bearerToken": f"ext/{token}"}
            return JSONResponse({"kind": "Token", "metadata": metadata, "status": status}, 201)
        if kind == "kubeconfigs" and method == "POST":
            return self._kubeconfig(spec)
        if kind in ("tokens", "kubeconfigs") and method == "DELETE":
            return self._revoked(self._kubeconfigs.pop(name, name))
        raise Refused(404, "NotFound", "the server could not find the requested resource")

    def _kubeconfig(self, spec: dict[str, Any]) -> Response:
        names = spec.get("clusters")
        if not isinstance(names, list) or len(names) != 1 or str(names[0]) not in self._members:
            raise Refused(400, "BadRequest", "spec.clusters: say one cluster that there is (more are left out here)")
        member = self._members[str(names[0])]
        token = self._tokens.make("kubeconfig-", seconds=_seconds(spec.get("ttl", 0), per_second=1), cluster=member.id)
        name = f"kubeconfig-{len(self._kubeconfigs):05d}"
        self._kubeconfigs[name] = token.partition(":")[0]
        status = {
            "value": member.kubeconfig(self._url, token),
            "summary": "Complete",
            "tokens": [self._kubeconfigs[name]],
        }
        return JSONResponse({"kind": "Kubeconfig", "metadata": {"name": name}, "status": status}, 201)

    def _revoked(self, name: str) -> Response:
        if not self._tokens.revoke(name):
            raise Refused(404, "NotFound", f"token {name} not found")
        return JSONResponse({})

    def _member(self, name: str) -> Member:
        if name not in self._members:
            raise Refused(404, "NotFound", f"cluster {name} not found")
        return self._members[name]


async def _body(request: Request) -> dict[str, Any]:
    try:
        raw = await bodies.read(request, MAX_BYTES)
        body = bodies.parse(raw) if raw else {}
    except bodies.TooLarge as error:
        raise Refused(413, "RequestEntityTooLarge", str(error)) from error
    except ValueError as error:
        raise Refused(400, "InvalidBodyContent", str(error)) from error
    if not isinstance(body, dict):
        raise Refused(400, "InvalidBodyContent", "the body is no object")
    return body


def _seconds(said: Any, *, per_second: int) -> float:
    """A time to live, 0 for the longest; the generations and kinds count in seconds or milliseconds."""
    if not isinstance(said, int) or said < 0 or said / per_second > LONGEST_SECONDS:
        raise Refused(400, "BadRequest", f"ttl must be a whole number from 0 to {LONGEST_SECONDS * per_second}")
    return said / per_second
