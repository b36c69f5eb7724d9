"""The process that answers one question and ends: `python -m include.warehouse.worker`.

It reads one line of JSON, gives up what it does not need, and writes one line of JSON and, if it has one, the answer as
an Arrow stream. It can write no file and has no environment worth reading.
"""

from __future__ import annotations

import json
import resource
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Any, BinaryIO

from include.foundation.echo import cause
from include.foundation.errors import FlightlineError, InvalidInput
from include.warehouse import engine, statement

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

BATCH = 2_048
OVERHEAD_MB = 1_536  # private memory beside the engine's limit: libraries, the parser, the answer


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
            reader = connection.sql(checked.sql).limit(asked["rows"] + 1).to_arrow_reader(BATCH)
            batches, cut = _bounded(reader, rows=asked["rows"], size=asked["answer_bytes"])
        except duckdb.OutOfMemoryException as error:
            raise InvalidInput(
                f"it needs more than {asked['memory_mb']} MiB: read fewer days or columns, or aggregate"
            ) from error
        except duckdb.Error as error:
            raise InvalidInput(cause(error)) from error
    return {"cut": cut, "tables": checked.tables}, batches, reader.schema


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
