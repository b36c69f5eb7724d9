import json

import pytest
from pydantic import ValidationError

from include.foundation.spec import UseCase, load
from include.foundation.spec.schema import schema
from include.foundation.spec.sources import Source
from include.foundation.spec.topics import Topic

SOUND = {"kind": "topic", "name": "weather", "topic": "weather.observations", "contract": "Weather"}
SPEC = load("flight_delays").model_dump(mode="json")


def test_a_use_case_may_have_both_kinds_of_sources():
    spec = UseCase.model_validate({**SPEC, "sources": [*SPEC["sources"], {**SOUND, "name": "gusts"}]})
    assert [each.name for each in spec.topics] == ["gusts"]
    assert [each.name for each in spec.files] == [each["name"] for each in SPEC["sources"]]
    assert UseCase.model_validate(spec.model_dump(mode="json")) == spec


def test_a_source_without_a_kind_is_files():
    said = [{key: value for key, value in each.items() if key != "kind"} for each in SPEC["sources"]]
    assert UseCase.model_validate({**SPEC, "sources": said}) == load("flight_delays")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"topic": "a b"}, "topic"),
        ({"topic": ".."}, "topic"),
        ({"topic": "t" * 250}, "topic"),
        ({"every": "hour"}, "every\n.*Extra inputs"),
        ({"files": "many"}, "files\n.*Extra inputs"),
        ({"columns": {"a": "b", "A": "b"}}, "columns: two landed names for b"),
    ],
)
def test_what_cannot_be_read_is_refused(change, message):
    with pytest.raises(ValidationError, match=message):
        Topic(**{**SOUND, **change})


def test_a_kind_that_there_is_not_is_refused():
    with pytest.raises(ValidationError, match=r"'queue'.*'file', 'topic'"):
        UseCase.model_validate({**SPEC, "sources": [{**SOUND, "kind": "queue"}]})


def test_its_rows_are_those_of_lines():
    topic = Topic(**SOUND, columns={"a": "b"}, unknown_columns="ignore", null_values=("-",))
    assert topic.as_lines() == Source(
        name="weather",
        contract="Weather",
        format={"type": "jsonl"},
        columns={"a": "b"},
        unknown_columns="ignore",
        null_values=("-",),
    )


def test_the_schema_knows_both():
    assert {"Source", "Topic"} <= {*json.loads(schema())["$defs"]}
