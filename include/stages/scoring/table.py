"""The table `scores.<use case>`: a row for each row of gold, with the answer of one version.

A day's rows are of one version: scoring replaces whole days, in one commit for all of them.
"""

from collections.abc import Callable, Sequence
from datetime import date

import polars as pl

from include.foundation.artifact import Metadata, Scorer, score
from include.foundation.artifact.scoring import Encoder
from include.foundation.evidence.manifest import content_key
from include.foundation.history.join import EVENT_TIME, UTC
from include.foundation.lake import Lake
from include.foundation.lake.change import Replace
from include.foundation.lake.commit import TableWriter
from include.foundation.lake.commit_log import RUN_KEY
from include.foundation.lake.layout import DAY
from include.foundation.problem import problem
from include.foundation.problem.protocol import Answers
from include.foundation.spec import UseCase
from include.stages.scoring.pending import DIGEST, GOLD, VERSION

CLASS = "class"
ROWS = 100_000  # that are scored at once


def schema(metadata: Metadata) -> pl.Schema:
    """Columns of the table, for the answers of a model file.

    The answers are in the column that the model file's output is called: a number, or a list in the order of the file's
    classes, beside the likeliest `class`.
    """
    output = metadata.output
    answers = (
        {CLASS: pl.String(), output.name: pl.List(pl.Float32)} if output.per_class else {output.name: pl.Float32()}
    )
    return pl.Schema(
        {
            **{"id": pl.String(), DAY: pl.Date(), EVENT_TIME: UTC},
            **answers,
            **{VERSION: pl.String(), DIGEST: pl.String(), GOLD: pl.Int64(), RUN_KEY: pl.String()},
        }
    )


def answered(metadata: Metadata, answers: Answers) -> dict[str, pl.Series]:
    """Answers [n] or [n, classes] as columns, to the bit. Raises InvalidInput if one is not finite."""
    output, types = metadata.output, schema(metadata)
    problem(metadata.problem).check_answers(answers, rows=len(answers), classes=metadata.classes)
    columns = {output.name: pl.Series(answers.tolist(), dtype=types[output.name])}
    if output.per_class:
        columns[CLASS] = pl.Series(metadata.classes, dtype=pl.String).gather(answers.argmax(axis=1))
    return columns


def replace(
    lake: Lake,
    spec: UseCase,
    days: Sequence[date],
    *,
    read: Callable[[date], pl.DataFrame],
    part: Encoder,
    scorer: Scorer,
    version: str,
    snapshot_id: int,
) -> int:
    """Replace days by the answers of one version; days without rows become empty.

    A day is in memory at a time. The same days of the same state of gold, by the same version, have the same run key.

    Args:
        lake: the lake.
        spec: the use case.
        days: at least one.
        read: gives a day's rows: `id`, `event_date`, `event_time`, the features, and `gold_snapshot`.
        part: the use case's `model` module.
        scorer: the version's model file.
        version: the version.
        snapshot_id: the state of gold.

    Returns:
        The number of rows.

    Raises:
        InvalidInput: the model file wants a feature that is gone, or answers with what is no finite number.
        ServiceUnavailable: other writers were faster for five minutes; nothing was changed.
    """
    columns, said = schema(scorer.metadata), {VERSION: version, DIGEST: scorer.digest}
    key = content_key(use_case=spec.name, **said, gold=str(snapshot_id), days=[day.isoformat() for day in days])
    writer, count = TableWriter(lake, spec.scores, schema=columns, change=Replace(frozenset(days))), 0
    try:
        for day in days:
            for rows in read(day).sort(EVENT_TIME, "id").iter_slices(ROWS):
                found = rows.with_columns(
                    **answered(scorer.metadata, score(part, scorer, rows)),
                    **{name: pl.lit(value) for name, value in {**said, RUN_KEY: key}.items()},
                )
                writer.write(found.select(columns.names()))
                count += rows.height
        writer.commit({**said, GOLD: str(snapshot_id), RUN_KEY: key, "rows": str(count)})
    finally:
        writer.discard()
    return count
