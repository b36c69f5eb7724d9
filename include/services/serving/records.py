"""Plain JSON records: what a caller sends to the use case's own `Request`."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import orjson
from pydantic import BaseModel, FailFast, Field, ValidationError, create_model

from include.foundation.errors import InvalidInput
from include.foundation.http.body import parse
from include.foundation.http.refusal import Fault, Refusal, json_path

SHOWN = 20  # faults that one answer names
FIELDS = 1000  # that an object may have
_Path = tuple[str | int, ...]
_NUMBER = re.compile(r"[-+]?[\d.]+")


@dataclass(frozen=True)
class Records:
    """The records of one request; `single` when the caller sent one record and not a list."""

    requests: list[BaseModel]
    single: bool


class RecordReader:
    """Reads bodies `{"records": [...]}` or one bare record, each record being a `request_type`.

    Strictly, whatever the model's own mode: a number is no text and no truth value, a moment is a text of ISO 8601.
    """

    def __init__(self, request_type: type[BaseModel]) -> None:
        # Up to the first record at fault: a body has room for millions of faults, at a kilobyte each.
        records: Any = (Annotated[list[request_type], Field(min_length=1), FailFast()], ...)  # type: ignore[valid-type]
        self._many: type[Any] = create_model("Records", records=records)
        self._one = request_type
        fields = request_type.model_json_schema().get("properties", {})
        self._moments = [name for name, field in fields.items() if _is_moment(field)]

    def read(self, body: bytes) -> Records:
        """Check a body.

        Raises:
            Refusal: 400 when it is no JSON object, 422 naming each field at fault of the first record that is.
        """
        payload = parse(body)
        if not isinstance(payload, dict):
            raise Refusal(400, 'the body must be a JSON object: a record, or {"records": [...]}')
        # Each unknown field is a fault of its own. Fewer bytes have no room for so many.
        if len(body) > 6 * FIELDS and (path := next(_crowded(payload), None)) is not None:
            raise Refusal.at(422, json_path(path) or "the record", f"must not have more than {FIELDS} fields")
        single = "records" not in payload
        try:
            # In JSON mode a date is a string also where the model is strict, hence from the bytes.
            one = self._one.model_validate_json
            checked = [one(body, strict=True)] if single else self._many.model_validate_json(body, strict=True).records
        except ValidationError as error:
            raise _refusal(error) from None
        self._check_moments([payload] if single else payload["records"], single)
        # PostgreSQL has no such text, so no key of history can hold it.
        if b"\\u0000" in body and (path := next(_nul(payload), None)):
            raise Refusal.at(422, json_path(path), "must not hold the character NUL")
        return Records(checked, single)

    def _check_moments(self, payloads: list[Any], single: bool) -> None:
        """Pydantic takes a number in quotes for seconds since 1970, in strict mode too."""
        for name in self._moments:
            for place, payload in enumerate(payloads):
                if _NUMBER.fullmatch(payload.get(name) or ""):
                    path = json_path((name,) if single else ("records", place, name))
                    raise Refusal.at(422, path, "must be a date or date-time of ISO 8601, not a number")


def _is_moment(field: dict[str, Any]) -> bool:
    return any(each.get("format") in ("date", "date-time") for each in (field, *field.get("anyOf", ())))


def _refusal(error: ValidationError) -> Refusal:
    faults = [
        Fault(json_path(fault["loc"]), fault["msg"])
        for fault in error.errors(include_url=False, include_context=False, include_input=False)[:SHOWN]
    ]
    first = f"{faults[0].path}: {faults[0].message}" if faults[0].path else faults[0].message
    more = f" (and {error.error_count() - 1} more in this record)" if error.error_count() > 1 else ""
    return Refusal(422, first + more, fields=faults)


def _nul(payload: Any) -> Iterator[_Path]:
    for path, container in _containers(payload):
        yield from ((*path, key) for key, item in _items(container) if isinstance(item, str) and "\0" in item)


def _crowded(payload: Any) -> Iterator[_Path]:
    for path, container in _containers(payload):
        if isinstance(container, dict) and len(container) > FIELDS:
            yield path


def _containers(payload: Any) -> Iterator[tuple[_Path, Any]]:
    """The objects and arrays of a JSON value, it too, with their paths. No recursion: JSON may be deep."""
    left: list[tuple[_Path, Any]] = [((), payload)]
    while left:
        path, container = left.pop()
        yield path, container
        left += [((*path, key), item) for key, item in _items(container) if isinstance(item, dict | list)]


def _items(container: Any) -> Iterable[tuple[str | int, Any]]:
    return container.items() if isinstance(container, dict) else enumerate(container)


def example(request_type: type[BaseModel]) -> BaseModel:
    """A record that shows what to send: the model's own example, or one made of its fields' examples.

    Raises:
        InvalidInput: the model has no (valid) examples.
    """
    schema = request_type.model_json_schema()
    fields = schema.get("properties", {})
    whole = (schema.get("examples") or [{}])[0]
    parts = {name: field["examples"][0] for name, field in fields.items() if field.get("examples")}
    try:
        return request_type.model_validate_json(orjson.dumps(whole or parts))
    except ValidationError as error:
        raise InvalidInput(
            f"{request_type.__module__}.{request_type.__qualname__} needs an example, of itself or of each required "
            f"field: serving scores it before it says that it is ready ({error.error_count()} faults)"
        ) from error
