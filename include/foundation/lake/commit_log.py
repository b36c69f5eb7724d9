"""What a table's commits say about themselves, from the newest back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from include.foundation.errors import MissingInput
from include.foundation.lake import tables

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from pyiceberg.table import Table

    from include.foundation.lake.connection import Lake

RUN_KEY = "run_key"
DAYS = "days"


@dataclass(frozen=True)
class Commit:
    """One commit of a table.

    Attributes:
        snapshot_id: the snapshot that it made.
        days: the days that it replaced; None for a commit of another program, which may have touched any day.
        summary: all that it says: the writer's own keys and Iceberg's counts.
    """

    snapshot_id: int
    days: frozenset[date] | None
    summary: Mapping[str, str]


def log(table: Table, snapshot_id: int | None = None) -> Iterator[Commit]:
    """Commits from a snapshot (by default the current one) back, as far as snapshots are kept."""
    kept = {each.snapshot_id: each for each in table.snapshots()}
    each = table.current_snapshot() if snapshot_id is None else kept.get(snapshot_id)
    while each:
        summary = tables.summary(each)
        days = frozenset(expand(summary[DAYS])) if DAYS in summary else None
        yield Commit(each.snapshot_id, days, summary)
        parent = each.parent_snapshot_id
        each = None if parent is None else kept.get(parent)


def find_commit(lake: Lake, identifier: str, run_key: str) -> int | None:
    """The snapshot that the run committed, if it still stands: no later commit replaced any of its days."""
    try:
        table = tables.load(lake, identifier)
    except MissingInput:
        return None
    later: set[date] = set()
    for each in log(table):
        if each.days is None:
            return None
        if each.summary.get(RUN_KEY) == run_key:
            return None if later & each.days else each.snapshot_id
        later |= each.days
    return None


def newest(table: Table, days: Collection[date]) -> dict[date, Commit]:
    """Per day the newest commit of a run that replaced it. Commits without a run key (compaction) are passed over."""
    found: dict[date, Commit] = {}
    left = set(days)
    for each in log(table):
        if not left:
            break
        if each.days is not None and RUN_KEY in each.summary:
            found |= dict.fromkeys(left & each.days, each)
            left -= each.days
    return found


def compact(days: Sequence[date]) -> str:
    """Sorted days as ranges: `2013-01-01..2013-01-03,2013-01-07`."""
    ranges: list[list[date]] = []
    for day in days:
        if ranges and day - ranges[-1][1] == timedelta(days=1):
            ranges[-1][1] = day
        else:
            ranges.append([day, day])
    return ",".join(first.isoformat() if first == last else f"{first}..{last}" for first, last in ranges)


def expand(text: str) -> set[date]:
    """The days that `compact` wrote."""
    days: set[date] = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("..")
        start = date.fromisoformat(first)
        end = date.fromisoformat(last) if last else start
        days.update(start + timedelta(days=n) for n in range((end - start).days + 1))
    return days
