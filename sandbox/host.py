"""The Host header: a page of another site must not reach a stand-in by a name of its own (DNS rebinding)."""

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send


class OwnAddress:
    """ASGI middleware: 421 unless a request names 127.0.0.1 or localhost with the port that it came in by."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http":
            port = scope["server"][1]
            own = {f"{name}:{port}" for name in ("127.0.0.1", "localhost")}
            if Headers(scope=scope).get("host", "").lower() not in own:
                message = f"this server answers to 127.0.0.1:{port} and localhost:{port}, to no other Host"
                await JSONResponse({"error": message, "message": message}, status_code=421)(scope, receive, send)
                return
        await self._app(scope, receive, send)
