"""Silver and quarantine of a topic: what the contract says of bronze, day by day.

A day of both is made from all of the day's rows in bronze and replaces what was there: a late message, one that comes
twice and a run that was cut off need nothing of their own. Silver's commits say which state of bronze they were made
from; the days of later commits of bronze are still to be made.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from contextlib import ExitStack
from datetime import date
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

import polars as pl
from pydantic import BaseModel, ConfigDict

from include.foundation.errors import MissingInput
from include.foundation.lake import tables
from include.foundation.lake.commit import TableWriter
from include.foundation.lake.commit_log import RUN_KEY, log
from include.stages.ingest.contracts import contract_of
from include.stages.ingest.hourly import ReplaceHeld
from include.stages.ingest.tally import SHOWN, Tally
from include.stages.ingest.topics.messages import FAULT, schema
from include.stages.quality import judge
from include.stages.quality.verdict import REASONS, Verdict

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from include.foundation.lake import Lake
    from include.foundation.spec import UseCase
    from include.foundation.spec.topics import Topic
    from include.stages.quality import Contract

MADE_FROM = "bronze_snapshot"


class Derived(BaseModel):
    """What became of the days of one source; JSON-able. `over_budget`: more rows fail than the spec allows."""

    model_config = ConfigDict(frozen=True)

    source: str
    days: tuple[date, ...]
    landed: int
    quarantined: int
    reasons: dict[str, int]
    over_budget: bool


def derive(lake: Lake, spec: UseCase, source: Topic, *, run_id: str, days: Collection[date] = ()) -> Derived:
    """Make silver and quarantine anew for all days of which bronze got rows since silver was made, and for `days`.

    The budget for quarantined rows stops nothing here, as the rows are in bronze already and later ones must get in.

    Raises:
        InvalidInput: the contract cannot be evaluated.
        RetryableError: another run made some of these days meanwhile.
    """
    tally = Tally(source.name)
    behind, made_from = _behind(lake, spec, source)
    wanted = sorted(behind | ({*days} & {*tables.days(lake, spec.table("bronze", source.name))}))
    if wanted and made_from is not None:
        _make(lake, spec, source, wanted, made_from=made_from, tally=tally, run_id=run_id)
    return Derived(
        source=source.name,
        days=tuple(wanted),
        landed=tally.landed,
        quarantined=tally.quarantined,
        reasons=_most(tally),
        over_budget=tally.quarantined > Fraction(str(spec.quality.quarantine_budget)) * tally.landed,
    )


def _make(
    lake: Lake, spec: UseCase, source: Topic, days: Sequence[date], *, made_from: int, tally: Tally, run_id: str
) -> None:
    contract = contract_of(spec, source.contract)
    bronze = schema(contract.landed)
    schemas: dict[Literal["quarantine", "silver"], pl.Schema] = {
        "quarantine": pl.Schema({**bronze, REASONS: pl.List(pl.String), "run_id": pl.String()}),
        "silver": contract.silver(),
    }
    with ExitStack() as stack:
        writers = {}
        for layer, each in schemas.items():
            identifier = spec.table(layer, source.name)
            change = ReplaceHeld.of(lake, identifier, days)
            writers[layer] = TableWriter(lake, identifier, schema=each, change=change)
            stack.callback(writers[layer].discard)
        # Only now, so that a run that made them from a later state in between is seen at the commit.
        for day in days:
            rows = tables.read(lake, spec.table("bronze", source.name), start=day, end=day, columns=bronze.names())
            for verdict in verdicts(contract, source, rows):
                tally.add(verdict)
                writers["quarantine"].write(verdict.failed.with_columns(run_id=pl.lit(run_id)))
                writers["silver"].write(verdict.passed)
        summary = {
            RUN_KEY: hashlib.sha256(json.dumps([made_from, run_id]).encode()).hexdigest(),
            "run_id": run_id,
            "landed": str(tally.landed),
            "quarantined": str(tally.quarantined),
            "reasons": json.dumps(_most(tally)),
            MADE_FROM: str(made_from),
        }
        for writer in writers.values():
            writer.commit(summary)


def verdicts(contract: Contract, source: Topic, rows: pl.DataFrame) -> Iterator[Verdict]:
    """Of the rows of a day: those that are none by themselves, and those that the contract judges."""
    faulty = rows.filter(pl.col(FAULT).is_not_null())
    if faulty.height:
        # The fault without what it says of one message, and the first such row.
        kinds = [": ".join(text.split(": ")[:2]) for text in faulty[FAULT]]
        yield Verdict(
            passed=pl.DataFrame(schema=contract.silver()),
            failed=faulty.with_columns(pl.concat_list(FAULT).alias(REASONS)),
            counts=Counter(kinds),
            examples={kind: index for index, kind in reversed([*enumerate(kinds)])},
        )
    yield judge(contract, rows.filter(pl.col(FAULT).is_null()), null_values=source.null_values)


def _behind(lake: Lake, spec: UseCase, source: Topic) -> tuple[set[date], int | None]:
    """Days of which bronze got rows since silver was made; and the state of bronze that has them, None without any."""
    bronze = spec.table("bronze", source.name)
    try:
        table = tables.load(lake, bronze)
    except MissingInput:
        return set(), None
    made_from = bronze_state(lake, spec.table("silver", source.name))
    days: set[date] = set()
    for commit in log(table):
        if str(commit.snapshot_id) == made_from:
            break
        days |= {*tables.days(lake, bronze)} if commit.days is None else commit.days
    head = table.current_snapshot()
    return days, head.snapshot_id if head else None


def bronze_state(lake: Lake, silver: str) -> str | None:
    """The state of bronze that a table of silver was made from; None where it was not made yet."""
    try:
        return next((c.summary[MADE_FROM] for c in log(tables.load(lake, silver)) if MADE_FROM in c.summary), None)
    except MissingInput:
        return None


def _most(tally: Tally) -> dict[str, int]:
    """The most frequent reasons."""
    return dict(tally.reasons.most_common(SHOWN))
