"""What a features run reads: its use case's silver tables, each frozen at the snapshot that the run found."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

import polars as pl

from include.foundation.errors import MissingInput
from include.foundation.lake import Lake, tables
from include.foundation.lake.commit_log import log
from include.foundation.spec import UseCase


@dataclass(frozen=True)
class Silver:
    """The silver tables of a use case.

    Attributes:
        lake: the lake.
        spec: the use case.
        snapshots: source -> the snapshot that is read.
    """

    lake: Lake
    spec: UseCase
    snapshots: Mapping[str, int]

    @classmethod
    def current(cls, lake: Lake, spec: UseCase) -> "Silver":
        """Silver as it is now.

        Raises:
            MissingInput: a table does not exist or is empty.
        """
        snapshots = {}
        for source in spec.sources:
            identifier = spec.table("silver", source.name)
            if (snapshot := tables.current_snapshot_id(lake, identifier)) is None:
                raise MissingInput(f"{identifier} has no rows: run {spec.name}.ingest first")
            snapshots[source.name] = snapshot
        return cls(lake, spec, snapshots)

    @cached_property
    def days(self) -> list[date]:
        """Days that a source has which lands daily or hourly, sorted."""
        return sorted(self.rows)

    @cached_property
    def rows(self) -> Mapping[date, int]:
        """Rows of these days, of all such sources."""
        return self._rows(snapshots=False)

    def first_affected(self, start: date) -> date:
        """The first day whose labels depend on silver from `start` on."""
        return start - timedelta(days=self.spec.features.label_days)

    def last_affected(self, start: date, end: date) -> date:
        """The last day whose features depend on silver of `start` to `end`.

        A later day looks back `lookback_days`. A snapshot holds until the next one, and for what the next one lacks
        longer: with one in the range, or one that was there and has gone, every later day depends on it.
        """
        last = end + timedelta(days=self.spec.features.lookback_days)
        if any(start <= day <= end for day in {*self._rows(snapshots=True)} | self._removed()):
            return max([last, *self.days])
        return last

    def read(self, first: date, last: date) -> dict[str, pl.DataFrame]:
        """What features and labels of `first` to `last` are computed from.

        These days, the `lookback_days` before and the `label_days` after them; of sources that land as snapshots,
        everything up to then.
        """
        begin = first - timedelta(days=self.spec.features.lookback_days)
        return {
            source.name: tables.read(
                self.lake,
                self.spec.table("silver", source.name),
                start=begin if source.every != "snapshot" else None,
                end=last + timedelta(days=self.spec.features.label_days),
                snapshot_id=self.snapshots[source.name],
            )
            for source in self.spec.sources
        }

    def _removed(self) -> set[date]:
        """Days of snapshots that commits replaced, as far as commits are kept: some have no rows any more."""
        return {
            day
            for source in self.spec.sources
            if source.every == "snapshot"
            for commit in log(
                tables.load(self.lake, self.spec.table("silver", source.name)), self.snapshots[source.name]
            )
            for day in commit.days or ()
        }

    def _rows(self, *, snapshots: bool) -> Mapping[date, int]:
        rows: Counter[date] = Counter()
        for source in self.spec.sources:
            if (source.every == "snapshot") == snapshots:
                table = self.spec.table("silver", source.name)
                rows.update(tables.counts(self.lake, table, snapshot_id=self.snapshots[source.name]))
        return rows
