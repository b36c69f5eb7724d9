"""Reading one landed CSV file strictly: every field as text, every row with its physical line.

A file is refused as a whole, naming line and cause, when it is empty or has no rows, when its columns are not exactly
the expected ones in their order, when a row has another number of fields, when its bytes are not UTF-8 text, or when
its last line does not end (a cut file and a forgotten newline look the same, and a cut last value would pass unseen).
Dialect: RFC 4180; lines end in LF or CRLF, a byte order mark is skipped.

Files without quotes, which is nearly all, are read by Arrow; others, and those that Arrow refuses, by the exact reader,
which is slower and knows the line of every row.
"""

import csv
import io
from collections.abc import Sequence

import polars as pl
import pyarrow as pa
import pyarrow.csv

from include.foundation.errors import InvalidInput

LINE = "line"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def parse(data: bytes, *, name: str, columns: Sequence[str]) -> pl.DataFrame:
    """Read a whole file.

    Args:
        data: the file's bytes.
        name: what messages call the file.
        columns: the names that the header must have, in order.

    Returns:
        The columns as text, as they stand in the file, and `line` (int64): where a row begins; the header is line 1.

    Raises:
        InvalidInput: the file is malformed.
    """
    data = data.removeprefix(BYTE_ORDER_MARK)
    if not data:
        raise InvalidInput(f"{name}: line 1: the file is empty")
    if b"\0" in data:
        raise InvalidInput(f"{name}: line {_line(data, data.index(0))}: a NUL byte; this is no UTF-8 text")
    if not data.endswith(b"\n"):
        raise InvalidInput(f"{name}: line {_line(data, len(data))}: the last line does not end; the file is truncated")
    frame = _fast(data, columns) if _is_plain(data) else None
    return _exact(data, name, columns) if frame is None else frame


def _is_plain(data: bytes) -> bool:
    """Whether every line is one row: no quotes, no blank lines, one kind of line end."""
    returns = data.count(b"\r")
    uniform = not returns or returns == data.count(b"\r\n") == data.count(b"\n")
    return uniform and b'"' not in data and b"\n\n" not in data and b"\n\r\n" not in data and data[:1] not in b"\r\n"


def _fast(data: bytes, columns: Sequence[str]) -> pl.DataFrame | None:
    """Arrow's reading of a plain file; None if it is not what was expected, for whatever reason."""
    if data.partition(b"\n")[0].rstrip(b"\r") != ",".join(columns).encode():
        return None
    try:
        table = pyarrow.csv.read_csv(
            pa.BufferReader(data),
            read_options=pyarrow.csv.ReadOptions(use_threads=False),
            parse_options=pyarrow.csv.ParseOptions(quote_char=False, ignore_empty_lines=False),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(columns, pa.string()), strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid:
        return None
    if not table.num_rows:
        return None
    return pl.DataFrame(table).with_columns((pl.int_range(pl.len()) + 2).alias(LINE))


def _exact(data: bytes, name: str, columns: Sequence[str]) -> pl.DataFrame:
    """Python's own reading, row by row; it finds the line of any fault."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = _line(data, error.start)
        raise InvalidInput(f"{name}: line {line}: byte 0x{data[error.start]:02x} is no UTF-8 text") from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[list[str]] = []
    lines: list[int] = []
    line = 1
    try:
        for row in reader:
            if line == 1:
                _check_header(row, name, columns)
            elif len(row) != len(columns):
                found = f"{len(row)} fields" if row else "a blank line"
                raise InvalidInput(f"{name}: line {line}: {found} instead of {len(columns)} fields")
            else:
                rows.append(row)
                lines.append(line)
            line = reader.line_num + 1
    except csv.Error as error:
        raise InvalidInput(f"{name}: line {line}: {error}") from error
    if not rows:
        raise InvalidInput(f"{name}: line 1: the file has a header and no rows")
    frame = pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String), orient="row")
    return frame.with_columns(pl.Series(LINE, lines, dtype=pl.Int64))


def _check_header(header: list[str], name: str, columns: Sequence[str]) -> None:
    if header == list(columns):
        return
    missing = [column for column in columns if column not in header]
    extra = [column for column in header if column not in columns]
    if len(header) == 1 and (other := [mark for mark in ";\t|" if header[0].split(mark) == list(columns)]):
        faults = [f"fields are parted by {other[0]!r} instead of ','"]
    elif missing or extra:
        odd = [name if name and name == name.strip() else repr(name) for name in extra]
        faults = [f"missing {', '.join(missing)}"] * bool(missing) + [f"unexpected {', '.join(odd)}"] * bool(extra)
    elif len(header) != len(columns):
        faults = ["a column stands twice"]
    else:
        faults = ["another order"]
    raise InvalidInput(
        f"{name}: line 1: wrong columns ({'; '.join(faults)}): expected {','.join(columns)}; found {','.join(header)}"
    )


def _line(data: bytes, position: int) -> int:
    """The line on which a byte stands."""
    return data.count(b"\n", 0, position) + 1
