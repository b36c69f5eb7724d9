from datetime import date, datetime
from typing import Any

import orjson
import pytest
from pydantic import BaseModel, ConfigDict, Field

from include.foundation.errors import InvalidInput
from include.foundation.http.refusal import Refusal
from include.services.serving.records import FIELDS, RecordReader, example


class Place(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    name: str = Field(max_length=5, examples=["north"])
    size: int = Field(1, ge=0)


class Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    at: datetime = Field(examples=["2024-05-01T12:00:00Z"])
    place: Place = Field(examples=[{"name": "north"}])


READER = RecordReader(Asked)
GOOD = {"at": "2024-05-01T12:00:00Z", "place": {"name": "north"}}


def _refused(body: Any) -> Refusal:
    with pytest.raises(Refusal) as caught:
        READER.read(body if isinstance(body, bytes) else orjson.dumps(body))
    return caught.value


def test_records_and_one_record() -> None:
    many, one = READER.read(orjson.dumps({"records": [GOOD, GOOD]})), READER.read(orjson.dumps(GOOD))
    assert (len(many.requests), many.single) == (2, False)
    assert (one.requests, one.single) == (many.requests[:1], True)


@pytest.mark.parametrize("body", [[], [GOOD], "x", 3, None])
def test_not_an_object(body: Any) -> None:
    assert _refused(body).status == 400


@pytest.mark.parametrize(
    ("body", "paths"),
    [
        ({"records": []}, ["records"]),
        ({"records": GOOD}, ["records"]),
        ({"records": [GOOD, 3]}, ["records[1]"]),
        ({"records": [GOOD, GOOD | {"at": "soon"}]}, ["records[1].at"]),
        (
            {"records": [{"at": GOOD["at"], "place": {"name": 3, "size": -1}}]},
            ["records[0].place.name", "records[0].place.size"],
        ),
        (GOOD | {"colour": "red"}, ["colour"]),
        ({}, ["at", "place"]),
        (GOOD | {"place": {"name": "a\0b"}}, ["place.name"]),
        ({"records": [GOOD, GOOD | {"place": {"name": "\0"}}]}, ["records[1].place.name"]),
    ],
)
def test_the_fields_at_fault_are_named(body: Any, paths: list[str]) -> None:
    refusal = _refused(body)
    assert refusal.status == 422
    assert [fault.path for fault in refusal.fields] == paths
    assert paths[0] in refusal.message


def test_an_escaped_backslash_before_u0000_is_no_nul() -> None:
    reader = RecordReader(Place)
    assert reader.read(b'{"name": "\\\\u0"}').requests[0].name == "\\u0"
    with pytest.raises(Refusal, match="at most 5 characters"):
        reader.read(b'{"name": "\\\\u0000"}')


class Lax(BaseModel):
    at: datetime
    day: date | None = None
    count: int = 1
    weight: float = 1.0


@pytest.mark.parametrize(
    "strange",
    [
        {"count": True},
        {"count": "1545"},
        {"count": 1.0},
        {"weight": "1.5"},
        {"at": 1356998400},
        {"at": "1356998400"},
        {"at": "-1356998400.5"},
        {"day": "1356998400"},
        {"day": 1356998400},
    ],
)
def test_types_are_strict_whatever_the_model_says(strange: dict[str, Any]) -> None:
    good = {"at": "2024-05-01T12:00:00Z", "day": "2024-05-01", "weight": 2}
    reader = RecordReader(Lax)
    assert reader.read(orjson.dumps(good)).requests[0].weight == 2
    for body, path in ((good | strange, ""), ({"records": [good, good | strange]}, "records[1].")):
        with pytest.raises(Refusal) as caught:
            reader.read(orjson.dumps(body))
        assert (caught.value.status, caught.value.fields[0].path) == (422, path + next(iter(strange)))


def test_no_answer_repeats_what_was_sent() -> None:
    refusal = _refused({"records": [{"at": "secret-1", "place": {"name": "secret-2"}}]})
    assert "secret" not in repr((refusal.message, refusal.fields))


def test_many_faults_are_counted_and_some_named() -> None:
    record = GOOD | {f"x{n}": n for n in range(100)}
    for body in (record, {"records": [GOOD, record]}):
        refusal = _refused(body)
        assert len(refusal.fields) == 20
        assert "(and 99 more in this record)" in refusal.message


def test_faults_are_looked_for_up_to_the_first_bad_record() -> None:
    refusal = _refused({"records": [GOOD, *[{}] * 100]})
    assert [fault.path for fault in refusal.fields] == ["records[1].at", "records[1].place"]
    assert refusal.message == "records[1].at: Field required (and 1 more in this record)"


def test_an_object_of_very_many_fields_is_refused_before_each_is_a_fault() -> None:
    crowd = {f"x{number}": 1 for number in range(FIELDS + 1)}
    for body, path in (
        (crowd, "the record"),
        (GOOD | {"place": crowd}, "place"),
        ({"records": [GOOD, crowd]}, "records[1]"),
    ):
        assert _refused(body).message == f"{path}: must not have more than 1000 fields"


def test_the_example_is_the_models_or_made_of_its_fields() -> None:
    class Whole(BaseModel):
        model_config = ConfigDict(json_schema_extra={"examples": [{"n": 3}]})
        n: int

    assert example(Whole) == Whole(n=3)
    assert example(Asked) == READER.read(orjson.dumps(GOOD)).requests[0]


def test_a_request_without_an_example_cannot_be_served() -> None:
    class Bare(BaseModel):
        n: int

    with pytest.raises(InvalidInput, match="Bare needs an example"):
        example(Bare)
