"""The `proxy` subresource: HTTP to a ready pod of a Service, or to one pod, through the API."""

from collections.abc import AsyncIterator

import httpx
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from sandbox.cluster.forwarder import Backend
from sandbox.cluster.ports import HOST, real_port
from sandbox.cluster.requests import read
from sandbox.cluster.services import backends
from sandbox.cluster.status import ApiError, bad_request, not_found
from sandbox.cluster.store import Store

_HOP = {
    "host",
    "authorization",
    "connection",
    "keep-alive",
    "transfer-encoding",
    "upgrade",
    "te",
    "trailer",
    "content-length",
}


class Proxy:
    """Forwards requests; the caller's token is not passed on."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._client = httpx.AsyncClient(trust_env=False, timeout=httpx.Timeout(60.0, connect=5.0))
        self._turn = 0

    async def close(self) -> None:
        """Close the connections to the pods."""
        await self._client.aclose()

    async def handle(self, request: Request, resource: str, namespace: str, name: str, path: str) -> Response:
        """Send the request to `name`, which may be `[scheme:]name[:port]`, and stream the answer.

        Raises:
            ApiError: 404, 400 for an unknown port, 503 when nobody is ready or answers.
        """
        parts = name.split(":")
        parts = parts[1:] if len(parts) == 3 else parts
        key, port = parts[0], parts[1] if len(parts) > 1 else ""
        find = self._service if resource == "services" else self._pod
        body = await read(request)
        headers = [(item, value) for item, value in request.headers.items() if item not in _HOP]
        query = request.url.query.encode() or None
        error: Exception | None = None
        for host, number in find(namespace, key, port):
            url = httpx.URL(scheme="http", host=host, port=number, path="/" + path, query=query)
            outgoing = self._client.build_request(request.method, url, headers=headers, content=body)
            try:
                answer = await self._client.send(outgoing, stream=True)
            except httpx.ConnectError as failure:
                error = failure
                continue
            except httpx.HTTPError as failure:
                raise ApiError(503, "ServiceUnavailable", f"error trying to reach service: {failure!r}") from failure
            kept = {item: value for item, value in answer.headers.items() if item not in _HOP}
            return StreamingResponse(_stream(answer), answer.status_code, kept)
        why = f"error trying to reach service: {error}" if error else f'no endpoints available for service "{key}"'
        raise ApiError(503, "ServiceUnavailable", why)

    def _service(self, namespace: str, name: str, port: str) -> list[Backend]:
        service = self._store.get("services", namespace, name)
        ports = service["spec"].get("ports") or []
        match = [
            entry
            for entry in ports
            if port in (entry.get("name"), str(entry["port"])) or (not port and len(ports) == 1)
        ]
        if not match:
            raise bad_request(f'no service port "{port}" found for service "{name}"')
        targets = backends(self._store.find("endpoints", namespace, name), match[0].get("name") or "")
        self._turn += 1
        start = self._turn % len(targets) if targets else 0
        return targets[start:] + targets[:start]

    def _pod(self, namespace: str, name: str, port: str) -> list[Backend]:
        pod = self._store.get("pods", namespace, name)
        declared = [entry for container in pod["spec"]["containers"] for entry in container.get("ports") or ()]
        if not port and not declared:
            raise not_found("pods", f"{name}:80")
        number = real_port(pod, port or declared[0]["containerPort"])
        return [] if number is None else [(HOST, number)]


async def _stream(answer: httpx.Response) -> AsyncIterator[bytes]:
    try:
        async for chunk in answer.aiter_raw():
            yield chunk
    finally:
        await answer.aclose()
