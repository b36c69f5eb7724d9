"""Quarantined rows once more, after a fix: their days are judged again from bronze, by the contract of today.

Days are judged whole, as in every run, since uniqueness is over a day: what passes enters silver, and what fails stays
in quarantine with the reasons of today. Silver is committed before quarantine. A replay that is cut off in between
leaves rows in both, and the next one, of this run or another, finds them in quarantine and finishes.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from datetime import date
from typing import TYPE_CHECKING, Literal

import polars as pl
from pydantic import BaseModel, ConfigDict

from include.foundation.echo import listing, quoted
from include.foundation.errors import BudgetExceeded, InvalidInput, MissingInput, PermanentError, RetryableError
from include.foundation.evidence.code import digest
from include.foundation.evidence.manifest import content_key
from include.foundation.lake import tables
from include.foundation.lake.commit import TableWriter
from include.foundation.lake.commit_log import RUN_KEY, changed_since, find_commit
from include.foundation.spec.topics import Topic
from include.stages.ingest import history, rows
from include.stages.ingest.contracts import contract_of
from include.stages.ingest.hourly import ReplaceHeld
from include.stages.ingest.publish import code_of
from include.stages.ingest.reconcile import REPLAYED, state_of
from include.stages.ingest.tally import SHOWN, Tally
from include.stages.ingest.topics import messages, silver
from include.stages.quality import judge
from include.stages.quality.contract import DAY
from include.stages.quality.days import Days
from include.stages.quality.verdict import REASONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Self

    from include.foundation.lake import Lake
    from include.foundation.spec import UseCase
    from include.foundation.spec.use_case import AnySource
    from include.stages.quality import Contract, Verdict

Layer = Literal["silver", "quarantine"]
LAYERS: tuple[Layer, ...] = ("silver", "quarantine")  # in the order of their commits


class Replay(BaseModel):
    """What is to be judged again; small enough for an XCom.

    Attributes:
        use_case: its name.
        source: whose rows.
        days: the days with rows that were asked for.
        rows: how many these are.
        snapshot_id: the state of bronze.
    """

    model_config = ConfigDict(frozen=True)

    use_case: str
    source: str
    days: tuple[date, ...]
    rows: int
    snapshot_id: int

    @classmethod
    def of(
        cls,
        lake: Lake,
        spec: UseCase,
        source: str,
        *,
        run: str | None = None,
        reason: str | None = None,
        start: date | None = None,
        end: date | None = None,
    ) -> Self:
        """Find the days of quarantined rows.

        Args:
            lake: the lake.
            spec: the use case.
            source: name of a source.
            run: only rows that this run quarantined.
            reason: only rows that have a reason with this text in it.
            start: first day; None is the first there is.
            end: last day, inclusive; None is the last there is.

        Raises:
            InvalidInput: there are no such rows.
        """
        table = spec.table("quarantine", source)
        try:
            held = tables.read(lake, table, start=start, end=end, columns=[DAY, REASONS, "run_id"])
        except MissingInput:  # who asks knows of rows: waiting would bring none
            raise InvalidInput(
                f"{table} does not exist: nothing was ingested, so nothing is to be judged again"
            ) from None
        if run:
            held = held.filter(pl.col("run_id") == run)
        if reason:
            named = pl.element().str.contains(reason, literal=True)
            held = held.filter(pl.col(REASONS).list.eval(named).list.any())
        if held.is_empty():
            asked = {"of run": run, "with the reason": reason, "from": start, "to": end}
            which = " ".join(f"{word} {quoted(str(value))}" for word, value in asked.items() if value)
            raise InvalidInput(f"{table} has no rows {which}".rstrip() + ": nothing is to be judged again")
        snapshot_id = tables.current_snapshot_id(lake, spec.table("bronze", source))
        days = tuple(sorted(held[DAY].unique()))
        return cls(use_case=spec.name, source=source, days=days, rows=held.height, snapshot_id=snapshot_id or 0)

    def source_of(self, spec: UseCase) -> AnySource:
        """The source."""
        return next(each for each in spec.ingested if each.name == self.source)


class Replayed(BaseModel):
    """What became of the days; JSON-able.

    Attributes:
        landed: rows of bronze.
        before: rows in quarantine when the replay was done first.
        quarantined: rows in quarantine now, for these `reasons` (the most frequent ones).
    """

    model_config = ConfigDict(frozen=True)

    landed: int
    before: int
    quarantined: int
    reasons: dict[str, int]


def replay(lake: Lake, spec: UseCase, plan: Replay, *, run_id: str) -> Replayed:
    """Judge the days again and commit silver, then quarantine; commits of the same replay that stand already stay.

    Args:
        lake: the lake.
        spec: the use case.
        plan: the days.
        run_id: the run, as people look it up; quarantine tells it.

    Raises:
        BudgetExceeded: more rows would be quarantined than are now; nothing was published.
        InvalidInput: bronze lacks a column of today's contract, or the contract cannot be evaluated.
        RetryableError: other runs are at work on these days.
    """
    source = plan.source_of(spec)
    key = _key(spec, source, plan)
    standing = {layer: find_commit(lake, spec.table(layer, source.name), key) for layer in LAYERS}
    if all(standing.values()):
        return _told(tables.snapshot_summary(lake, spec.table("quarantine", source.name), standing["quarantine"] or 0))
    made_from = _made_from(lake, spec, source, plan)
    contract = contract_of(spec, source.contract)
    tally, counts = Tally(source.name), Days(DAY)
    before = _quarantined(lake, spec, plan)
    with ExitStack() as stack:
        writers: dict[Layer, TableWriter] = {}
        for layer, schema in _schemas(source, contract).items():
            if layer == "silver" and standing[layer]:
                continue
            identifier = spec.table(layer, source.name)
            change = ReplaceHeld.of(lake, identifier, plan.days)
            writers[layer] = TableWriter(lake, identifier, schema=schema, change=change)
            stack.callback(writers[layer].discard)
        # Once it is known what silver holds: an ingest at work has committed to bronze before, or will to silver after.
        _require_bronze_as_planned(lake, spec, source, plan)
        for verdict in _verdicts(lake, spec, source, contract, plan):
            tally.add(verdict)
            counts.add(verdict)
            writers["quarantine"].write(verdict.failed.with_columns(run_id=pl.lit(run_id)))
            if "silver" in writers:
                writers["silver"].write(verdict.passed)
        if tally.quarantined > before:
            most = listing([f"{reason} ({count:,})" for reason, count in tally.reasons.most_common(SHOWN)])
            raise BudgetExceeded(
                f"{source.name}: the contract of today refuses {tally.quarantined:,} rows of these days, {before:,} "
                f"are in quarantine; nothing was published: {most}. Mend the contract, or ingest these days again"
            )
        summary = {
            RUN_KEY: key,
            REPLAYED: str(plan.snapshot_id),
            "run_id": run_id,
            "landed": str(tally.landed),
            "before": str(before),
            "quarantined": str(tally.quarantined),
            "reasons": json.dumps(dict(tally.reasons.most_common(SHOWN))),
            history.NULLS: json.dumps(counts.null_shares()),
            **made_from,
        }
        for writer in writers.values():
            writer.commit(summary)
    return _told(summary)


def reconcile(lake: Lake, spec: UseCase, plan: Replay) -> dict[str, int]:
    """Compare the counts of each day, from metadata alone: landed rows are silver rows plus quarantined rows.

    Returns:
        Rows of the days: `landed` (bronze), `silver`, `quarantined`.

    Raises:
        RetryableError: another run was at work on a day.
        PermanentError: the rows of a day do not add up; the message names it and the counts.
    """
    source = plan.source_of(spec)
    key = _key(spec, source, plan)
    bronze = tables.counts(lake, spec.table("bronze", plan.source), snapshot_id=plan.snapshot_id)
    commits, counts = {}, {}
    for layer in LAYERS:
        commits[layer], counts[layer] = state_of(lake, spec.table(layer, plan.source), plan.days)
    mixed, faults = [], []
    for day in plan.days:
        landed, passed, failed = bronze.get(day, 0), counts["silver"].get(day, 0), counts["quarantine"].get(day, 0)
        if {each[day].summary[RUN_KEY] if day in each else None for each in commits.values()} != {key}:
            mixed.append(day)
        elif landed != passed + failed:
            faults.append(f"{day}: {landed} landed, {passed} in silver, {failed} in quarantine")
    if mixed:
        raise RetryableError(
            f"{spec.name}: other runs were at work on {plan.source} of {listing(mixed)}; when they have ended, clear "
            "`plan`"
        )
    if faults:
        raise PermanentError(f"{spec.name}: rows of {plan.source} do not add up: {listing(faults, separator='; ')}")
    return {
        "landed": sum(bronze.get(day, 0) for day in plan.days),
        "silver": sum(counts["silver"].values()),
        "quarantined": sum(counts["quarantine"].values()),
    }


def _key(spec: UseCase, source: AnySource, plan: Replay) -> str:
    """The same days of the same bronze, by the same contract: the same replay, whoever starts it."""
    said = plan.model_dump(mode="json", exclude={"rows"})
    code = code_of(spec.name) if source in spec.sources else digest("include.stages.ingest.predictions")
    return content_key(code=code, spec=source.model_dump(mode="json"), **said)


def _schemas(source: AnySource, contract: Contract) -> dict[Layer, pl.Schema]:
    bronze = _bronze(source, contract)
    quarantine = pl.Schema({**bronze, REASONS: pl.List(pl.String), "run_id": pl.String()})
    return {"silver": contract.silver(), "quarantine": quarantine}


def _bronze(source: AnySource, contract: Contract) -> pl.Schema:
    return messages.schema(contract.landed) if isinstance(source, Topic) else rows.schema(contract.landed)


def _verdicts(lake: Lake, spec: UseCase, source: AnySource, contract: Contract, plan: Replay) -> Iterator[Verdict]:
    """The days' rows, judged; a day is in memory at a time."""
    bronze, columns = spec.table("bronze", source.name), _bronze(source, contract).names()
    for day in plan.days:
        landed = tables.read(lake, bronze, start=day, end=day, snapshot_id=plan.snapshot_id, columns=columns)
        if isinstance(source, Topic):
            yield from silver.verdicts(contract, source, landed)
        else:
            yield judge(contract, landed, null_values=source.null_values)


