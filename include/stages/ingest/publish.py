"""Publishing a run: bronze, then quarantine, then silver, one commit each per source.

Nothing is visible before the whole run is parsed, judged and within budget: data files are written while the rows
stream by and belong to no table until the commits, which only swap metadata. The order of the commits makes a crash
harmless: the rerun finds which commits of its key stand, derives the rest from the bronze that stands, and commits only
that.
"""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Literal, TypeVar, get_args

import polars as pl
from pydantic import BaseModel, ConfigDict

from include.foundation.echo import cause, listing
from include.foundation.errors import InvalidInput, PermanentError
from include.foundation.evidence.code import digest
from include.foundation.lake import tables
from include.foundation.lake.change import Replace
from include.foundation.lake.commit import TableWriter
from include.foundation.lake.commit_log import RUN_KEY, find_commit
from include.foundation.spec import module
from include.foundation.spec.use_case import PREDICTIONS
from include.stages.ingest import history, landing, predictions, rows
from include.stages.ingest.faults import raise_together
from include.stages.ingest.hourly import ReplaceHeld
from include.stages.ingest.judging import judge_all
from include.stages.ingest.kinds import KINDS
from include.stages.ingest.tally import Tally
from include.stages.quality import Contract
from include.stages.quality.contract import DAY
from include.stages.quality.days import Days, Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import date
    from typing import Self

    from include.foundation.lake import Lake
    from include.foundation.spec import UseCase
    from include.foundation.spec.sources import Source
    from include.stages.ingest.plan import Plan
    from include.stages.quality import Verdict

Layer = Literal["bronze", "quarantine", "silver"]
T = TypeVar("T")
WARNINGS = 50  # that a commit tells
LAYERS: tuple[Layer, ...] = get_args(Layer)


class Published(BaseModel):
    """What became of one source in one run; JSON-able. `seconds` is 0 where everything stood already."""

    model_config = ConfigDict(frozen=True)

    source: str
    landed: int
    quarantined: int
    reasons: dict[str, int]
    warnings: tuple[str, ...] = ()
    snapshots: dict[Layer, int]
    seconds: float

    @property
    def silver(self) -> int:
        """Rows that passed."""
        return self.landed - self.quarantined


def publish(
    lake: Lake,
    spec: UseCase,
    plan: Plan,
    *,
    run_id: str,
    sources: Sequence[str] | None = None,
    upto: Layer = "silver",
) -> list[Published]:
    """Bring sources up to a layer; commits of this run that stand already stay.

    The same call again is harmless, and so is going layer by layer.

    Args:
        lake: the lake.
        spec: the use case.
        plan: the files.
        run_id: the run, as people look it up; quarantine tells it.
        sources: names of sources, None for all. None of them is published unless all are within budget.
        upto: the last layer to commit.

    Returns:
        One entry per source that has files in the plan, or rows of a file that has gone.

    Raises:
        InvalidInput: a file is malformed, or has changed since it was planned; nothing was published.
        BudgetExceeded: too many rows fail the contract; nothing was published.
        UnusualDay: a day is too unlike the days before it; nothing was published.
        ServiceUnavailable: other writers were faster for minutes.
    """
    with ExitStack() as stack:
        stages = [
            stack.enter_context(Stage(lake, spec, plan, source=source.name, days=days, run_id=run_id, upto=upto))
            for source in spec.files
            if (sources is None or source.name in sources) and (days := _days(lake, spec, plan, source.name))
        ]
        _each([stage.fill for stage in stages])
        for stage in stages:
            stage.confirm()
        return [stage.commit() for stage in stages]


def check(lake: Lake, spec: UseCase, plan: Plan) -> list[Tally]:
    """Parse and judge everything, and publish nothing. Raises as `publish` does."""

    def judged(source: Source) -> Tally:
        contract = contract_of(spec, source.contract)
        read = partial(KINDS[source.kind].read, lake, source, plan.files[source.name], contract.landed)
        tally = Tally(source.name)
        judge_all(contract, source, read, begin=tally.clear, take=lambda _, verdict: tally.add(verdict))
        tally.enforce(spec.quality.quarantine_budget)
        return tally

    return _each([partial(judged, source) for source in spec.files])


