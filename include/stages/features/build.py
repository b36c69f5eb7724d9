"""Build gold for a range of days: read silver, compute, look for leaks, replace the days in one commit."""

import logging
import math
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, timedelta
from typing import cast

import polars as pl
from pydantic import BaseModel, ConfigDict

from include.engine import Output, Sink, engine
from include.foundation.errors import MissingInput
from include.foundation.lake import Lake, tables
from include.foundation.lake.change import Replace
from include.foundation.lake.chunks import chunks
from include.foundation.problem import problem
from include.foundation.spec import UseCase, blame, module
from include.stages.features import leak
from include.stages.features.gold import join_history, to_gold
from include.stages.features.landed import Landings, as_landed
from include.stages.features.silver import Silver
from include.stages.features.stale import made_by_other_code, origin, stale

log = logging.getLogger(__name__)
GOLD = "gold"
# Rows of silver whose gold is made at once: each is there several times as wide, joined and checked, and with its
# chunk come the days before it.
ROWS = 25_000


class Report(BaseModel):
    """What a run did; JSON-able.

    Attributes:
        use_case: the use case.
        first: first day that was looked at.
        last: last day that was looked at.
        days: the days that were built and have rows now.
        rows: rows written.
        labelled: of these, rows with a label.
        snapshot_id: gold as it is now.
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
    """Bring gold up to date for every day that depends on silver of `start` to `end` (inclusive).

    These are the range, `lookback_days` after it, whose features look back into it, and `label_days` before it, whose
    labels look ahead into it; as far as silver has them. The newest days, as many as training learns from, are looked
    at too where other code made them: a training window is of one code. Of all these the span is built that has all
    `stale` days. What a day's rows are does not depend on the range that computed them: runs may overlap, and come in
    any order.

    Args:
        lake: the lake.
        spec: the use case.
        start: first day.
        end: last day, inclusive.

    Raises:
        MissingInput: silver has no rows in the range, nor had gold.
        InvalidInput: the use case's code breaks its agreements (see docs/ARCHITECTURE.md), or labels are not those of
            its problem kind.
        LeakFound: a feature uses what was not known. Nothing was published.
        ServiceUnavailable: other writers were faster for five minutes. Nothing was published.
    """
    silver = Silver.current(lake, spec)
    first, last = silver.first_affected(start), silver.last_affected(start, end)
    looked_at = {
        *(day for day in silver.days if first <= day <= last),
        *tables.counts(lake, spec.gold, start=first, end=last),
    }
    looked_at |= _of_other_code(lake, spec)
    if not looked_at:
        raise MissingInput(f"silver of {spec.name} has no rows from {first} to {last}: run {spec.name}.ingest first")
    todo = stale(silver, looked_at)
    log.info("%s: gold from %s to %s: %d of %d days to build", spec.name, first, last, len(todo), len(looked_at))
    days = [day for day in silver.days if todo and min(todo) <= day <= max(todo)]
    rows = labelled = 0
    if todo:
        rows, labelled = _replace(silver, days, {*days, *todo})
    return Report(
        use_case=spec.name,
        first=min(first, *looked_at),
        last=max(looked_at),
        days=tuple(days),
        rows=rows,
        labelled=labelled,
        snapshot_id=cast("int", tables.current_snapshot_id(lake, spec.gold)),
        silver=dict(silver.snapshots),
    )


def _of_other_code(lake: Lake, spec: UseCase) -> set[date]:
    """Days of gold that training would learn from and that were not made by the code of here."""
    days = tables.days(lake, spec.gold)
    window = timedelta(days=spec.training.window_days)
    found = set(made_by_other_code(lake, spec, [day for day in days if day > days[-1] - window]))
    if found:
        log.info("%s: other code made %d days from %s to %s", spec.gold, len(found), min(found), max(found))
    return found


def _replace(silver: Silver, days: Sequence[date], replaced: Collection[date]) -> tuple[int, int]:
    """Rows and labels of the days that silver has, in the place of those of all days to be replaced."""
    spec = silver.spec
    # Without days there are still columns, with which gold's days are emptied.
    some = days[0] if days else min(replaced)
    gold = Output(
        table=spec.gold, schema=lambda: compute(silver, some, some).schema, change=Replace(frozenset(replaced))
    )
    staged = engine(spec.engine.name).stage(silver.lake, GoldRows(spec, silver.snapshots), days, {GOLD: gold})
    with ExitStack() as stack:
        stack.callback(staged.discard)
        staged.commit(GOLD, origin(silver))
    return sum(note["rows"] for note in staged.notes), sum(note["labelled"] for note in staged.notes)


@dataclass(frozen=True)
class GoldRows:
    """Work (`engine.Work`): gold of days.

    Attributes:
        spec: the use case.
        snapshots: source -> the snapshot of silver that is read.
    """

    spec: UseCase
    snapshots: Mapping[str, int]

    def __call__(self, lake: Lake, days: Sequence[date], sink: Sink) -> dict[str, int]:
        """The days' rows."""
        silver = Silver(lake, self.spec, self.snapshots)
        rows = labelled = 0
        parts = [*chunks(days, silver.rows, most=ROWS)]
        # A leak shows at any moment: the moments are those of the call, and every chunk has one at least.
        samples = math.ceil(leak.SAMPLES / max(1, len(parts)))
        for chunk in parts:
            gold = compute(silver, chunk[0], chunk[-1], samples=samples)
            sink.write(GOLD, gold)
            rows += gold.height
            labelled += gold["label"].count()
            log.info("%s to %s: %d rows", chunk[0], chunk[-1], gold.height)
        return {"rows": rows, "labelled": labelled}


def compute(silver: Silver, first: date, last: date, *, samples: int = leak.SAMPLES) -> pl.DataFrame:
    """Gold rows of the days `first` to `last` by the code of here, looked at for leaks at so many moments.

    Raises as `build` does.
    """
    features = module(silver.spec.name, "features")
    frames = silver.read(first, last)
    with blame(features):
        joined = join_history(features, frames, first, last)
        gold = to_gold(features, frames, joined)
        problem(silver.spec.problem).check_labels(gold["label"], gold["id"])
        leak.check(features, silver.spec, silver=frames, joined=joined, gold=gold, samples=samples)
        if (hours := silver.spec.features.late_hours) is not None:
            gold = as_landed(features, frames, gold, Landings.of(silver.lake, silver.spec, timedelta(hours=hours)))
    return gold
