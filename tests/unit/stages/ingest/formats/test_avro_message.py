"""Avro behind a registry's frame: one schema and the next in one topic, every type, and what is none."""

import json
from datetime import UTC, date, datetime, time
from decimal import Decimal
from io import BytesIO
from uuid import UUID

import fastavro
import pytest

from include.foundation.errors import InvalidInput, ServiceUnavailable
from include.foundation.spec.topics import SchemaVersion
from include.stages.ingest.formats import Columns
from include.stages.ingest.formats.avro_message import AvroMessage
from sandbox.stream.schema_registry import Registry

OLD = {"type": "record", "name": "w", "fields": [{"name": "station", "type": "string"}, {"name": "t", "type": "int"}]}
NEW = {
    "type": "record",
    "name": "w",
    "fields": [
        {"name": "temp", "type": ["null", "double"], "aliases": ["t"], "default": None},
        {"name": "station", "type": "string"},
        {"name": "wind", "type": "float", "default": 2.5},
    ],
}


class Known:
    """Schemas as a registry tells them, without the way to it."""

    def __init__(self, *schemas, **fields):
        self._registry = Registry()
        self._registry.server_close()
        self.asked = []
        for schema in schemas:
            self.add(schema, **fields)

    def add(self, schema, *, subject="w-value", **fields):
        text = schema if isinstance(schema, str) else json.dumps(schema)
        return self._registry.register(subject, {"schema": text, **fields})[1]["id"]

    def by_id(self, number):
        self.asked.append(number)
        return self._told(self._registry.schema(number))

    def by_version(self, subject, version):
        return self._told(self._registry.version(subject, str(version)))

    @staticmethod
    def _told(answer):
        return answer[1] if answer[0] == 200 else None


def framed(number, schema, record):
    body = BytesIO()
    fastavro.schemaless_writer(body, fastavro.parse_schema(schema), record)
    return b"\0" + number.to_bytes(4, "big") + body.getvalue()


def reader(known, *names, read_as=None, nested=False, **columns):
    return AvroMessage(Columns(names, **columns), known, read_as=read_as, nested=nested)


def test_old_and_new_schemas_are_read_side_by_side_each_asked_for_once():
    known = Known(OLD, NEW)
    rows = reader(known, "station", "t", "temp", "wind")
    old, new = framed(1, OLD, {"station": "JFK", "t": 3}), framed(2, NEW, {"temp": None, "station": "é", "wind": 0.1})
    assert [rows.row(value) for value in (old, new, old)] == [
        ["JFK", "3", None, None],
        ["é", None, None, "0.1"],
        ["JFK", "3", None, None],
    ]
    assert known.asked == [1, 2]


def test_messages_are_read_as_the_schema_that_the_spec_names():
    rows = reader(Known(OLD, NEW), "station", "temp", "wind", read_as=SchemaVersion(subject="w-value", version=2))
    assert rows.row(framed(1, OLD, {"station": "JFK", "t": 3})) == ["JFK", "3.0", "2.5"]
    with pytest.raises(InvalidInput, match=r"no version 3 of subject w-value: mend `read_as`"):
        reader(Known(OLD), "station", read_as=SchemaVersion(subject="w-value", version=3))


