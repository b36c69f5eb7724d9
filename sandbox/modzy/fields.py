"""What requests must hold: a field that is missing, unknown or of another type is refused by name."""

import re
from collections.abc import Mapping
from typing import Any

from sandbox.modzy.errors import ModzyError

Shape = Mapping[str, Any]  # field -> type, a Shape, [Shape] for a list of such; a `?` after the name: may be missing
VERSION = re.compile(r"\d+\.\d+\.\d+")

_INPUT = {"name": str, "acceptedMediaTypes": str, "maximumSize": int, "description": str}
_OUTPUT = {"name": str, "mediaType": str, "maximumSize": int, "description": str}
MODEL = {"name": str, "version": str}
CARD = {"description": str, "tags?": list}
IMAGE = {"registry": {"url": str, "username?": str, "password?": str}}
DETAILS = {
    "requirement?": {"requirementId": int},
    "timeout?": {"run": int, "status": int},
    "inputs?": [_INPUT],
    "outputs?": [_OUTPUT],
    "statistics?": list,
    "processing?": {"minimumParallelCapacity": int, "maximumParallelCapacity": int},
    "longDescription?": str,
    "technicalDetails?": str,
    "performanceSummary?": str,
    "status?": str,
}
JOB = {"model": {"identifier": str, "version": str}, "explain?": bool, "timeout?": int, "input?": dict}
INPUT = {"type": str, "sources": dict}


def check(body: Any, shape: Shape, at: str = "body") -> dict[str, Any]:
    """The body, if it has the shape.

    Raises:
        ModzyError: 400.
    """
    if not isinstance(body, dict):
        raise ModzyError(400, f"{at} must be an object")
    known = {name.removesuffix("?"): want for name, want in shape.items()}
    if missing := [name for name in shape if not name.endswith("?") and name not in body]:
        raise ModzyError(400, f"{at} lacks {', '.join(missing)}")
    if unknown := body.keys() - known.keys():
        raise ModzyError(400, f"{at} has unknown fields: {', '.join(sorted(unknown)[:5])}")
    for name, value in body.items():
        _check_value(value, known[name], f"{at}.{name}")
    return body


def _check_value(value: Any, want: Any, at: str) -> None:
    if isinstance(want, dict):
        check(value, want, at)
    elif isinstance(want, list):
        if not isinstance(value, list) or not value:
            raise ModzyError(400, f"{at} must be a list, not empty")
        for place, each in enumerate(value):
            check(each, want[0], f"{at}[{place}]")
    elif not isinstance(value, want) or (want is int and isinstance(value, bool)):
        raise ModzyError(400, f"{at} must be of type {want.__name__}")


def version(text: str) -> str:
    """A version's name.

    Raises:
        ModzyError: 400.
    """
    if not VERSION.fullmatch(text):
        raise ModzyError(400, f"version {text[:40]!r} is not <major>.<minor>.<patch>")
    return text
