"""Errors of the API as `Status` bodies, worded as the Kubernetes API server words them."""

from typing import Any

Object = dict[str, Any]


class ApiError(Exception):
    """A request that ends with a `Status` of kind Failure."""

    def __init__(self, code: int, reason: str, message: str, details: Object | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details

    def body(self) -> Object:
        """The `Status` object."""
        status: Object = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "code": self.code,
        }
        if self.details:
            status["details"] = self.details
        return status


def success(kind: str, name: str, uid: str) -> Object:
    """The `Status` that answers a finished delete."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {"name": name, "kind": kind, "uid": uid},
    }


def bad_request(message: str) -> ApiError:
    """The request itself is malformed."""
    return ApiError(400, "BadRequest", message)


def not_found(resource: str, name: str) -> ApiError:
    """There is no such object."""
    return ApiError(404, "NotFound", f'{resource} "{name}" not found', {"name": name, "kind": resource})


def already_exists(resource: str, name: str) -> ApiError:
    """The name is taken."""
    return ApiError(409, "AlreadyExists", f'{resource} "{name}" already exists', {"name": name, "kind": resource})


def conflict(resource: str, name: str, why: str | None = None) -> ApiError:
    """The object changed since the caller read it."""
    why = why or "the object has been modified; please apply your changes to the latest version and try again"
    message = f'Operation cannot be fulfilled on {resource} "{name}": {why}'
    return ApiError(409, "Conflict", message, {"name": name, "kind": resource})


def forbidden(resource: str, name: str, why: str) -> ApiError:
    """Admission refuses the object."""
    return ApiError(403, "Forbidden", f'{resource} "{name}" is forbidden: {why}', {"name": name, "kind": resource})


def invalid(kind: str, name: str, causes: list[tuple[str, str]]) -> ApiError:
    """The object breaks rules; `causes` are pairs of field and message."""
    text = ", ".join(f"{field}: {message}" for field, message in causes)
    if len(causes) > 1:
        text = f"[{text}]"
    details = {
        "name": name,
        "kind": kind,
        "causes": [{"reason": "FieldValueInvalid", "message": message, "field": field} for field, message in causes],
    }
    return ApiError(422, "Invalid", f'{kind} "{name}" is invalid: {text}', details)


def expired(version: int, oldest: int) -> ApiError:
    """The history no longer reaches back to that resourceVersion."""
    return ApiError(410, "Expired", f"too old resource version: {version} ({oldest})")
