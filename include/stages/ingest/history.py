"""What the lake knows of the days before a run, from commits and metadata alone."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import TYPE_CHECKING

from include.foundation.echo import listing
from include.foundation.errors import MissingInput, UnusualDay
from include.foundation.lake import tables
from include.foundation.lake.commit_log import newest
from include.stages.quality.days import Day, Finding, compare

if TYPE_CHECKING:
    from include.foundation.lake import Lake
    from include.foundation.spec import UseCase
    from include.foundation.spec.sources import Source
    from include.stages.quality.days import Days

NULLS = "nulls"  # key of a commit's summary: column -> share of its silver rows without a value


def findings(lake: Lake, spec: UseCase, source: Source, found: Days, *, days: set[date]) -> list[Finding]:
    """Compare those of a run's days that it has whole with the days before them.

    Returns:
        What is to be said.

    Raises:
        UnusualDay: a day is too unlike; the message names the first ones and what to do.
    """
    new = {day: each for day, each in found.each().items() if day in days}
    if not new:
        return []
    limits = spec.quality.daily
    all_of_them = [*compare(new, _before(lake, spec, source, min(new), limits.weeks), limits)]
    if stops := [finding for finding in all_of_them if finding.stop]:
        raise UnusualDay(
            f"{source.name}: days unlike those before them, nothing was published: {listing(stops, separator='; ')}."
            " If the data are right, raise the levels of `quality.daily` in the spec, then clear `plan`"
        )
    return all_of_them


def _before(lake: Lake, spec: UseCase, source: Source, first: date, weeks: int) -> dict[date, Day]:
    start, end = first - timedelta(weeks=weeks), first - timedelta(days=1)
    rows = tables.counts(lake, spec.table("bronze", source.name), start=start, end=end)
    try:
        commits = newest(tables.load(lake, spec.table("silver", source.name)), set(rows))
    except MissingInput:
        commits = {}
    return {
        day: Day(count, json.loads(commits[day].summary.get(NULLS, "{}")) if day in commits else {})
        for day, count in rows.items()
    }
