import io

import polars as pl
import pytest

from include.foundation.errors import InvalidInput
from include.foundation.spec.sources import JsonLines, Source
from include.stages.ingest.formats import POSITION, Columns
from include.stages.ingest.formats.json_lines import ROWS, JsonLinesFile


def read(source: Source, data: bytes, *names: str) -> pl.DataFrame:
    found = JsonLinesFile().read(io.BytesIO(data), source=source, columns=Columns.of(source, names), name="f")
    return pl.concat(found)


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        ("", "a blank line"),
        ("[1]", "is not an object"),
        ('{"a": 1, "a": 2}', "the key 'a' stands twice"),
        ('{"a": {"x": 1}}', "a is an object or a list"),
        ('{"a": 1', "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('{"z": 1}', "unexpected z"),
    ],
)
def test_a_line_that_is_no_flat_object_is_named(line: str, cause: str) -> None:
    source = Source(name="s", contract="S", format=JsonLines(type="jsonl"))
    with pytest.raises(InvalidInput, match=r"^f: line 2: ") as error:
        read(source, f'{{"a": 1}}\n{line}\n'.encode(), "a")
    assert cause in str(error.value)


def test_json_values_are_the_text_that_stands_there() -> None:
    source = Source(name="s", contract="S", format=JsonLines(type="jsonl"))
    lines = [b'{"a": 1.10}', b'{"a": 12345678901234567890}', b'{"a": null}', b"{}", b'{"a": true}', b'{"a": " x"}']
    found = read(source, b"\n".join([*lines, b""]), "a")["a"].to_list()
    assert found == ["1.10", "12345678901234567890", None, None, "true", " x"]


def test_positions_go_on_where_a_frame_ends() -> None:
    source = Source(name="s", contract="S", format=JsonLines(type="jsonl"))
    frames = JsonLinesFile().read(
        io.BytesIO(b'{"a": 1}\n' * (ROWS + 2)), source=source, columns=Columns.of(source, ["a"]), name="f"
    )
    first, second = (frame[POSITION] for frame in frames)
    assert (first[0], first[-1], second.to_list()) == (1, ROWS, [ROWS + 1, ROWS + 2])
