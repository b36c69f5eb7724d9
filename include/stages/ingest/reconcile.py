"""What is true of the tables when a run is done, whatever other runs did meanwhile.

No row is lost and none doubled: landed rows are silver rows plus quarantined rows, per source and day. All layers of a
day are of one run, or silver and quarantine of one replay of its bronze; and a run whose rows stand took the files that
are landed now. Nothing keeps two runs on one day from committing at once, so every run looks after its commits:
whichever was last sees what all of them left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from include.foundation.echo import listing
from include.foundation.errors import MissingInput, PermanentError, RetryableError
from include.foundation.lake import tables
from include.foundation.lake.commit_log import RUN_KEY, changed_since, newest
from include.stages.ingest.publish import LAYERS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date

    from include.foundation.lake import Lake
    from include.foundation.lake.commit_log import Commit
    from include.foundation.spec import UseCase
    from include.stages.ingest.plan import Plan
    from include.stages.ingest.publish import Layer

REPLAYED = "replayed"  # key of a commit's summary: the state of bronze that a replay judged again


def reconcile(lake: Lake, spec: UseCase, plan: Plan, *, run_id: str) -> dict[str, dict[str, int]]:
    """Compare the tables' newest commits and row counts, from metadata alone, and the landed files with the plan.

    Returns:
        Rows per source: `landed` (bronze), `silver`, `quarantined`.

    Raises:
        RetryableError: commits of several runs lie over each other, or this run took a file that is not the landed one
            any more. Another run may be about to mend it; if none is, planning again does.
        PermanentError: rows of one run do not add up; the message names source, day and counts. A new run on the day
            mends it.
    """
    totals: dict[str, dict[str, int]] = {}
    mixed: list[str] = []
    outdated: list[str] = []
    faults: list[str] = []
    for source in spec.files:
        seen = {layer: state_of(lake, spec.table(layer, source.name), plan.days) for layer in LAYERS}
        bronze, quarantine, silver = (counts for _, counts in seen.values())
        totals[source.name] = {
            "landed": sum(bronze.values()),
            "silver": sum(silver.values()),
            "quarantined": sum(quarantine.values()),
        }
        commits = {layer: each for layer, (each, _) in seen.items()}
        changed = plan.changed(lake, source)
        for day in sorted({*bronze, *quarantine, *silver}):
            keys = {each[day].summary[RUN_KEY] if day in each else None for each in commits.values()}
            if len(keys) > 1 and not _replayed(lake, spec, source.name, commits, day):
                mixed.append(f"{source.name} {day}: {', '.join(_runs(commits, day))}")
            elif day in changed and day in commits["bronze"] and commits["bronze"][day].summary["run_id"] == run_id:
                outdated.append(changed[day])
            elif bronze.get(day, 0) != silver.get(day, 0) + quarantine.get(day, 0):
                faults.append(
                    f"{source.name} {day}: {bronze.get(day, 0)} landed, {silver.get(day, 0)} in silver,"
                    f" {quarantine.get(day, 0)} in quarantine"
                )
    if outdated:
        raise RetryableError(
            f"{spec.name}: landed files have changed since this run was planned: {listing(outdated)}; clear `plan`"
        )
    if mixed:
        raise RetryableError(
            f"{spec.name}: other runs were at work on these days: {listing(mixed, separator='; ')};"
            " when they have ended, clear `plan`"
        )
    if faults:
        raise PermanentError(f"{spec.name}: rows do not add up: {listing(faults, separator='; ')}")
    return totals


def state_of(lake: Lake, identifier: str, days: Sequence[date]) -> tuple[dict[date, Commit], dict[date, int]]:
    """Per day the newest commit, and the rows of days that have some, both of one moment."""
    try:
        table = tables.load(lake, identifier)
    except MissingInput:
        return {}, {}
    if not (snapshot := table.current_snapshot()):
        return {}, {}
    counts = tables.counts(lake, identifier, start=min(days), end=max(days), snapshot_id=snapshot.snapshot_id)
    return newest(table, days), {day: rows for day, rows in counts.items() if day in days}


def _replayed(
    lake: Lake, spec: UseCase, source: str, commits: Mapping[Layer, Mapping[date, Commit]], day: date
) -> bool:
    """Whether one replay made silver and quarantine of a day, from bronze as it is."""
    silver, quarantine = (commits[layer].get(day) for layer in ("silver", "quarantine"))
    if silver is None or quarantine is None or REPLAYED not in silver.summary:
        return False
    bronze = tables.load(lake, spec.table("bronze", source))
    changed = changed_since(bronze, int(silver.summary[REPLAYED]))
    same = silver.summary[RUN_KEY] == quarantine.summary[RUN_KEY]
    return same and changed is not None and day not in changed


def _runs(commits: Mapping[Layer, Mapping[date, Commit]], day: date) -> Iterator[str]:
    for layer, each in commits.items():
        yield f"{layer} of {each[day].summary['run_id'] if day in each else 'no run'}"
