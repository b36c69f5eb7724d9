"""How each version did, in each stage, on what it was really asked."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict

from include.foundation.lake.layout import DAY
from include.foundation.problem.logged import numbers
from include.foundation.problem.protocol import Problem

SCHEMA = pl.Schema(
    {
        **{DAY: pl.Date(), "start": pl.Date(), "version": pl.String(), "stage": pl.String()},
        **{"rows": pl.Int64(), "labelled": pl.Int64(), "value": pl.Float64(), "metric": pl.String()},
    }
)


class Live(BaseModel):
    """What a version answered in a stage about the days of a window; JSON-able.

    Attributes:
        start: first day that was asked about.
        end: last day, inclusive.
        version: that answered.
        stage: where.
        rows: answers.
        labelled: of these, those whose label has matured.
        value: the metric on them; None where it is not defined, as without labels.
    """

    model_config = ConfigDict(frozen=True)

    start: date
    end: date
    version: str
    stage: str
    rows: int
    labelled: int
    value: float | None


def live(
    answered: pl.DataFrame, *, start: date, end: date, kind: Problem, metric: str, classes: Sequence[str]
) -> list[Live]:
    """Measure what was answered about some days, by version and stage.

    Args:
        answered: rows of the table `predictions.<use case>`; their labels, encoded.
        start: first day that is asked about.
        end: last day, inclusive.
        kind: the problem kind.
        metric: its metric.
        classes: of the labels.
    """
    found = []
    asked = answered.filter(pl.col("asked_date").is_between(start, end))
    for (version, stage), rows in asked.sort("version", "stage").group_by("version", "stage", maintain_order=True):
        labelled = rows.filter(pl.col("label").is_not_null())
        answers = numbers(labelled["answer"], classes)
        value = float("nan")
        if answers is not None and labelled.height:
            value = kind.measure(metric, labelled["label"].cast(pl.Float64).to_numpy(), answers)(None)
        found.append(
            Live(
                start=start,
                end=end,
                version=str(version),
                stage=str(stage),
                rows=rows.height,
                labelled=labelled.height,
                value=value if np.isfinite(value) else None,
            )
        )
    return found


def rows_of(lives: Sequence[Live], metric: str) -> pl.DataFrame:
    """A row a window, version and stage, on the window's last day, for the table `monitoring.<use case>__live`."""
    rows = [{DAY: each.end, **each.model_dump(exclude={"end"}), "metric": metric} for each in lives]
    return pl.DataFrame(rows, schema=SCHEMA)


def of_row(row: Mapping[str, Any]) -> Live:
    """What a row of that table says."""
    return Live.model_validate({"end": row[DAY], **{name: row[name] for name in Live.model_fields if name != "end"}})
