"""Hold a request to botocore's description of the API where a client does not: lengths, patterns, allowed values."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import botocore.session
from botocore.model import ListShape, MapShape, Shape, StructureShape
from moto.sagemaker.exceptions import ValidationError


@cache
def _operation(name: str) -> StructureShape:
    session = botocore.session.get_session()
    return session.get_service_model("sagemaker").operation_model(name).input_shape


def check(operation: str, request: dict[str, Any]) -> None:
    """Refuse a request with what is wrong with it, in the API's words."""
    found = [
        f"Value {value!r} at '{where}' failed to satisfy constraint: Member must {constraint}"
        for where, value, constraint in _walk(_operation(operation), request, operation)
    ]
    if found:
        raise ValidationError(f"{len(found)} validation error detected: {'; '.join(found[:5])}")


def _walk(shape: Shape, value: Any, where: str) -> Iterator[tuple[str, Any, str]]:
    if isinstance(shape, StructureShape):
        yield from _structure(shape, value, where)
    elif isinstance(shape, ListShape):
        yield from _bounds(shape, len(value), value, where)
        for number, item in enumerate(value):
            yield from _walk(shape.member, item, f"{where}.{number + 1}.member")
    elif isinstance(shape, MapShape):
        yield from _bounds(shape, len(value), value, where)
        for key, item in value.items():
            yield from _walk(shape.key, key, f"{where}.key")
            yield from _walk(shape.value, item, f"{where}.{key}")
    elif shape.type_name == "string":
        yield from _text(shape, value, where)
    elif shape.type_name in ("integer", "long") and not isinstance(value, bool):
        yield from _bounds(shape, value, value, where)


def _structure(shape: StructureShape, value: Any, where: str) -> Iterator[tuple[str, Any, str]]:
    if not isinstance(value, dict):
        yield where, value, "be a structure"
        return
    for name in shape.required_members:
        if name not in value:
            yield f"{where}.{name}", None, "not be null"
    for name, item in value.items():
        if name not in shape.members:
            yield f"{where}.{name}", item, "be one of the API's"
        else:
            yield from _walk(shape.members[name], item, f"{where}.{name}")


def _text(shape: Shape, value: Any, where: str) -> Iterator[tuple[str, Any, str]]:
    if not isinstance(value, str):
        yield where, value, "be a string"
        return
    yield from _bounds(shape, len(value), value, where)
    pattern = shape.metadata.get("pattern", "").replace(r"\p{L}\p{Z}\p{N}", r"\w\s")
    if pattern and not re.fullmatch(pattern, value, re.DOTALL):
        yield where, value, f"satisfy regular expression pattern: {pattern}"
    if (allowed := shape.metadata.get("enum")) and value not in allowed:
        yield where, value, f"satisfy enum value set: {allowed[:5]}"


def _bounds(shape: Shape, size: int, value: Any, where: str) -> Iterator[tuple[str, Any, str]]:
    if "max" in shape.metadata and size > shape.metadata["max"]:
        yield where, value, f"have length (or value) less than or equal to {shape.metadata['max']}"
    if "min" in shape.metadata and size < shape.metadata["min"]:
        yield where, value, f"have length (or value) greater than or equal to {shape.metadata['min']}"
