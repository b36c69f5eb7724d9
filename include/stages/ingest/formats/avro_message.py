"""Avro records behind the frame of a schema registry (magic byte 0, four bytes of the schema's id, the body).

https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/index.html#wire-format

Values become text as those of Parquet do: numbers as they print exactly, times in ISO 8601, in UTC with a `Z` where
they are moments. Bytes and fixed have no such reading, unless they are decimals.
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time
from decimal import Decimal
from io import BytesIO
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol
from uuid import UUID

import fastavro
import numpy as np
import polars as pl
from fastavro.schema import SchemaParseException, UnknownType

from include.foundation.echo import cause
from include.foundation.errors import InvalidInput
from include.stages.ingest.formats.format import one_by_one

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from include.foundation.spec.topics import SchemaVersion
    from include.stages.ingest.formats.format import Columns

FRAME = 5  # bytes before the body
DEPTH = 20  # of schemas that refer to others


class Schemas(Protocol):
    """Where schemas are: what a registry answers (`schema`, `schemaType`, `references`), None of what it lacks."""

    def by_id(self, number: int) -> Mapping[str, Any] | None:
        """The schema that a frame names."""

    def by_version(self, subject: str, version: int) -> Mapping[str, Any] | None:
        """A version of a subject."""


class _Reading(NamedTuple):
    """How messages of one schema become rows."""

    writer: Any
    fields: list[str | None]  # of the record, for each column; None: it lacks it
    single: list[bool]  # whether that is a 32-bit float


class AvroMessage:
    """See the module.

    Args:
        columns: what the records must have.
        schemas: where their schemas are.
        read_as: the schema to read all of them as, None for each one's own.
        nested: whether a record, a map or an array in a column is kept, as its JSON.

    Raises:
        InvalidInput: there is no schema `read_as`, or it does not fit the columns.
        AccessRefused, ServiceUnavailable: as `schemas` does.
    """

    def __init__(self, columns: Columns, schemas: Schemas, *, read_as: SchemaVersion | None, nested: bool) -> None:
        self._columns, self._schemas, self._nested = columns, schemas, nested
        self._known: dict[int, _Reading | str] = {}  # or why none of its messages can be read
        self._reader: Any = None
        if read_as is not None:
            name = f"version {read_as.version} of subject {read_as.subject}"
            if (answer := schemas.by_version(read_as.subject, read_as.version)) is None:
                raise InvalidInput(f"the schema registry has no {name}: mend `read_as` in the spec")
            self._reader = self._parsed(answer, name)
            self._fields(self._reader, name)

    def frame(self, values: Sequence[bytes | None]) -> tuple[pl.DataFrame, dict[int, str]]:
        """As `MessageFormat` says."""
        names = self._columns.names
        rows, faults = one_by_one(self.row, values, range(len(values)), width=len(names))
        return pl.DataFrame([*rows.values()], schema=dict.fromkeys(names, pl.String), orient="row"), faults

    def row(self, value: bytes) -> list[str | None]:
        """One of them. Raises InvalidInput where it is no row, else as `frame` does."""
        if len(value) < FRAME or value[0] != 0:
            raise InvalidInput("message: not framed as schema registries do (a zero byte, and four of the schema's id)")
        number = int.from_bytes(value[1:FRAME], "big")
        if number not in self._known:
            self._known[number] = self._reading(number)
        reading = self._known[number]
        if isinstance(reading, str):
            raise InvalidInput(reading)
        body = BytesIO(value)
        body.seek(FRAME)
        try:
            record: Any = fastavro.schemaless_reader(body, reading.writer, self._reader)
        except Exception as error:  # whatever fastavro makes of bytes that are no such record
            raise InvalidInput(f"message: not a record of schema {number}: {cause(error)}") from error
        if left := len(value) - body.tell():
            raise InvalidInput(f"message: not a record of schema {number}: {left:,} bytes are left behind it")
        return [
            None if field is None else self._text(record[field], field, single=single)
            for field, single in zip(reading.fields, reading.single, strict=True)
        ]

    def _reading(self, number: int) -> _Reading | str:
        name = f"schema {number}"
        if (answer := self._schemas.by_id(number)) is None:
            return f"message: the schema registry has no {name}"
        try:
            writer = self._parsed(answer, name)
            found = self._fields(self._reader or writer, name)
        except InvalidInput as error:
            return f"message: {error}"
        return _Reading(
            writer,
            [each["name"] if each else None for each in found],
            [each is not None and _is_single(each["type"]) for each in found],
        )

    def _fields(self, schema: Any, name: str) -> list[dict[str, Any] | None]:
        """A record's fields, for each column; None: it lacks it."""
        if not isinstance(schema, dict) or schema.get("type") != "record":
            raise InvalidInput(f"{name} is no record")
        self._columns.check([field["name"] for field in schema["fields"]], name=name)
        at = {self._columns.landed.get(field["name"], field["name"]): field for field in schema["fields"]}
        return [at.get(column) for column in self._columns.names]

    def _parsed(self, answer: Mapping[str, Any], name: str) -> Any:
        if (kind := answer.get("schemaType", "AVRO")) != "AVRO":
            raise InvalidInput(f"{name} is {str(kind)[:20]}, not Avro")
        try:
            return self._with_references(answer, {}, depth=0)
        except (SchemaParseException, UnknownType, ValueError, KeyError, TypeError, RecursionError) as error:
            raise InvalidInput(f"{name} is no schema of Avro: {cause(error)}") from error

    def _with_references(self, answer: Mapping[str, Any], names: dict[str, Any], *, depth: int) -> Any:
        if depth > DEPTH:
            raise ValueError(f"schemas refer to each other more than {DEPTH} deep")
        for each in answer.get("references") or ():
            if each["name"] in names:
                continue
            if (other := self._schemas.by_version(each["subject"], each["version"])) is None:
                raise ValueError(f"it refers to version {each['version']} of {each['subject']}, which is not there")
            self._with_references(other, names, depth=depth + 1)
        return fastavro.parse_schema(json.loads(answer["schema"]), named_schemas=names)

    def _text(self, value: Any, field: str, *, single: bool) -> str | None:
        if value is None or type(value) is str:
            return value
        if single and type(value) is float:
            return str(np.float32(value))
        if not isinstance(value, dict | list):
            return _plain(value, field)
        if not self._nested:
            raise InvalidInput(f"message: {field} is a record or a list; only plain values are read")
        try:
            return json.dumps(value, default=lambda each: _plain(each, field))
        except RecursionError as error:
            raise InvalidInput(f"message: {field} is nested too deeply") from error


def _plain(value: object, field: str) -> str:
    match value:
        case bool():
            text = "true" if value else "false"
        case float():
            text = repr(value)
        case Decimal():
            text = f"{value:f}"
        case datetime() if value.tzinfo:
            text = value.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"
        case date():
            text = value.isoformat()
        case str() | int() | UUID() | time():
            text = str(value)
        case _:
            raise InvalidInput(f"message: {field} is bytes, which have no reading as text")
    return text


def _is_single(kind: object) -> bool:
    """Whether a field's type is `float`, whose values print shorter than as the double that they are read as."""
    union = kind if isinstance(kind, list) else [kind]
    kinds = [each.get("type") if isinstance(each, dict) else each for each in union]
    return "float" in kinds and "double" not in kinds
