"""What a table's commits say about themselves, from the newest back."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from include.foundation.errors import InvalidInput, MissingInput
from include.foundation.lake import tables

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from pyiceberg.table import Table

    from include.foundation.lake.connection import Lake

RUN_KEY = "run_key"
DAYS = "days"
POSITIONS = "positions"
LOST = "lost"
# Table property: what commits said whose snapshots have expired (JSON).
CARRIED = "flightline.commit-log"
# What Iceberg itself writes into a summary. It speaks of a snapshot's files, and goes with them.
COUNTS = ("added-", "deleted-", "removed-", "total-", "changed-", "engine-", "spark.", "iceberg-", "app-id")


@dataclass(frozen=True)
class Commit:
    """One commit of a table.

    Attributes:
        snapshot_id: the snapshot that it made.
        days: the days whose rows it changed; None for a commit of another program, which may have changed any day, and
            for commits of which nothing is known any more.
        summary: all that it says: the writer's own keys and, while its snapshot is kept, Iceberg's counts.
        kept: whether its snapshot can still be read.
        lost: it stands for commits that another program expired; what they said is not known.
    """

    snapshot_id: int
    days: frozenset[date] | None
    summary: Mapping[str, str]
    kept: bool = True
    lost: bool = False


def log(table: Table, snapshot_id: int | None = None) -> Iterator[Commit]:
    """Commits from a snapshot (by default the current one) back.

    First those whose snapshots are kept, then what was carried on of expired ones (`carry`): of each day the newest
    commit, the newest that states positions, the newest of another program.
    """
    kept = {each.snapshot_id: each for each in table.snapshots()}
    carried = json.loads(table.properties.get(CARRIED, '{"before": null, "commits": []}'))
    each = table.current_snapshot() if snapshot_id is None else kept.get(snapshot_id)
    while each:
        yield _commit(each.snapshot_id, tables.summary(each))
        parent = each.parent_snapshot_id
        # Where snapshots expired, pyiceberg says that the next one has no parent; other programs leave its id.
        if parent not in kept and (each.sequence_number or 0) > 1:
            if each.snapshot_id != carried["before"]:
                yield _commit(parent or 0, {LOST: "true"}, kept=False)
            for number, summary in carried["commits"]:
                yield _commit(number, summary, kept=number in kept)
        each = kept.get(parent) if parent is not None else None


def _commit(snapshot_id: int, summary: Mapping[str, str], *, kept: bool = True) -> Commit:
    days = frozenset(expand(summary[DAYS])) if DAYS in summary else None
    return Commit(snapshot_id, days, summary, kept=kept, lost=LOST in summary)


def carry(table: Table, expired: Collection[int]) -> str:
    """The value of `CARRIED` with which the log loses nothing of use when these snapshots expire."""
    seen: set[date] = set()
    positioned = foreign = False
    before, entries = None, list[tuple[int, dict[str, str]]]()
    chain = True
    for each in log(table):
        chain = chain and each.kept and each.snapshot_id not in expired
        left = set(each.days or ()) - seen
        news = (
            left or (POSITIONS in each.summary and not positioned) or (each.days is None and (each.lost or not foreign))
        )
        if chain:
            before = each.snapshot_id
        elif news:
            own = {key: value for key, value in each.summary.items() if not key.startswith(COUNTS)}
            entries.append((each.snapshot_id, own if each.days is None else {**own, DAYS: compact(sorted(left))}))
        seen |= left
        positioned |= POSITIONS in each.summary
        foreign |= each.days is None
    return json.dumps({"before": before, "commits": entries}, separators=(",", ":"))


def find_commit(lake: Lake, identifier: str, run_key: str) -> int | None:
    """The snapshot that the run committed, if it still stands: it is kept, and no later commit replaced its days."""
    try:
        table = tables.load(lake, identifier)
    except MissingInput:
        return None
    later: set[date] = set()
    for each in log(table):
        if each.days is None or not each.kept:
            return None
        if each.summary.get(RUN_KEY) == run_key:
            return None if later & each.days else each.snapshot_id
        if POSITIONS not in each.summary:  # an append replaces nothing
            later |= each.days
    return None


def newest(table: Table, days: Collection[date]) -> dict[date, Commit]:
    """Per day the newest commit of a run that changed it. Commits without a run key (compaction) are passed over."""
    found: dict[date, Commit] = {}
    left = set(days)
    for each in log(table):
        if not left:
            break
        if each.days is not None and RUN_KEY in each.summary:
            found |= dict.fromkeys(left & each.days, each)
            left -= each.days
    return found


def changed_since(table: Table, since: int, *, until: int | None = None) -> frozenset[date] | None:
    """Days whose rows commits changed after one snapshot and up to another (by default the current one).

    None where that is not known: another program changed the table, or `since` is not among the commits before `until`
    (any more).
    """
    days: frozenset[date] = frozenset()
    for each in log(table, until):
        if each.snapshot_id == since:
            return days
        if each.days is None:
            return None
        days |= each.days
    return None


def positions(table: Table) -> dict[str, int]:
    """How far streams have been read into the table: partition -> offset of the last message; {} before the first.

    Raises:
        InvalidInput: another program expired the commits that would say it.
    """
    for each in log(table):
        if POSITIONS in each.summary:
            return {str(name): int(offset) for name, offset in json.loads(each.summary[POSITIONS]).items()}
        if each.lost:
            raise InvalidInput(
                f"{'.'.join(table.name())}: another program expired commits, and with them how far the stream was read."
                " Let only platform.maintain expire snapshots; set the positions by hand, or drop the table and read"
                " the stream again"
            )
    return {}


def ranges(days: Sequence[date]) -> list[tuple[date, date]]:
    """Sorted days as ranges, first and last day of each."""
    found: list[tuple[date, date]] = []
    for day in days:
        if found and day - found[-1][1] == timedelta(days=1):
            found[-1] = found[-1][0], day
        else:
            found.append((day, day))
    return found


def compact(days: Sequence[date]) -> str:
    """Sorted days as text: `2013-01-01..2013-01-03,2013-01-07`."""
    return ",".join(first.isoformat() if first == last else f"{first}..{last}" for first, last in ranges(days))


def expand(text: str) -> set[date]:
    """The days that `compact` wrote."""
    days: set[date] = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("..")
        start = date.fromisoformat(first)
        end = date.fromisoformat(last) if last else start
        days.update(start + timedelta(days=n) for n in range((end - start).days + 1))
    return days