class Stage:
    """One source's rows on their way: `fill` writes them where nobody looks, `commit` publishes them."""

    def __init__(
        self, lake: Lake, spec: UseCase, plan: Plan, *, source: str, days: set[date], run_id: str, upto: Layer
    ) -> None:
        self._lake, self._spec, self._days, self._run_id = lake, spec, days, run_id
        self._source = spec.source(source)
        self._plan = plan
        self._files = plan.files[source]
        self._contract = contract_of(spec, self._source.contract)
        self._key = plan.key(self._source, run_id=run_id, code=code_of(spec.name))
        self._started = time.monotonic()
        self._tally = Tally(source)
        self._counts = Days(DAY)
        self._findings: list[Finding] = []
        hourly = self._source.every == "hour" and plan.hours is not None
        self._hourly = ReplaceHeld.of(lake, spec.table("bronze", source), days) if hourly else None
        self._snapshots: dict[Layer, int] = {}
        self._writers: dict[Layer, TableWriter] = {}
        gone = days - {file.day for file in self._files}
        for layer in LAYERS[: LAYERS.index(upto) + 1]:
            # A layer stands only on what it was made from, and not while it holds rows of a file that has gone.
            table = spec.table(layer, source)
            stale = self._writers or (gone and gone & {*tables.days(lake, table)})
            standing = None if stale else find_commit(lake, table, self._key)
            if standing is None:
                self._writers[layer] = self._open(layer)
            else:
                self._snapshots[layer] = standing

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for writer in self._writers.values():
            writer.discard()

    def fill(self) -> None:
        """Parse, judge and write the rows; then compare with the budget. Raises as `publish` does."""
        if not self._writers:
            return
        judge_all(self._contract, self._source, self._rows, begin=self._begin, take=self._take)
        self._tally.enforce(self._spec.quality.quarantine_budget)
        if self._source.every != "snapshot":
            whole = {day for day in self._days if self._plan.is_whole(self._source, day)}
            self._findings = history.findings(self._lake, self._spec, self._source, self._counts, days=whole)

    def confirm(self) -> None:
        """Look once more, right before the commits, whether the files are the planned ones.

        A run that was slow would bring old rows back over those of a run that took a newer file. What lies between
        this look and the commits is found by `reconcile`.

        Raises:
            InvalidInput: a file is not the planned one any more.
        """
        if "bronze" in self._writers and (changed := self._plan.changed(self._lake, self._source)):
            uris = [uri for day, uri in changed.items() if day in self._days]
            if uris:
                raise InvalidInput(f"changed since the run was planned: {listing(uris, 3)}; clear `plan`")

    def commit(self) -> Published:
        """Commit what was written, in order."""
        for layer, writer in self._writers.items():
            self._snapshots[layer] = writer.commit(self._summary())
        summary = self._summary() if self._writers else self._standing_summary()
        return Published(
            source=self._source.name,
            landed=int(summary["landed"]),
            quarantined=int(summary["quarantined"]),
            reasons=json.loads(summary["reasons"]),
            warnings=tuple(json.loads(summary.get("warnings", "[]"))),
            snapshots=self._snapshots,
            seconds=round(time.monotonic() - self._started, 3) if self._writers else 0,
        )

    def _begin(self) -> None:
        self._tally.clear()
        self._counts.clear()
        for writer in self._writers.values():
            writer.discard()

    def _take(self, frame: pl.DataFrame, verdict: Verdict) -> None:
        self._tally.add(verdict)
        self._counts.add(verdict)
        for layer, writer in self._writers.items():
            if layer == "bronze":
                writer.write(frame)
            elif layer == "silver":
                writer.write(verdict.passed)
            else:
                writer.write(verdict.failed.with_columns(run_id=pl.lit(self._run_id)))

    def _rows(self) -> Iterator[pl.DataFrame]:
        bronze = self._spec.table("bronze", self._source.name)
        if "bronze" in self._writers:
            landed = KINDS[self._source.kind].read(self._lake, self._source, self._files, self._contract.landed)
            if not self._hourly:
                return landed
            uris = [
                landing.expected(self._lake.landing, self._spec.name, self._source, hour)
                for hour in self._plan.intervals(self._source)
            ]
            days, snapshot_id = sorted(self._days), self._hourly.snapshot_id
            return rows.merged(self._lake, bronze, landed, days=days, replaced=uris, snapshot_id=snapshot_id)
        return rows.committed(self._lake, bronze, self._files, snapshot_id=self._snapshots["bronze"])

    def _open(self, layer: Layer) -> TableWriter:
        bronze = rows.schema(self._contract.landed)
        schema = {
            "bronze": bronze,
            "quarantine": pl.Schema({**bronze, "reasons": pl.List(pl.String), "run_id": pl.String()}),
            "silver": self._contract.silver(),
        }[layer]
        identifier = self._spec.table(layer, self._source.name)
        change: Replace = self._hourly if layer == "bronze" and self._hourly else Replace(frozenset(self._days))
        return TableWriter(self._lake, identifier, schema=schema, change=change)

    def _summary(self) -> dict[str, str]:
        """What a commit says about itself: whose it is, what it was made from, what was found."""
        return {
            RUN_KEY: self._key,
            "run_id": self._run_id,
            "landed": str(self._tally.landed),
            "quarantined": str(self._tally.quarantined),
            "reasons": json.dumps(dict(self._tally.reasons)),
            history.NULLS: json.dumps(self._counts.null_shares()),
            "warnings": json.dumps([str(finding) for finding in self._findings[:WARNINGS]]),
            **{f"{layer}_snapshot": str(snapshot) for layer, snapshot in self._snapshots.items()},
        }

    def _standing_summary(self) -> dict[str, str]:
        """The summary of the newest commit that stands."""
        layer = [*self._snapshots][-1]
        identifier = self._spec.table(layer, self._source.name)
        return dict(tables.snapshot_summary(self._lake, identifier, self._snapshots[layer]))


