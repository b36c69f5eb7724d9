"""What executors run: the work on some days, its rows as Arrow batches of one wide schema, and its note as a last row.

A row belongs to one output: it has that output's columns, and nulls in those of the others. Rows wait in a file of the
executor until the work is done, for the work may take back what it has written.
"""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from include.foundation.echo import listing
from include.foundation.errors import InvalidInput, PermanentError
from include.foundation.lake.layout import DAY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date

    import polars as pl
    import pyarrow as pa

    from include.engine.protocol import Work
    from include.foundation.lake import Lake
    from include.foundation.lake.change import Replace

OUTPUT, NOTE = "output", "note"
ROWS = 10_000  # of a batch


def column(output: str, name: str) -> str:
    """The wide schema's name of an output's column."""
    return f"{output}.{name}"


@dataclass(frozen=True)
class Task:
    """The work on parts of the days, as `mapInArrow` calls it.

    Attributes:
        lake: the lake; no client of it is open yet.
        work: what to do.
        parts: the days of each part.
        schemas: the columns of each output, as its table has them.
        changes: the days that each output may have.
    """

    lake: Lake
    work: Work
    parts: Sequence[Sequence[date]]
    schemas: Mapping[str, pa.Schema]
    changes: Mapping[str, Replace]

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Rows of the parts whose numbers come."""
        for batch in batches:
            for number in batch.column(0).to_pylist():
                yield from self._part(number)

    @property
    def schema(self) -> pa.Schema:
        """The wide schema."""
        import pyarrow as pa

        fields = [
            pa.field(column(output, each.name), each.type) for output, schema in self.schemas.items() for each in schema
        ]
        return pa.schema(
            [pa.field("part", pa.int64()), pa.field(OUTPUT, pa.string()), pa.field(NOTE, pa.string()), *fields]
        )

    def _part(self, number: int) -> Iterator[pa.RecordBatch]:
        with Spill(self.schemas, self.changes) as spill:
            try:
                note: dict[str, Any] = {"note": self.work(self.lake, self.parts[number], spill)}
            except PermanentError as fault:
                # Spark would try it again, and tell a stack of its own.
                spill.clear()
                note = {"fault": type(fault).__name__, "message": str(fault)}
            for output, batch in spill.batches():
                yield self._wide(batch.num_rows, number, output, None, {output: batch})
        yield self._wide(1, number, None, json.dumps(note), {})

    def _wide(
        self, rows: int, part: int, output: str | None, note: str | None, given: Mapping[str, pa.RecordBatch]
    ) -> pa.RecordBatch:
        import pyarrow as pa

        columns = [pa.array([part] * rows, pa.int64()), pa.array([output] * rows), pa.array([note] * rows)]
        for name, schema in self.schemas.items():
            columns += given[name].columns if name in given else [pa.nulls(rows, each.type) for each in schema]
        schema = self.schema
        return pa.RecordBatch.from_arrays(
            [each.cast(field.type) for each, field in zip(columns, schema, strict=True)], schema=schema
        )


class Spill:
    """A sink that keeps rows in files of this machine."""

    def __init__(self, schemas: Mapping[str, pa.Schema], changes: Mapping[str, Replace]) -> None:
        # Spark names folders for such files, of which it may have several.
        self._folder = os.environ.get("SPARK_LOCAL_DIRS", "").split(",")[0] or None
        self._schemas, self._changes = schemas, changes
        self._files: dict[str, tuple[IO[bytes], pa.RecordBatchStreamWriter]] = {}

    def __enter__(self) -> Spill:
        return self

    def __exit__(self, *error: object) -> None:
        self.clear()

    def write(self, output: str, rows: pl.DataFrame) -> None:
        """As `Sink` says."""
        import polars as pl
        import pyarrow as pa

        schema = self._schemas[output]
        if strange := self._changes[output].refused(rows[DAY].unique().to_list()):
            raise InvalidInput(f"{output}: rows of {listing(sorted(strange))} are not of the days to be replaced")
        if output not in self._files:
            file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115 (`clear` closes it)
            self._files[output] = file, pa.ipc.new_stream(file, schema)
        table = rows.to_arrow(compat_level=pl.CompatLevel.oldest())
        filled = [
            table[each.name].cast(each.type) if each.name in table.column_names else pa.nulls(len(table), each.type)
            for each in schema
        ]
        self._files[output][1].write_table(pa.table(filled, schema=schema), max_chunksize=ROWS)

    def clear(self) -> None:
        """As `Sink` says."""
        for file, writer in self._files.values():
            writer.close()
            file.close()
        self._files.clear()

    def batches(self) -> Iterator[tuple[str, pa.RecordBatch]]:
        """All rows, output by output, each in the order in which they came."""
        import pyarrow as pa

        for output, (file, writer) in self._files.items():
            writer.close()
            file.seek(0)
            for batch in pa.ipc.open_stream(file):
                yield output, batch
