"""Which days of gold are not what the code would make of silver now."""

import json
from collections.abc import Collection, Mapping
from datetime import date, timedelta

from include.foundation.errors import MissingInput
from include.foundation.evidence.code import digest
from include.foundation.lake import Lake, tables
from include.foundation.lake.commit_log import Commit, changed_since, log
from include.foundation.spec import UseCase
from include.stages.features.silver import Silver

MADE_FROM, MADE_BY, UNKNOWN = "made_from", "made_by", "unknown"


def origin(silver: Silver) -> dict[str, str]:
    """What a commit of gold says of its origin: the snapshots of silver, and the code and the spec that read them."""
    snapshots = {silver.spec.table("silver", name): snapshot for name, snapshot in silver.snapshots.items()}
    return {MADE_FROM: json.dumps(snapshots), MADE_BY: made_by(silver.spec)}


def made_by(spec: UseCase) -> str:
    """Digests of the code and of the part of the spec that make gold: other gates make the same rows."""
    rooms = ["include.stages.features.gold", "include.stages.features.silver"]
    read = ["sources", "features.lookback_days", "features.label_days"]
    if spec.features.late_hours is not None:
        rooms.append("include.stages.features.landed")
        read.append("features.late_hours")
    return f"{digest(*rooms, f'include.use_cases.{spec.name}.features')} {spec.digest_of(*read)}"


def made_by_other_code(
    lake: Lake, spec: UseCase, days: Collection[date], *, snapshot_id: int | None = None
) -> dict[date, str]:
    """Those of `days` whose gold, as of a snapshot, other code or another spec made than that of here: day -> which."""
    made = {day: _maker(commit) for day, commit in _newest(lake, spec, days, snapshot_id).items()}
    here = made_by(spec)
    return {day: by for day, by in made.items() if by != here}


def stale(silver: Silver, days: Collection[date]) -> set[date]:
    """Those of `days` that must be built (again).

    A day is left out only where the commit of gold that replaced it last was made by the same code and spec, and
    nothing that the day depends on was replaced in silver after the snapshots from which that commit was made.
    """
    found, made, here = set[date](), dict[int, tuple[Commit, set[date]]](), made_by(silver.spec)
    for day, commit in _newest(silver.lake, silver.spec, days).items():
        if commit and _maker(commit) == here:
            made.setdefault(commit.snapshot_id, (commit, set()))[1].add(day)
        else:
            found.add(day)
    for commit, same in made.values():
        found |= _affected(silver, same, json.loads(commit.summary[MADE_FROM]))
    return found


def _maker(commit: Commit | None) -> str:
    return commit.summary.get(MADE_BY, UNKNOWN) if commit else UNKNOWN


def _newest(
    lake: Lake, spec: UseCase, days: Collection[date], snapshot_id: int | None = None
) -> dict[date, Commit | None]:
    """Per day the commit of gold that replaced it last; None where that is unknown."""
    found: dict[date, Commit | None] = dict.fromkeys(days)
    try:
        commits = log(tables.load(lake, spec.gold), snapshot_id)
    except MissingInput:
        return found
    unknown = set(days)
    for commit in commits:
        if not unknown or commit.days is None:
            break
        found |= dict.fromkeys(unknown & commit.days, commit)
        unknown -= commit.days
    return found


def _affected(silver: Silver, days: set[date], snapshots: Mapping[str, int]) -> set[date]:
    """Those of `days` that depend on what silver replaced after these snapshots (by table)."""
    affected, features = set[date](), silver.spec.features
    for source in silver.spec.sources:
        identifier = silver.spec.table("silver", source.name)
        table, since = tables.load(silver.lake, identifier), snapshots.get(identifier, 0)
        replaced = changed_since(table, since, until=silver.snapshots[source.name])
        if replaced is None:
            return days
        # An earlier day's labels look ahead, a later day looks back so far; a snapshot holds for every later day.
        ahead, back = (timedelta(days=n) for n in (features.label_days, features.lookback_days))
        reach = back if source.every != "snapshot" else timedelta.max
        affected |= {day for day in days if any(-ahead <= day - each <= reach for each in replaced)}
    return affected
