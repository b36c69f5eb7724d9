"""What every format does: one contract for all members."""

import gzip
import io
import json
from collections.abc import Callable

import polars as pl
import pytest

from include.foundation.errors import InvalidInput
from include.foundation.spec.sources import Csv, JsonLines, Parquet, Source
from include.stages.ingest.formats import FORMATS, POSITION, Columns
from include.stages.ingest.stream import opened

ROWS = [{"a": "1", "b": "x", "c": "9"}, {"a": "2.50", "b": "é", "c": "8"}]


def _csv(rows: list[dict[str, str]]) -> bytes:
    return "".join(
        ",".join(row) + "\n" for row in ([[*rows[0]]] if rows else []) + [[*row.values()] for row in rows]
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


def test_a_file_without_rows_is_refused(member) -> None:
    source, write = member
    with pytest.raises(InvalidInput, match=r"^f: "):
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
