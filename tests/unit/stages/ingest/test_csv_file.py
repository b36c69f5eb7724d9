import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.foundation.errors import InvalidInput
from include.stages.ingest import csv_file
from include.stages.ingest.csv_file import parse

COLUMNS = ("a", "b")


def read(data: bytes) -> list[tuple[str, str, int]]:
    return parse(data, name="s3://landing/f.csv", columns=COLUMNS).rows()


@pytest.mark.parametrize(
    ("data", "rows"),
    [
        (b"a,b\n1,2\n", [("1", "2", 2)]),
        (b"a,b\n,\n", [("", "", 2)]),
        (b"a,b\n 1,NA\n", [(" 1", "NA", 2)]),
        (b"\xef\xbb\xbfa,b\n1,2\n", [("1", "2", 2)]),
        (b"a,b\r\n1,2\r\n3,4\r\n", [("1", "2", 2), ("3", "4", 3)]),
        (b'a,b\n"x,y",2\n', [("x,y", "2", 2)]),
        (b'a,b\n"x""y",2\n', [('x"y', "2", 2)]),
        (b'a,b\n"x\n\ny",2\n3,4\n', [("x\n\ny", "2", 2), ("3", "4", 5)]),
        (b'"a","b"\n1,2\n', [("1", "2", 2)]),
        (b"a,b\n1,\xc3\xa9\n", [("1", "é", 2)]),
    ],
)
def test_rows_and_their_lines(data: bytes, rows: list[tuple[str, str, int]]) -> None:
    assert read(data) == rows


@pytest.mark.parametrize(
    ("data", "line", "cause"),
    [
        (b"", 1, "the file is empty"),
        (b"\n", 1, "missing a, b"),
        (b"a,b\n", 1, "a header and no rows"),
        (b"a\n1\n", 1, "missing b"),
        (b"a,b,c\n1,2,3\n", 1, "unexpected c"),
        (b"b,a\n1,2\n", 1, "another order"),
        (b"a,b,b\n1,2,3\n", 1, "stands twice"),
        (b"a,B\n1,2\n", 1, "missing b; unexpected B"),
        (b"a, b\n1,2\n", 1, "missing b; unexpected ' b'"),
        (b",a,b\n0,1,2\n", 1, "unexpected ''"),
        (b"a;b\n1;2\n", 1, "fields are parted by ';' instead of ','"),
        (b"a\tb\n1\t2\n", 1, r"fields are parted by '\t' instead of ','"),
        (b"a,b\n1,2\n3\n", 3, "1 fields instead of 2"),
        (b"a,b\n1,2,3\n", 2, "3 fields instead of 2"),
        (b"a,b\n1,2\n\n3,4\n", 3, "a blank line"),
        (b"a,b\n1,2\n3,", 3, "truncated"),
        (b"a,b\n1,2\n3,4", 3, "truncated"),
        (b'a,b\n1,2\n"3,4\n', 3, "unexpected end of data"),
        (b'a,b\n"1"x,2\n', 2, "expected after"),
        (b"a,b\n1,2\n\xff,4\n", 3, "byte 0xff is no UTF-8 text"),
        ("a,b\n1,ä\n".encode("latin-1"), 2, "byte 0xe4 is no UTF-8 text"),
        ("a,b\n1,2\n".encode("utf-16"), 1, "no UTF-8 text"),
        (b"a,b\n1,2\n3,\x004\n", 3, "a NUL byte"),
    ],
)
def test_a_malformed_file_is_refused_naming_file_line_and_cause(data: bytes, line: int, cause: str) -> None:
    with pytest.raises(InvalidInput) as error:
        read(data)
    assert str(error.value).startswith(f"s3://landing/f.csv: line {line}: ")
    assert cause in str(error.value)


FIELDS = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=5)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(FIELDS, FIELDS), min_size=1, max_size=6), st.sampled_from(["\n", "\r\n"]))
def test_what_a_writer_wrote_is_read(rows: list[tuple[str, str]], end: str) -> None:
    sink = io.StringIO(newline="")
    csv.writer(sink, lineterminator=end).writerows([COLUMNS, *rows])
    assert [row[:2] for row in read(sink.getvalue().encode())] == rows


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.sampled_from(["1,2", "1", "", "é,x", "1,2,3", "\r", " , "]), max_size=5),
    st.sampled_from(["\n", "\r\n"]),
)
def test_the_fast_reader_says_what_the_exact_one_says(lines: list[str], end: str) -> None:
    data = end.join(["a,b", *lines, ""]).encode()

    def outcome(reader) -> object:
        try:
            return reader()
        except InvalidInput as error:
            return str(error)

    exact = outcome(lambda: csv_file._exact(data, "f", COLUMNS).rows())
    assert outcome(lambda: parse(data, name="f", columns=COLUMNS).rows()) == exact
