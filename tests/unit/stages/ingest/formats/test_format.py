"""What every format does: one contract for all members."""

import gzip
import io
import json
from collections.abc import Callable

import fastavro
import polars as pl
import pytest

from include.foundation.errors import InvalidInput
from include.foundation.spec.sources import Csv, JsonLines, Parquet, Source
from include.foundation.spec.topics import Topic
from include.stages.ingest.formats import FORMATS, MESSAGES, POSITION, Columns, MessageFormat, NoRows
from include.stages.ingest.stream import opened

ROWS = [{"a": "1", "b": "x", "c": "9"}, {"a": "2.50", "b": "é", "c": "8"}]


def _csv(rows: list[dict[str, str]]) -> bytes:
    return "".join(
        ",".join(row) + "\n" for row in [[*rows[0]] if rows else ["a", "b"]] + [[*row.values()] for row in rows]
    ).encode()


def _jsonl(rows: list[dict[str, str]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def _parquet(rows: list[dict[str, str]]) -> bytes:
    sink = io.BytesIO()
    pl.DataFrame(rows, schema=None if rows else {"a": pl.String, "b": pl.String}).write_parquet(sink)
    return sink.getvalue()


MEMBERS = {
    "csv": (Csv(), _csv),
    "jsonl": (JsonLines(type="jsonl"), _jsonl),
    "parquet": (Parquet(type="parquet"), _parquet),
}


@pytest.fixture(params=[*FORMATS])
def member(request: pytest.FixtureRequest) -> tuple[Source, Callable[[list[dict[str, str]]], bytes]]:
    """A source of the format, and how its files are written."""
    form, write = MEMBERS[request.param]
    return Source(name="s", contract="S", format=form), write


def read(source: Source, data: bytes, *names: str) -> pl.DataFrame:
    pieces = (data[at : at + 7] for at in range(0, len(data), 7))
    stream = opened(pieces, source=source, name="f")
    return pl.concat(
        FORMATS[source.format.type].read(stream, source=source, columns=Columns.of(source, names), name="f")
    )


def test_columns_are_found_by_name_and_each_row_has_its_position(member) -> None:
    source, write = member
    other = source.model_copy(update={"unknown_columns": "ignore", "columns": {"b": "name"}})
    found = read(other, write(ROWS), "name", "a")
    assert found.drop(POSITION).rows() == [("x", "1"), ("é", "2.50")]
    assert found[POSITION].diff().to_list() == [None, 1]
    assert found.schema == {"name": pl.String, "a": pl.String, POSITION: pl.Int64}


def test_an_unknown_column_is_refused_unless_the_spec_says_ignore(member) -> None:
    source, write = member
    with pytest.raises(InvalidInput, match=r"^f.*unexpected c"):
        read(source, write(ROWS), "a", "b")


def test_a_file_without_rows_says_so(member) -> None:
    source, write = member
    with pytest.raises(NoRows, match=r"^f: "):
        read(source, write([]), "a", "b")


def test_a_damaged_file_is_refused_by_name(member) -> None:
    source, write = member
    with pytest.raises(InvalidInput, match=r"^f: "):
        read(source, write(ROWS)[:-3], "a", "b", "c")


def test_gzip_is_read_where_the_spec_says_so(member) -> None:
    source, write = member
    packed = source.model_copy(update={"compression": "gzip"})
    data = (
        gzip.compress(write(ROWS[:1]))
        if source.format.type == "parquet"
        else b"".join(gzip.compress(part) for part in (write(ROWS)[:5], write(ROWS)[5:]))
    )
    assert read(packed, data, "a", "b", "c").height in {1, 2}
    for bad in (data[:-9], write(ROWS)):
        with pytest.raises(InvalidInput, match=r"^f: .*gzip"):
            read(packed, bad, "a", "b", "c")


def test_a_spec_that_maps_to_no_column_of_the_contract_is_refused() -> None:
    with pytest.raises(InvalidInput, match="source s: `columns` names z"):
        Columns.of(Source(name="s", contract="S", columns={"x": "z"}), ["a"])


SCHEMA = {
    "type": "record",
    "name": "r",
    "fields": [
        {"name": "a", "type": "int"},
        {"name": "b", "type": ["null", "string"]},
        {"name": "c", "type": "boolean"},
    ],
}


class Registry:
    """It has one schema."""

    def by_id(self, number: int) -> dict[str, str]:
        return {"schema": json.dumps(SCHEMA)}

    def by_version(self, subject: str, version: int) -> None:
        return None


def _avro(row: dict[str, object]) -> bytes:
    body = io.BytesIO(bytes(5))
    body.seek(5)
    fastavro.schemaless_writer(body, SCHEMA, row)
    return body.getvalue()


WRITERS = {"json": lambda row: json.dumps(row).encode(), "avro": _avro}


@pytest.fixture(params=[*MESSAGES])
def message(
    request: pytest.FixtureRequest,
) -> tuple[Callable[..., MessageFormat], Callable[[dict[str, object]], bytes]]:
    """How messages of the format are read, and how written."""

    def reader(*names: str, **fields: object) -> MessageFormat:
        said = {
            "kind": "topic",
            "name": "s",
            "topic": "t",
            "contract": "S",
            "format": {"type": request.param},
            **fields,
        }
        source = Topic.model_validate(said)
        return MESSAGES[request.param](source, Columns.of(source.as_lines(), names), Registry())

    return reader, WRITERS[request.param]


def test_a_message_is_a_row_of_text_and_what_it_lacks_has_no_value(message) -> None:
    reader, write = message
    rows = reader("name", "d", "a", "c", columns={"b": "name"})
    frame, faults = rows.frame([write({"a": 1, "b": "é", "c": True}), write({"a": 2, "b": None, "c": False})])
    assert frame.rows() == [("é", None, "1", "true"), (None, None, "2", "false")]
    assert frame.schema == dict.fromkeys(("name", "d", "a", "c"), pl.String)
    assert faults == {}
    assert rows.frame([])[0].schema == frame.schema


def test_a_message_with_an_unknown_column_is_refused_unless_the_spec_says_ignore(message) -> None:
    reader, write = message
    value = write({"a": 1, "b": "x", "c": True})
    frame, faults = reader("a", "b").frame([value])
    assert frame.rows() == [(None, None)]
    assert "unexpected c" in faults[0]
    assert reader("a", "b", unknown_columns="ignore").frame([value])[0].rows() == [("1", "x")]


def test_what_is_no_message_of_the_format_is_refused_beside_those_that_are(message) -> None:
    reader, write = message
    value = write({"a": 1, "b": "x", "c": True})
    frame, faults = reader("a", "b", "c").frame([value, b"", value[:-1], None, b"!" + value, value])
    whole, none = ("1", "x", "true"), (None, None, None)
    assert frame.rows() == [whole, none, none, none, none, whole]
    assert [*faults] == [1, 2, 3, 4]
    assert all(fault.startswith("message: ") for fault in faults.values())
    assert "tombstone" in faults[3]
