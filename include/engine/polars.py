"""polars in this process: one pass over all days, a bounded number of rows at a time. The default."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from include.foundation.lake.commit import TableWriter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    import polars as pl

    from include.engine.protocol import Output, Work
    from include.foundation.lake import Lake


class Polars:
    """See `protocol.Engine`."""

    def stage(self, lake: Lake, work: Work, days: Sequence[date], outputs: Mapping[str, Output]) -> Files:
        """Write data files while the rows stream by; they belong to no table until the commits."""
        files = Files(lake, outputs)
        with ExitStack() as stack:
            stack.callback(files.discard)
            files.notes = [work(lake, days, files)]
            files.close()
            stack.pop_all()
        return files


class Files:
    """Data files, written and not committed: a sink, and what is staged.

    Rows of each output are encoded and sent while the next ones are made; never more of one output than were last
    written.
    """

    def __init__(self, lake: Lake, outputs: Mapping[str, Output]) -> None:
        self._lake, self._outputs = lake, outputs
        self._writers: dict[str, TableWriter] = {}
        self._pool = ThreadPoolExecutor(max(1, len(outputs)))
        self._sending: dict[str, Future[None]] = {}
        self.notes: Sequence[Any] = ()

    def close(self) -> None:
        """See that all rows are sent, and that every output has a writer, also those without rows."""
        for output in [*self._sending]:
            self._sent(output)
        for name in self._outputs.keys() - self._writers.keys():
            self._open(name, self._outputs[name].schema())
        self._pool.shutdown()

    def write(self, output: str, rows: pl.DataFrame) -> None:
        """As `Sink` says. What went wrong with an output's rows is raised by its next call, or by `close`."""
        if output not in self._writers:
            self._open(output, rows.schema)
        self._sent(output)
        self._sending[output] = self._pool.submit(self._writers[output].write, rows)

    def clear(self) -> None:
        """As `Sink` says."""
        wait(self._sending.values())
        self._sending.clear()
        for writer in self._writers.values():
            writer.discard()

    def commit(self, output: str, summary: Mapping[str, str]) -> int:
        """As `Staged` says."""
        return self._writers[output].commit(summary)

    def discard(self) -> None:
        """As `Staged` says."""
        self.clear()
        self._pool.shutdown()

    def _sent(self, output: str) -> None:
        if coming := self._sending.pop(output, None):
            coming.result()

    def _open(self, name: str, schema: pl.Schema) -> None:
        output = self._outputs[name]
        self._writers[name] = TableWriter(self._lake, output.table, schema=schema, change=output.change)
