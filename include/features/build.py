"""Build gold for a range of days: read silver, compute, look for leaks, replace the days in one commit."""

import json
import logging
from contextlib import ExitStack
from datetime import date
from types import ModuleType
from typing import cast

import polars as pl
from pydantic import BaseModel, ConfigDict

from include.errors import MissingInput
from include.features import leak
from include.features.gold import join_history, to_gold
from include.features.silver import Silver
from include.lake import Lake, tables
from include.lake.commit import Staged
from include.spec import UseCase, module

log = logging.getLogger(__name__)
CHUNK = 31  # days computed at once


class Report(BaseModel):
    """What a run did; JSON-able.

    Attributes:
        use_case: the use case.
        first: first day that was replaced.
        last: last day that was replaced.
        days: the days that have rows now.
        rows: rows written.
        labelled: of these, rows with a label.
        snapshot_id: the commit of gold.
        silver: source -> the snapshot that was read.
    """

    model_config = ConfigDict(frozen=True)

    use_case: str
    first: date
    last: date
    days: tuple[date, ...]
    rows: int
    labelled: int
    snapshot_id: int
    silver: dict[str, int]


def build(lake: Lake, spec: UseCase, start: date, end: date) -> Report:
    """Replace gold of every day that depends on silver of `start` to `end` (inclusive).

    These are the range and, since later days look back into it, `lookback_days` more, as far as silver has them. What a
    day's rows are does not depend on the range that computed them: runs may overlap, and come in any order.

    Args:
        lake: the lake.
        spec: the use case.
        start: first day.
        end: last day, inclusive.

    Raises:
        MissingInput: silver has no rows in the range, nor had gold.
        InvalidInput: the use case's code breaks its agreements (see docs/ARCHITECTURE.md).
        LeakFound: a feature uses what was not known. Nothing was published.
        ServiceUnavailable: other writers were faster for five minutes. Nothing was published.
    """
    features = module(spec.name, "features")
    silver = Silver.current(lake, spec)
    last = silver.last_affected(start, end)
    days = [day for day in silver.days if start <= day <= last]
    replaced = {*days, *tables.counts(lake, spec.gold, start=start, end=last)}
    if not replaced:
        raise MissingInput(f"silver of {spec.name} has no rows from {start} to {last}: run {spec.name}.ingest first")
    log.info("%s: gold of %d days from %s to %s", spec.name, len(replaced), start, last)
    with ExitStack() as stack:
        staged: Staged | None = None
        rows = labelled = 0
        # An empty range still gives columns, with which gold's days are emptied.
        for chunk in [days[n : n + CHUNK] for n in range(0, len(days), CHUNK)] or [[start]]:
            gold = _gold(features, silver, chunk[0], chunk[-1])
            if staged is None:
                staged = Staged(lake, spec.gold, schema=gold.schema, days=replaced)
                stack.callback(staged.discard)
            staged.write(gold)
            rows += gold.height
            labelled += gold["label"].count()
            log.info("%s to %s: %d rows", chunk[0], chunk[-1], gold.height)
        snapshot_id = cast("Staged", staged).commit(
            {
                "made_from": json.dumps({spec.table("silver", name): n for name, n in silver.snapshots.items()}),
                "spec": spec.digest,
            }
        )
    return Report(
        use_case=spec.name,
        first=start,
        last=max(days, default=last),
        days=tuple(days),
        rows=rows,
        labelled=labelled,
        snapshot_id=snapshot_id,
        silver=dict(silver.snapshots),
    )


def _gold(features: ModuleType, silver: Silver, first: date, last: date) -> pl.DataFrame:
    frames = silver.read(first, last)
    joined = join_history(features, frames, first, last)
    gold = to_gold(features, frames, joined)
    leak.check(features, silver.spec, silver=frames, joined=joined, gold=gold)
    return gold
