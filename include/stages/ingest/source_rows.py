"""A source's rows of a run's days, parsed and judged: the work that an engine runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from include.stages.ingest import landing, rows
from include.stages.ingest.contracts import contract_of
from include.stages.ingest.history import no_values
from include.stages.ingest.judging import judge_all
from include.stages.ingest.kinds import KINDS
from include.stages.ingest.tally import Tally
from include.stages.quality.contract import DAY
from include.stages.quality.days import Days

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from datetime import date

    from include.engine import Sink
    from include.foundation.lake import Lake
    from include.foundation.spec import UseCase
    from include.foundation.spec.sources import Source
    from include.stages.ingest.plan import Plan
    from include.stages.quality import Contract, Verdict


@dataclass(frozen=True, kw_only=True)
class SourceRows:
    """Work (`engine.Work`): a day's rows for the layers that are to be made.

    Attributes:
        spec: the use case.
        plan: the files.
        source: name of the source.
        run_id: what quarantine tells.
        layers: which to make.
        bronze: the snapshot of bronze that holds the rows already; None where they are read from their files.
        held: for a run on some hours, the state of bronze that has the other hours' rows (None: it has none yet).
    """

    spec: UseCase
    plan: Plan
    source: str
    run_id: str
    layers: Collection[str]
    bronze: int | None = None
    held: int | None = None

    def __call__(self, lake: Lake, days: Sequence[date], sink: Sink) -> dict[str, Any]:
        """The days' rows: bronze as they landed, silver those that pass, quarantine the others."""
        source = self.spec.source(self.source)
        contract = contract_of(self.spec, source.contract)
        tally, counts, values = Tally(self.source), Days(DAY), no_values(self.spec, self.source)

        def begin() -> None:
            tally.clear()
            counts.clear()
            for each in values.values():
                each.clear()
            sink.clear()

        def take(frame: pl.DataFrame, verdict: Verdict) -> None:
            tally.add(verdict)
            counts.add(verdict)
            for each in values.values():
                each.add(verdict.passed)
            made = {
                "bronze": lambda: frame,
                "quarantine": lambda: verdict.failed.with_columns(run_id=pl.lit(self.run_id)),
                "silver": lambda: verdict.passed,
            }
            for layer in self.layers:
                sink.write(layer, made[layer]())

        judge_all(contract, source, lambda: self._read(lake, source, contract, days), begin=begin, take=take)
        told = {column: each.note() for column, each in values.items()}
        return {"tally": tally.note(), "days": counts.note(), "values": told}

    def schema(self, layer: str) -> pl.Schema:
        """Names and types of a layer's rows."""
        contract = contract_of(self.spec, self.spec.source(self.source).contract)
        landed = rows.schema(contract.landed)
        return {
            "bronze": landed,
            "quarantine": pl.Schema({**landed, "reasons": pl.List(pl.String), "run_id": pl.String()}),
            "silver": contract.silver(),
        }[layer]

    def _read(self, lake: Lake, source: Source, contract: Contract, days: Sequence[date]) -> Iterator[pl.DataFrame]:
        within = set(days)
        files = [file for file in self.plan.files[self.source] if file.day in within]
        table = self.spec.table("bronze", self.source)
        if self.bronze is not None:
            return rows.committed(lake, table, files, snapshot_id=self.bronze)
        new = KINDS[source.kind].read(lake, source, files, contract.landed)
        if source.every != "hour" or self.plan.hours is None:
            return new
        uris = [landing.expected(lake.landing, self.spec.name, source, hour) for hour in self.plan.intervals(source)]
        return rows.merged(lake, table, new, days=days, replaced=uris, snapshot_id=self.held)
