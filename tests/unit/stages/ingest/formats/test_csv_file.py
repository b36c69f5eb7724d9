import csv
import io
import time

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.foundation.errors import InvalidInput
from include.foundation.spec.sources import Csv, Source
from include.stages.ingest.formats import Columns, csv_file
from include.stages.ingest.formats.csv_file import CsvFile

COLUMNS = ("a", "b")
SOURCE = Source(name="s", contract="S")


def parse(data: bytes, columns: tuple[str, ...] = COLUMNS, source: Source = SOURCE) -> pl.DataFrame:
    frames = CsvFile().read(
        io.BytesIO(data), source=source, columns=Columns.of(source, columns), name="s3://landing/f.csv"
    )
    return pl.concat(frames)


def read(data: bytes, **settings: object) -> list[tuple[str, str, int]]:
    return parse(data, source=SOURCE.model_copy(update=settings)).rows()


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
        (b"b,a\n1,2\n", [("2", "1", 2)]),
        (b"a,b,\n1,2,\n3,4,\n", [("1", "2", 2), ("3", "4", 3)]),
        (b'"a","b",\n"1","2",\n', [("1", "2", 2)]),
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
        (b"a,b,b\n1,2,3\n", 1, "twice b"),
        (b"a,B\n1,2\n", 1, "missing b; unexpected B"),
        (b"a, b\n1,2\n", 1, "missing b; unexpected ' b'"),
        (b",a,b\n0,1,2\n", 1, "unexpected ''"),
        (b"a,b,event_date\n1,2,2013-01-01\n", 1, "event_date is reserved"),
        (b"a;b\n1;2\n", 1, "fields are parted by ';' instead of ','"),
        (b"a\tb\n1\t2\n", 1, r"fields are parted by '\t' instead of ','"),
        (b"a,b\n1,2\n3\n", 3, "1 fields instead of 2"),
        (b"a,b\n1,2,3\n", 2, "3 fields instead of 2"),
        (b"a,b,\n1,2,\n3,4,5\n", 3, "a value behind the last column's delimiter"),
        (b"a,b\n1,2\n\n3,4\n", 3, "a blank line"),
        (b"a,b\n1,2\n3,", 3, "truncated"),
        (b"a,b\n1,2\n3,4", 3, "truncated"),
        (b"a,b\r1,2\r", 1, "lines end in CR alone"),
        (b'a,b\n1,2\n"3,4\n5,6\n', 3, "a quote opens and does not close"),
        (b'a,b\n"1"x,2\n', 2, "expected after"),
        (b"a,b\n1,2\n\xff,4\n", 3, "byte 0xff is not valid UTF-8"),
        ("a,b\n1,ä\n".encode("latin-1"), 2, "byte 0xe4 is not valid UTF-8"),
        ("a,b\n1,2\n".encode("utf-16"), 1, "it is UTF-16"),
        (b"\x1f\x8b\x08\x00", 1, "it is gzip"),
        (b"PK\x03\x04", 1, "it is a ZIP archive"),
        (b"PAR1", 1, "it is Parquet"),
        (b"a,b\n1,2\n3,\x004\n", 3, "a NUL byte"),
    ],
)
def test_a_malformed_file_is_refused_naming_file_line_and_cause(data: bytes, line: int, cause: str) -> None:
    with pytest.raises(InvalidInput) as error:
        read(data)
    assert str(error.value).startswith(f"s3://landing/f.csv: line {line}: ")
    assert cause in str(error.value)


def test_a_file_of_one_column_is_read() -> None:
    assert parse(b"a\nx\n", ("a",)).rows() == [("x", 2)]


def test_dialect_and_names_are_as_the_spec_says() -> None:
    changed = {
        "format": Csv(delimiter="|", quote="'"),
        "columns": {"First Name": "a", "event_date": "b"},
        "unknown_columns": "ignore",
    }
    assert read(b"other|event_date|First Name\nx|'1|2'|\"\n", **changed) == [('"', "1|2", 2)]
    assert read(b'a,b\n",2\n', format=Csv(quote=None)) == [('"', "2", 2)]


@pytest.mark.parametrize("quote", [b"", b'"'])
def test_a_long_field_is_read_by_either_reader_up_to_the_limit_of_a_row(quote: bytes) -> None:
    field = b"x" * 200_000
    assert read(b"a,b\n1," + quote + field + quote + b"\n") == [("1", field.decode(), 2)]
    with pytest.raises(InvalidInput, match=r"line 3: longer than 100,000 bytes; .* raise `max_row_bytes`"):
        read(b"a,b\n1,2\n1," + quote + field + quote + b"\n", max_row_bytes=100_000)
    with pytest.raises(
        InvalidInput, match="line 2: the row that begins here is longer than 1,024 bytes: a quote opens"
    ):
        read(b'a,b\n1,"' + b"x\n" * 600 + b'"\n', max_row_bytes=1024)


def test_a_wide_file_costs_little_and_says_little() -> None:
    began = time.monotonic()
    for header in (b",".join(b"c%d" % n for n in range(100_000)), b"x" * 40_000_000, b"x," * 20_000_000):
        with pytest.raises(InvalidInput) as error:
            read(header + b"\n1,2\n")
        assert len(str(error.value)) < 5_000
    assert time.monotonic() - began < 20


def test_frames_are_bounded_whatever_the_file_holds() -> None:
    rows = b"".join(b'%d,"%d"\n' % (n, n) if n % 5_000 == 0 else b"%d,%d\n" % (n, n) for n in range(40_000))
    source = SOURCE.model_copy(update={"max_row_bytes": 65_536})
    frames = [
        *CsvFile().read(io.BytesIO(b"a,b\n" + rows), source=source, columns=Columns.of(source, COLUMNS), name="f")
    ]
    assert max(frame["a"].str.len_bytes().sum() for frame in frames) < 65_536
    whole = pl.concat(frames)
    assert whole["a"].to_list() == whole["b"].to_list() == [str(n) for n in range(40_000)]
    assert whole["source_position"].to_list() == [*range(2, 40_002)]


FIELDS = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=5)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(FIELDS, FIELDS), min_size=1, max_size=6), st.sampled_from(["\n", "\r\n"]))
def test_what_a_writer_wrote_is_read(rows: list[tuple[str, str]], end: str) -> None:
    sink = io.StringIO(newline="")
    csv.writer(sink, lineterminator=end).writerows([COLUMNS, *rows])
    assert [row[:2] for row in read(sink.getvalue().encode())] == rows


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(["a,b", "b,a", "a,b,"]),
    st.lists(st.sampled_from(["1,2", "1", "", "é,x", "1,2,3", "1,2,", "\r", " , "]), max_size=5),
    st.sampled_from(["\n", "\r\n"]),
)
def test_the_fast_reader_says_what_the_exact_one_says(header: str, lines: list[str], end: str) -> None:
    data = end.join([header, *lines, ""]).encode()

    def outcome() -> object:
        try:
            return read(data)
        except InvalidInput as error:
            return str(error)

    fast = outcome()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_file._Reader, "_fast", lambda self, block: None)
        assert fast == outcome()
