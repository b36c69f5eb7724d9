"""Errors as Argo CD's gateway tells them: a gRPC code, the HTTP status that belongs to it, one message."""

from typing import Any

INVALID_ARGUMENT = 3
NOT_FOUND = 5
PERMISSION_DENIED = 7
FAILED_PRECONDITION = 9
UNIMPLEMENTED = 12
INTERNAL = 13
UNAUTHENTICATED = 16

_HTTP = {
    INVALID_ARGUMENT: 400,
    NOT_FOUND: 404,
    PERMISSION_DENIED: 403,
    FAILED_PRECONDITION: 400,
    UNIMPLEMENTED: 501,
    INTERNAL: 500,
    UNAUTHENTICATED: 401,
}


class ArgoError(Exception):
    """An answer other than 200. `http_status` is that of the code (grpc-gateway v1.16), unless another is given."""

    def __init__(self, code: int, message: str, *, http_status: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.http_status = http_status or _HTTP[code]

    @property
    def body(self) -> dict[str, Any]:
        """The JSON body."""
        return {"error": str(self), "code": self.code, "message": str(self)}


class SourceError(Exception):
    """The Git repository, revision, path or a manifest in it cannot be used."""


class KubernetesError(Exception):
    """The cluster answered with an error Status, or not at all (`status` is None then)."""

    def __init__(self, status: int | None, message: str) -> None:
        super().__init__(message)
        self.status = status