def _made_from(lake: Lake, spec: UseCase, source: AnySource, plan: Replay) -> dict[str, str]:
    """Of a topic, the state of bronze that silver was made from: a replay makes no other days than its own.

    Raises:
        RetryableError: bronze has got rows of these days since.
    """
    if not isinstance(source, Topic):
        return {}
    made_from = silver.bronze_state(lake, spec.table("silver", source.name))
    table = tables.load(lake, spec.table("bronze", source.name))
    news = None if made_from is None else changed_since(table, int(made_from), until=plan.snapshot_id)
    if made_from is None or news is None or news & {*plan.days}:
        raise RetryableError(f"{source.name}: bronze has messages that silver was not made of yet: run ingest first")
    return {silver.MADE_FROM: made_from}


def _require_bronze_as_planned(lake: Lake, spec: UseCase, source: AnySource, plan: Replay) -> None:
    """Raise RetryableError if files of these days were ingested again since: what is judged here would go over it.

    Of a topic bronze only grows, and `_made_from` has looked.
    """
    if isinstance(source, Topic):
        return
    news = changed_since(tables.load(lake, spec.table("bronze", source.name)), plan.snapshot_id)
    if again := [day for day in plan.days if news is None or day in news]:
        raise RetryableError(
            f"{source.name}: {listing(again)} may have been ingested again since they were planned: clear `plan`"
        )


def _quarantined(lake: Lake, spec: UseCase, plan: Replay) -> int:
    counts = tables.counts(lake, spec.table("quarantine", plan.source), start=plan.days[0], end=plan.days[-1])
    return sum(counts.get(day, 0) for day in plan.days)


def _told(summary: Mapping[str, str]) -> Replayed:
    numbers = {name: int(summary[name]) for name in ("landed", "before", "quarantined")}
    return Replayed(**numbers, reasons=json.loads(summary["reasons"]))