def test_every_plain_type_has_its_text():
    kinds = {
        "flag": ("boolean", True, "true"),
        "long": ("long", -(1 << 62), str(-(1 << 62))),
        "double": ("double", 0.1, "0.1"),
        "single": (["null", "float"], 0.1, "0.1"),
        "kind": ({"type": "enum", "name": "e", "symbols": ["A", "B"]}, "B", "B"),
        "day": ({"type": "int", "logicalType": "date"}, date(2013, 1, 2), "2013-01-02"),
        "at": (
            {"type": "long", "logicalType": "timestamp-micros"},
            datetime(2013, 1, 2, 3, 4, 5, 6, UTC),
            "2013-01-02T03:04:05.000006Z",
        ),
        "wall": (
            {"type": "long", "logicalType": "local-timestamp-millis"},
            datetime(2013, 1, 2, 3, 4, 5),  # noqa: DTZ001 (that is what it says)
            "2013-01-02T03:04:05",
        ),
        "clock": ({"type": "int", "logicalType": "time-millis"}, time(3, 4, 5), "03:04:05"),
        "price": (
            {"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2},
            Decimal("1.10"),
            "1.10",
        ),
        "id": ({"type": "string", "logicalType": "uuid"}, UUID(int=1), str(UUID(int=1))),
        "none": (["null", {"type": "long", "logicalType": "timestamp-millis"}], None, None),
    }
    schema = {"type": "record", "name": "all", "fields": [{"name": n, "type": k} for n, (k, _, _) in kinds.items()]}
    found = reader(Known(schema), *kinds).row(framed(1, schema, {n: v for n, (_, v, _) in kinds.items()}))
    assert dict(zip(kinds, found, strict=True)) == {name: text for name, (_, _, text) in kinds.items()}


def test_columns_are_found_as_those_of_files_are():
    known = Known(NEW)
    value = framed(1, NEW, {"temp": 1.0, "station": "JFK", "wind": 1})
    assert reader(known, "place", landed={"station": "place"}, ignore_unknown=True).row(value) == ["JFK"]
    with pytest.raises(InvalidInput, match=r"^message: schema 1: wrong columns \(unexpected temp, wind\)"):
        reader(known, "station").row(value)


def test_what_is_nested_is_kept_as_json_where_the_source_says_so():
    inner = {"type": "record", "name": "i", "fields": [{"name": "at", "type": {"type": "int", "logicalType": "date"}}]}
    fields = [{"name": "a", "type": {"type": "array", "items": inner}}, {"name": "b", "type": "bytes"}]
    schema = {"type": "record", "name": "o", "fields": fields}
    value = framed(1, schema, {"a": [{"at": date(2013, 1, 2)}], "b": b"\xff"})
    assert reader(Known(schema), "a", nested=True, ignore_unknown=True).row(value) == ['[{"at": "2013-01-02"}]']
    with pytest.raises(InvalidInput, match="message: a is a record or a list"):
        reader(Known(schema), "a", ignore_unknown=True).row(value)
    with pytest.raises(InvalidInput, match="message: b is bytes"):
        reader(Known(schema), "b", ignore_unknown=True).row(value)


def test_schemas_that_refer_to_others_are_put_together():
    place = {"type": "record", "name": "place", "namespace": "x", "fields": [{"name": "n", "type": "int"}]}
    outer = {"type": "record", "name": "o", "fields": [{"name": "p", "type": "x.place"}]}
    known = Known()
    known.add(place, subject="place")
    reference = {"name": "x.place", "subject": "place", "version": 1}
    number = known.add(outer, references=[reference])
    whole = {**outer, "fields": [{"name": "p", "type": place}]}
    assert reader(known, "p", nested=True).row(framed(number, whole, {"p": {"n": 1}})) == ['{"n": 1}']
    lost = known.add({**outer, "name": "q"}, references=[{**reference, "version": 2}])
    with pytest.raises(InvalidInput, match=f"schema {lost} is no schema of Avro: it refers to version 2 of place"):
        reader(known, "p", nested=True).row(framed(lost, whole, {"p": {"n": 1}}))


WHOLE = framed(1, OLD, {"station": "JFK", "t": 3})


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        (b"", "not framed"),
        (b"\0\0\0\0", "not framed"),
        (b'{"station": "JFK"}', "not framed"),
        (b"\0\0\0\0\x63" + WHOLE[5:], "the schema registry has no schema 99"),
        (WHOLE[:-1], "not a record of schema 1"),
        (WHOLE[:5] + b"\xff" * 12, "not a record of schema 1"),
        (WHOLE + b"!", "not a record of schema 1: 1 bytes are left"),
        (b"\0\0\0\0\x02" + WHOLE[5:], "schema 2 is PROTOBUF, not Avro"),
        (b"\0\0\0\0\x03" + WHOLE[5:], "schema 3 is no schema of Avro"),
        (b"\0\0\0\0\x04" + WHOLE[5:], "schema 4 is no record"),
    ],
)
def test_what_is_no_row_is_one_messages_fault_and_says_why(value, fault):
    known = Known(OLD)
    known.add("message x {}", schemaType="PROTOBUF")
    known.add('{"type": "rec')
    known.add('"string"')
    rows = reader(known, "station", "t")
    for _ in range(2):
        with pytest.raises(InvalidInput, match=f"^message: {fault}"):
            rows.row(value)
    assert rows.row(WHOLE) == ["JFK", "3"]
    assert len(known.asked) == len({*known.asked})


def test_a_registry_that_does_not_answer_is_no_fault_of_a_message():
    class Down(Known):
        def by_id(self, number):
            raise ServiceUnavailable("down")

    with pytest.raises(ServiceUnavailable):
        reader(Down(OLD), "station", "t").row(WHOLE)
