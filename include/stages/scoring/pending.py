"""Which days are still to be scored, from commits and metadata alone."""

from collections.abc import Collection, Mapping
from datetime import date

from include.foundation.errors import MissingInput
from include.foundation.lake import Lake, tables
from include.foundation.lake.commit_log import Commit, changed_since, newest
from include.foundation.spec import UseCase

VERSION, DIGEST, GOLD = "version", "model_digest", "gold_snapshot"  # keys of a commit's summary, columns of its rows


def gold_now(lake: Lake, spec: UseCase) -> int:
    """The state of gold. Raises MissingInput while it has none."""
    if (snapshot_id := tables.current_snapshot_id(lake, spec.gold)) is None:
        raise MissingInput(f"{spec.gold} has no rows: run {spec.name}.features first")
    return snapshot_id


def pending(
    lake: Lake, spec: UseCase, *, version: str, digest: str, snapshot_id: int, start: date, end: date
) -> list[date]:
    """Those of the days of which the table does not hold what the version says of gold, sorted.

    These are days that it never scored, days that gold has replaced since, and days that gold has lost.

    Args:
        lake: the lake.
        spec: the use case.
        version: the version.
        digest: SHA-256 of its model file.
        snapshot_id: the state of gold.
        start: first day.
        end: last day, inclusive.

    Raises:
        MissingInput: neither gold nor the table has rows of these days.
    """
    looked_at = {
        *tables.counts(lake, spec.gold, start=start, end=end, snapshot_id=snapshot_id),
        *tables.counts(lake, spec.scores, start=start, end=end),
    }
    if not looked_at:
        raise MissingInput(f"{spec.gold} has no rows from {start} to {end} (yet): run {spec.name}.features first")
    return sorted(looked_at - _scored(lake, spec, looked_at, said={VERSION: version, DIGEST: digest}, gold=snapshot_id))


def _scored(lake: Lake, spec: UseCase, days: Collection[date], *, said: Mapping[str, str], gold: int) -> set[date]:
    """Those of `days` that a commit replaced last which says this, and that gold has not replaced since."""
    try:
        commits = newest(tables.load(lake, spec.scores), days)
    except MissingInput:
        return set()
    by_commit: dict[int, tuple[Commit, set[date]]] = {}
    for day, commit in commits.items():
        if said.items() <= commit.summary.items():
            by_commit.setdefault(commit.snapshot_id, (commit, set()))[1].add(day)
    table, found = tables.load(lake, spec.gold), set[date]()
    for commit, same in by_commit.values():
        changed = changed_since(table, int(commit.summary[GOLD]), until=gold)
        found |= set() if changed is None else same - changed
    return found
