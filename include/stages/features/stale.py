"""Which days of gold are not what the code would make of silver now."""

import hashlib
import json
from collections.abc import Collection, Mapping
from datetime import date, timedelta

from include.foundation.errors import MissingInput
from include.foundation.evidence.code import digest
from include.foundation.lake import tables
from include.foundation.lake.commit_log import log
from include.stages.features.silver import Silver

MADE_FROM, MADE_BY = "made_from", "made_by"


def origin(silver: Silver) -> dict[str, str]:
    """What a commit of gold says of its origin: the snapshots of silver, and the code and the spec that read them."""
    spec = silver.spec
    rooms = ("include.stages.features.gold", "include.stages.features.silver")
    code = digest(*rooms, f"include.use_cases.{spec.name}.features")
    # Of the spec only what gold is made by: other gates or another approval time make the same rows.
    said = spec.model_dump_json(include={"sources": True, "features": {"lookback_days", "label_days"}})
    snapshots = {spec.table("silver", name): snapshot for name, snapshot in silver.snapshots.items()}
    return {MADE_FROM: json.dumps(snapshots), MADE_BY: f"{code} {hashlib.sha256(said.encode()).hexdigest()}"}


def stale(silver: Silver, days: Collection[date]) -> set[date]:
    """Those of `days` that must be built (again).

    A day is left out only where the commit of gold that replaced it last was made by the same code and spec, and
    nothing that the day depends on was replaced in silver after the snapshots from which that commit was made.
    """
    try:
        commits = log(tables.load(silver.lake, silver.spec.gold))
    except MissingInput:
        return set(days)
    made_by = origin(silver)[MADE_BY]
    unknown, found = set(days), set[date]()
    for commit in commits:
        if not unknown or commit.days is None:
            break
        replaced = unknown & commit.days
        unknown -= replaced
        if replaced and commit.summary.get(MADE_BY) == made_by:
            replaced = _affected(silver, replaced, json.loads(commit.summary[MADE_FROM]))
        found |= replaced
    return found | unknown


def _affected(silver: Silver, days: set[date], snapshots: Mapping[str, int]) -> set[date]:
    """Those of `days` that depend on what silver replaced after these snapshots (by table)."""
    affected, features = set[date](), silver.spec.features
    for source in silver.spec.sources:
        identifier = silver.spec.table("silver", source.name)
        replaced = set[date]()
        for commit in log(tables.load(silver.lake, identifier), silver.snapshots[source.name]):
            if commit.snapshot_id == snapshots.get(identifier):
                break
            if commit.days is None:
                return days
            replaced |= commit.days
        else:  # it is not among the ancestors: expired, or silver was rolled back
            return days
        # An earlier day's labels look ahead, a later day looks back so far; a snapshot holds for every later day.
        ahead, back = (timedelta(days=n) for n in (features.label_days, features.lookback_days))
        reach = back if source.every != "snapshot" else timedelta.max
        affected |= {day for day in days if any(-ahead <= day - each <= reach for each in replaced)}
    return affected
