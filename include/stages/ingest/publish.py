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

from pydantic import BaseModel, ConfigDict

from include.engine import Output, engine
from include.foundation.echo import listing
from include.foundation.errors import InvalidInput, PermanentError
from include.foundation.evidence.code import digest
from include.foundation.lake import tables
from include.foundation.lake.change import Replace
from include.foundation.lake.commit_log import RUN_KEY, find_commit
from include.stages.ingest import history
from include.stages.ingest.contracts import contract_of
from include.stages.ingest.faults import raise_together
from include.stages.ingest.hourly import ReplaceHeld
from include.stages.ingest.judging import judge_all
from include.stages.ingest.kinds import KINDS
from include.stages.ingest.source_rows import SourceRows
from include.stages.ingest.tally import Tally
from include.stages.quality.contract import DAY
from include.stages.quality.days import Days, Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date
    from typing import Self

    from include.engine import Staged
    from include.foundation.lake import Lake
    from include.foundation.spec import UseCase
    from include.foundation.spec.sources import Source
    from include.stages.ingest.plan import Plan

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
        self._key = plan.key(self._source, run_id=run_id, code=code_of(spec.name))
        self._started = time.monotonic()
        self._tally = Tally(source)
        self._counts, self._values = Days(DAY), history.no_values(spec, source)
        self._findings: list[Finding] = []
        hourly = self._source.every == "hour" and plan.hours is not None
        self._hourly = ReplaceHeld.of(lake, spec.table("bronze", source), days) if hourly else None
        self._snapshots: dict[Layer, int] = {}
        self._staged: Staged | None = None
        todo: list[Layer] = []
        gone = days - {file.day for file in self._files}
        for layer in LAYERS[: LAYERS.index(upto) + 1]:
            # A layer stands only on what it was made from, and not while it holds rows of a file that has gone.
            table = spec.table(layer, source)
            stale = todo or (gone and gone & {*tables.days(lake, table)})
            standing = None if stale else find_commit(lake, table, self._key)
            if standing is None:
                todo.append(layer)
            else:
                self._snapshots[layer] = standing
        self._todo = tuple(todo)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._staged:
            self._staged.discard()

    def fill(self) -> None:
        """Parse, judge and write the rows; then compare with the budget. Raises as `publish` does."""
        if not self._todo:
            return
        work = SourceRows(
            spec=self._spec,
            plan=self._plan,
            source=self._source.name,
            run_id=self._run_id,
            layers=self._todo,
            bronze=None if "bronze" in self._todo else self._snapshots["bronze"],
            held=self._hourly.snapshot_id if self._hourly else None,
        )
        outputs: dict[str, Output] = {
            layer: Output(
                table=self._spec.table(layer, self._source.name),
                schema=partial(work.schema, layer),
                change=self._hourly if layer == "bronze" and self._hourly else Replace(frozenset(self._days)),
            )
            for layer in self._todo
        }
        self._staged = engine(self._spec.engine.name).stage(self._lake, work, sorted(self._days), outputs)
        for note in self._staged.notes:
            self._tally.take(note["tally"])
            self._counts.take(note["days"])
            for column, each in self._values.items():
                each.take(note["values"][column])
        self._tally.enforce(self._spec.quality.quarantine_budget)
        if self._source.every != "snapshot":
            whole = {day for day in self._days if self._plan.is_whole(self._source, day)}
            self._findings = history.findings(
                self._lake, self._spec, self._source, self._counts, self._values, days=whole
            )

    def confirm(self) -> None:
        """Look once more, right before the commits, whether the files are the planned ones.

        A run that was slow would bring old rows back over those of a run that took a newer file. What lies between
        this look and the commits is found by `reconcile`.

        Raises:
            InvalidInput: a file is not the planned one any more.
        """
        if "bronze" in self._todo and (changed := self._plan.changed(self._lake, self._source)):
            uris = [uri for day, uri in changed.items() if day in self._days]
            if uris:
                raise InvalidInput(f"changed since the run was planned: {listing(uris, 3)}; clear `plan`")

    def commit(self) -> Published:
        """Commit what was written, in order."""
        for layer in self._todo:
            self._commit(layer)
        summary = self._summary() if self._todo else self._standing_summary()
        return Published(
            source=self._source.name,
            landed=int(summary["landed"]),
            quarantined=int(summary["quarantined"]),
            reasons=json.loads(summary["reasons"]),
            warnings=tuple(json.loads(summary.get("warnings", "[]"))),
            snapshots=self._snapshots,
            seconds=round(time.monotonic() - self._started, 3) if self._todo else 0,
        )

    def _commit(self, layer: Layer) -> None:
        if self._staged:
            self._snapshots[layer] = self._staged.commit(layer, self._summary())

    def _summary(self) -> dict[str, str]:
        """What a commit says about itself: whose it is, what it was made from, what was found."""
        return {
            RUN_KEY: self._key,
            "run_id": self._run_id,
            "landed": str(self._tally.landed),
            "quarantined": str(self._tally.quarantined),
            "reasons": json.dumps(self._tally.reasons, sort_keys=True),
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


def code_of(use_case: str) -> str:
    """SHA-256 of what turns files into rows: with other code, a run's earlier commits do not count as done."""
    return digest("include.stages.ingest.judging", "include.stages.quality", f"include.use_cases.{use_case}.contract")
