"""The engine `spark`: see `protocol.Engine`.

The work is done once: its rows are kept on the executors' disks, the notes come to the driver, and each commit writes
its output's rows from there. What is lost with an executor is made again, which gives the same rows; a driver that is
lost leaves whole commits or none.
"""

from __future__ import annotations

import json
import math
import uuid
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from include.engine.spark.session import CATALOG, session
from include.engine.spark.tasks import NOTE, OUTPUT, Task, column
from include.foundation import errors
from include.foundation.echo import cut
from include.foundation.errors import FlightlineError, InvalidInput, ServiceUnavailable
from include.foundation.lake import tables
from include.foundation.lake.catalog import retry_commit
from include.foundation.lake.commit import COMMIT
from include.foundation.lake.commit_log import log, ranges
from include.foundation.lake.layout import DAY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import date

    import pyarrow as pa
    from pyspark.sql import Column, DataFrame

    from include.engine.protocol import Output, Work
    from include.foundation.lake import Lake
    from include.foundation.lake.change import Replace

PARTS = 4  # that a core gets, so that none waits long for the last one
TOLD = 20  # faults in a message
SHOWN = 2_000  # characters of what Spark said


class Spark:
    """See the module."""

    def stage(self, lake: Lake, work: Work, days: Sequence[date], outputs: Mapping[str, Output]) -> Kept:
        """Run the work on the executors."""
        from pyspark import StorageLevel
        from pyspark.sql.pandas.types import from_arrow_schema, to_arrow_schema

        spark = session(lake)
        schemas = {}
        for name, output in outputs.items():
            tables.ensure_table(lake, output.table, output.schema())
            # All of the table's columns: Spark asks for those too that the rows lack.
            schemas[name] = to_arrow_schema(spark.table(f"{CATALOG}.{output.table}").schema)
        parts = divide(days, spark.sparkContext.defaultParallelism * PARTS)
        changes = {name: output.change for name, output in outputs.items()}
        # A lake of its own: clients that are open cannot travel.
        task = Task(replace(lake), work, parts, schemas, changes)
        rows = spark.range(0, len(parts), 1, len(parts)).mapInArrow(task, from_arrow_schema(task.schema))
        kept = Kept(lake, outputs, schemas, rows.persist(StorageLevel.DISK_ONLY))
        try:
            kept.read_notes()
        except BaseException:
            kept.discard()
            raise
        return kept


class Kept:
    """Rows on the executors' disks (`protocol.Staged`)."""

    def __init__(
        self, lake: Lake, outputs: Mapping[str, Output], schemas: Mapping[str, pa.Schema], rows: DataFrame
    ) -> None:
        self._lake, self._outputs, self._schemas, self._rows = lake, outputs, schemas, rows
        self.notes: Sequence[Any] = ()

    def read_notes(self) -> None:
        """Have the work done, and read its notes.

        Raises:
            FlightlineError: the work raised it; of several faults, one of their kind that says them all.
            ServiceUnavailable: tasks failed for another reason, again and again.
        """
        with _spark_errors("the work"):
            told = self._rows.where(f"{NOTE} is not null").orderBy("part").select(NOTE).collect()
        notes = [json.loads(row[NOTE]) for row in told]
        if faults := [each for each in notes if "fault" in each]:
            texts = [each["message"] for each in faults[:TOLD]]
            if len(faults) > TOLD:
                texts.append(f"and {len(faults) - TOLD:,} more")
            kind: type[FlightlineError] = getattr(errors, faults[0]["fault"], InvalidInput)
            raise kind("\n".join(texts))
        self.notes = [each["note"] for each in notes]

    def commit(self, output: str, summary: Mapping[str, str]) -> int:
        """As `Staged` says."""
        made = self._outputs[output]
        table = tables.load(self._lake, made.table)
        token = str(uuid.uuid4())
        said = {**summary, **made.change.summary(table, (), ()), COMMIT: token}
        names = self._schemas[output].names
        writer = (
            self._rows.where(f"{OUTPUT} = '{output}'")
            .selectExpr(*(f"`{column(output, name)}` as `{name}`" for name in names))
            .writeTo(f"{CATALOG}.{made.table}")
            # A day's rows come from one task, in order: they stay together and are not shuffled.
            .option("distribution-mode", "none")
            .option("fanout-enabled", "true")
            .options(**{f"snapshot-property.{name}": value for name, value in said.items()})
        )

        def attempt() -> int:
            with _spark_errors(made.table, committed=lambda: _find(self._lake, made.table, token) is not None):
                writer.overwrite(_of_days(made.change))
            snapshot_id = _find(self._lake, made.table, token)
            if snapshot_id is None:
                raise ServiceUnavailable(f"{made.table}: Spark's commit is not in the table's log; run it again")
            return snapshot_id

        return retry_commit(self._lake, table, attempt)

    def discard(self) -> None:
        """As `Staged` says."""
        self._rows.unpersist()


@contextmanager
def _spark_errors(what: str, *, committed: Callable[[], bool] = lambda: False) -> Iterator[None]:
    """Say in this project's words what Spark raised.

    Args:
        what: how messages call what was done.
        committed: whether a commit is there, though its answer was lost.

    Raises:
        CommitFailedException: another writer was faster.
        ServiceUnavailable: anything else: Spark has tried the tasks again already, a new run may have more luck.
    """
    from py4j.protocol import Py4JError
    from pyiceberg.exceptions import CommitFailedException
    from pyspark.errors import PySparkException

    try:
        yield
    except (Py4JError, PySparkException) as error:
        if committed():
            return
        if "CommitFailedException" in str(error):
            raise CommitFailedException(f"{what}: another writer was faster") from error
        raise ServiceUnavailable(f"{what}: Spark failed: {cut(str(error), SHOWN)}") from error


def _find(lake: Lake, identifier: str, token: str) -> int | None:
    """The snapshot of the commit with this token."""
    return next(
        (each.snapshot_id for each in log(tables.load(lake, identifier)) if each.summary.get(COMMIT) == token), None
    )


def _of_days(change: Replace) -> Column:
    """The rows that leave: whole days, as ranges (Iceberg compares files with a few ranges at once)."""
    from pyspark.sql import functions

    day = functions.col(DAY)
    found = functions.lit(False)
    for first, last in ranges(sorted(change.days)):
        found = found | day.between(functions.lit(first), functions.lit(last))
    return found


def divide(days: Sequence[date], most: int) -> list[list[date]]:
    """Days in at most so many runs of about the same length; one without days where there are none."""
    size = math.ceil(len(days) / most) or 1
    return [[*days[at : at + size]] for at in range(0, len(days), size)] or [[]]
