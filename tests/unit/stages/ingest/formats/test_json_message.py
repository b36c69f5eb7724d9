"""The quick reader of messages tells what the exact one tells."""

import json

import polars as pl
from hypothesis import example, given
from hypothesis import strategies as st

from include.foundation.errors import InvalidInput
from include.stages.ingest.formats import Columns
from include.stages.ingest.formats.json_lines import JsonRows
from include.stages.ingest.formats.json_message import JsonMessage

NAMES = ("a", "b", "c")
LITERALS = st.sampled_from(
    [
        *("1", "-0", "-0.0", "1.10", "1E5", "1e400", "18446744073709551616", "9" * 5000, "NaN", "true", "null", "01"),
        *("[]", "[1.50]", "{}", '{"a": 1}', '{"z": [1]}', '"-0"', '": "', r'"\ud800"', r'"\u0000"', '"é"', ".5", "'x'"),
    ]
)
VALUES = LITERALS | st.text().map(json.dumps) | st.floats().map(json.dumps) | st.integers().map(str)
KEYS = st.sampled_from(["a", "b", "c", "A", "z", r"\u0061", r"a\"", "é"])
BYTES = st.sampled_from(["é".encode(), b"\xff"])
SPACE = st.sampled_from(["", " ", "\n", "\t "])


@st.composite
def written(draw: st.DrawFn) -> bytes:
    """What may come: objects of all kinds, and what is none."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=8) | VALUES.map(lambda text: text.encode("utf-8", "surrogatepass")))
    pairs = draw(st.lists(st.tuples(KEYS, SPACE, VALUES), max_size=4))
    body = ",".join(f'{space}"{key}"{space}:{space}{value}{space}' for key, space, value in pairs)
    return ("{" + body + "}").encode("utf-8", "surrogatepass").replace("é".encode(), draw(BYTES))


@given(
    st.lists(written() | st.none(), max_size=6),
    st.booleans(),
    st.booleans(),
    st.sampled_from([{}, {"A": "a"}, {"a": "b"}]),
)
@example([b'{"a": -0}', b'{"a": 1, "a": 2}', b'{"a": "\xff"}', b'{"a": 1}{"a": 2}'], False, False, {})
@example([b'{"z": "\xff"}', b'{"\xff": 1}', b'{"z": {"\xff": ["\xff"]}}', b'{"a": 1}'], False, True, {})
def test_both_read_the_same(values, nested, ignore_unknown, landed):
    columns = Columns(NAMES, landed, ignore_unknown)
    exact = JsonRows(columns, nested=nested)
    rows, faults = [], {}
    for place, value in enumerate(values):
        try:
            if value is None:
                raise InvalidInput("message: no value (a tombstone), and a message deletes no row")
            rows.append(exact.row(value.decode(), where="message"))
        except (InvalidInput, UnicodeDecodeError) as error:
            rows.append([None] * len(NAMES))
            faults[place] = "message: not valid UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
    expected = pl.DataFrame(rows, schema=dict.fromkeys(NAMES, pl.String), orient="row")
    frame, found = JsonMessage(columns, nested=nested).frame(values)
    assert frame.rows() == expected.rows()
    assert frame.schema == expected.schema
    assert found == faults