def _each(acts: Sequence[Callable[[], T]]) -> list[T]:
    """Do all of them; then raise what those that failed for good have to say."""
    done: list[T] = []
    faults: list[PermanentError] = []
    for act in acts:
        try:
            done.append(act())
        except PermanentError as fault:
            faults.append(fault)
    raise_together(faults)
    return done


def _days(lake: Lake, spec: UseCase, plan: Plan, source: str) -> set[date]:
    """Days to replace: those with a file, and those of the plan whose file, a snapshot landed by mistake, has gone.

    The other days of the plan are left alone: a snapshot holds for every later day, so they would all be made again.
    """
    days = {file.day for file in plan.files[source]}
    if spec.source(source).every == "snapshot":
        whole = {interval.date() for interval in plan.intervals(spec.source(source))}
        days |= {day for layer in LAYERS for day in tables.days(lake, spec.table(layer, source)) if day in whole}
    return days


def contract_of(spec: UseCase, name: str) -> Contract:
    """A contract of the use case. Raises InvalidInput if there is none of that name, or it is not one."""
    if name == PREDICTIONS:
        return predictions.contract(spec)
    written = module(spec.name, "contract")
    if not hasattr(written, name):
        there = [key for key, value in vars(written).items() if getattr(value, "__module__", "") == written.__name__]
        raise InvalidInput(f"{spec.name}: contract.py has no {name!r}, which use_case.yaml names; it has {there}")
    model = getattr(written, name)
    if not hasattr(model, "to_schema"):
        raise InvalidInput(f"{spec.name}/contract.py: {name} must be a class of pandera's, `pa.DataFrameModel`")
    try:
        return Contract.of(model)
    except InvalidInput:
        raise
    except Exception as error:
        raise InvalidInput(f"{spec.name}/contract.py: {name}: {type(error).__name__}: {cause(error)}") from error


def code_of(use_case: str) -> str:
    """SHA-256 of what turns files into rows: with other code, a run's earlier commits do not count as done."""
    return digest("include.stages.ingest.judging", "include.stages.quality", f"include.use_cases.{use_case}.contract")
