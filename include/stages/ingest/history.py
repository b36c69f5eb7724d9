"""What the lake knows of the days before a run: from commits and metadata, and values from silver's columns."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import TYPE_CHECKING

from include.foundation.echo import listing
from include.foundation.errors import MissingInput, UnusualDay
from include.foundation.lake import tables
from include.foundation.lake.chunks import chunks
from include.foundation.lake.commit_log import newest
from include.foundation.lake.layout import DAY
from include.stages.ingest.contracts import contract_of
from include.stages.quality.days import Day, Finding, compare
from include.stages.quality.values import Values, compare_values

if TYPE_CHECKING:
    from collections.abc import Mapping

    from include.foundation.lake import Lake
    from include.foundation.spec import UseCase
    from include.foundation.spec.sources import Source
    from include.stages.quality.days import Days

TOLD = 400  # characters of a finding in an error
NULLS = "nulls"  # key of a commit's summary: column -> share of its silver rows without a value


def no_values(spec: UseCase, source: str) -> dict[str, Values]:
    """The columns of a source in which new values are looked for, with none yet."""
    daily = spec.quality.daily
    return {column: Values(column, weeks=daily.weeks) for column in daily.new_values.get(source, {})}


def findings(
    lake: Lake, spec: UseCase, source: Source, found: Days, values: Mapping[str, Values], *, days: set[date]
) -> list[Finding]:
    """Compare those of a run's days that it has whole with the days before them.

    Args:
        lake: the lake.
        spec: the use case.
        source: whose days.
        found: counts of the run's days.
        values: the run's values, by column.
        days: those that the run has whole.

    Returns:
        What is to be said.

    Raises:
        UnusualDay: a day is too unlike; the message names the first ones and what to do.
    """
    counted = found.each()
    # Where an hour may be without rows, a day without any is another matter.
    silent = dict.fromkeys(days - counted.keys(), Day(0, {})) if source.every == "hour" else {}
    new = silent | {day: each for day, each in counted.items() if day in days}
    if not new:
        return []
    limits = spec.quality.daily
    before = _before(lake, spec, source, min(new), limits.weeks)
    all_of_them = [*compare(new, before, limits)]
    if values:
        levels, known = limits.new_values[source.name], _values(lake, spec, source, before)
        hidden = contract_of(spec, source.contract).sensitive
        all_of_them += compare_values(values, known, levels, limits, days=new, hidden=hidden)
        all_of_them.sort(key=lambda finding: finding.day)
    if stops := [finding for finding in all_of_them if finding.stop]:
        told = listing(stops, separator="; ", width=TOLD)
        raise UnusualDay(
            f"{source.name}: days unlike those before them, nothing was published: {told}."
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


def _values(lake: Lake, spec: UseCase, source: Source, days: Mapping[date, Day]) -> dict[str, Values]:
    """The values of silver on days, read from their columns alone, as many rows at once as `chunks` says."""
    found, silver = no_values(spec, source.name), spec.table("silver", source.name)
    try:
        there = tables.load(lake, silver).schema().column_names
    except MissingInput:
        return found
    for some in chunks(sorted(days), {day: each.rows for day, each in days.items()}):
        if columns := [name for name, values in found.items() if name in there and not values.too_many]:
            rows = tables.read(lake, silver, start=some[0], end=some[-1], columns=[DAY, *columns])
            for name in columns:
                found[name].add(rows)
    return found
