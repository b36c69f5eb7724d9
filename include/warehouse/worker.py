"""The process that answers one question and ends: `python -m include.warehouse.worker`.

It reads one line of JSON, gives up what it does not need, and writes one line of JSON and, if it has one, the answer as
an Arrow stream. It can write no file and has no environment worth reading.
"""

from __future__ import annotations

import json
import re
import resource
import sys
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, BinaryIO

from include.foundation.echo import cause, quoted
from include.foundation.errors import FlightlineError, InvalidInput
from include.warehouse import engine, statement
from include.warehouse.columns import distinct

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa
    from duckdb import DuckDBPyConnection, DuckDBPyRelation

BATCH = 2_048
OVERHEAD_MB = 1_536  # private memory beside the engine's limit: libraries, the parser, the answer
# Types that the readers of an answer (polars, CSV, JSON) do not know, alone or inside another.
_OWN_TYPES = re.compile(r"\b(BIGNUM|BIT|BLOB|GEOMETRY|INTERVAL|TIME WITH TIME ZONE|UNION|VARIANT)\b")
DAYS = tuple(each.toordinal() - date(1970, 1, 1).toordinal() for each in (date.min, date.max))  # of people's calendars


def confine(*, memory_mb: int, seconds: float) -> None:
    """Take from this process what a statement could misuse: files to write, memory without end, processor time."""
    data = (memory_mb + OVERHEAD_MB) << 20
    time = int(seconds * engine.THREADS) + 2
    for kind, limit in (
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_DATA, data),
        (resource.RLIMIT_CPU, time),
    ):
        resource.setrlimit(kind, (limit, limit))


def answer(asked: Mapping[str, Any]) -> tuple[dict[str, Any], Sequence[pa.RecordBatch], pa.Schema]:
    """What to say, and the rows.

    Raises:
        InvalidInput: the statement is refused or wrong, or needs more memory than it may have.
        ServiceUnavailable: the lake does not answer.
    """
    import duckdb

    with engine.empty() as connection:
        computing = statement.functions(connection)
        checked = statement.check(
            connection,
            asked["sql"],
            computing=computing,
            readable=asked["readable"],
            snapshot=asked["snapshot"],
            at=datetime.fromisoformat(asked["at"]) if asked["at"] else None,
        )
        engine.attach(connection, engine.Attachment(**asked["lake"]), memory_mb=asked["memory_mb"])
        try:
            reader = _readable(connection, checked.sql).limit(asked["rows"] + 1).to_arrow_reader(BATCH)
            batches, cut = _bounded(reader, rows=asked["rows"], size=asked["answer_bytes"])
            _check_moments(batches)
        except duckdb.OutOfMemoryException as error:
            raise InvalidInput(
                f"it needs more than {asked['memory_mb']} MiB: read fewer days or columns, or aggregate"
            ) from error
        except duckdb.Error as error:
            raise InvalidInput(cause(error)) from error
    return {"cut": cut, "tables": checked.tables}, batches, reader.schema


def _readable(connection: DuckDBPyConnection, sql: str) -> DuckDBPyRelation:
    """What the statement answers, each column under a name of its own; types that only DuckDB has are text."""
    found = connection.sql(sql)
    names = distinct(found.columns)
    own = [bool(_OWN_TYPES.search(str(kind))) for kind in found.types]
    if names == found.columns and not any(own):
        return found
    words = ['"' + name.replace('"', '""') + '"' for name in names]
    columns = [f"CAST({word} AS VARCHAR) AS {word}" if text else word for word, text in zip(words, own, strict=True)]
    return connection.sql(
        f"SELECT {', '.join(columns)} FROM ({sql.rstrip('; ')}) AS answer({', '.join(words)})"  # noqa: S608 (checked)
    )


def _check_moments(batches: Sequence[pa.RecordBatch]) -> None:
    """Raise InvalidInput for a moment that no calendar of people's has, such as DuckDB's infinity."""
    import pyarrow as pa
    import pyarrow.compute as pc

    days = {"s": 86_400, "ms": 86_400 * 10**3, "us": 86_400 * 10**6, "ns": 86_400 * 10**9}
    for batch in batches:
        for field, column in zip(batch.schema, batch.columns, strict=True):
            if not (pa.types.is_timestamp(field.type) or pa.types.is_date32(field.type)):
                continue
            bits, a_day = (pa.int64(), days[field.type.unit]) if pa.types.is_timestamp(field.type) else (pa.int32(), 1)
            ends = pc.min_max(column.view(bits)).as_py()
            if ends["min"] is not None and not DAYS[0] * a_day <= ends["min"] <= ends["max"] < (DAYS[1] + 1) * a_day:
                raise InvalidInput(
                    f"column {quoted(field.name)} has moments outside the years 1 to 9999: cast it to VARCHAR"
                )


def _bounded(reader: pa.RecordBatchReader, *, rows: int, size: int) -> tuple[list[pa.RecordBatch], bool]:
    """The first rows, and whether there are more."""
    found: list[pa.RecordBatch] = []
    left, room = rows, size
    for batch in reader:
        if batch.num_rows > left or batch.nbytes > room:
            few = min(left, batch.num_rows * max(room, 0) // max(batch.nbytes, 1))
            return [*found, batch.slice(0, few)], True
        found.append(batch)
        left, room = left - batch.num_rows, room - batch.nbytes
    return found, False


def main(source: BinaryIO, sink: BinaryIO) -> None:
    """Answer one question."""
    asked = json.loads(source.readline())
    confine(memory_mb=asked["memory_mb"], seconds=asked["seconds"])
    try:
        said, batches, schema = answer(asked)
    except FlightlineError as error:
        said, batches, schema = {"error": type(error).__name__, "message": str(error)}, (), None
    except MemoryError:
        said, batches, schema = {"error": "InvalidInput", "message": "it needs more memory than it may have"}, (), None
    sink.write(json.dumps(said).encode() + b"\n")
    if schema is not None:
        import pyarrow as pa

        with pa.ipc.new_stream(sink, schema) as stream:
            for batch in batches:
                stream.write_batch(batch)
    sink.flush()


if __name__ == "__main__":
    main(sys.stdin.buffer, sys.stdout.buffer)
