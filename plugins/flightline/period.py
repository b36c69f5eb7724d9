"""Which days a Dag run is about."""

import calendar
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

from airflow.sdk import Param

from include.errors import InvalidInput
from include.spec import UseCase


def range_params(spec: UseCase, *, otherwise: str) -> dict[str, Param]:
    """The two date fields of a Dag's trigger form.

    Args:
        spec: the use case, whose schedule bounds the dates.
        otherwise: what happens when both are left empty, for the help text.
    """
    bounds = f"{spec.schedule.start} to {spec.schedule.end or 'today'}"
    return {
        name: Param(
            None, type=["null", "string"], format="date", title=title, description=f"{bounds}. Both empty: {otherwise}."
        )
        for name, title in (("start_date", "First day"), ("end_date", "Last day"))
    }


def requested(
    params: Mapping[str, Any], spec: UseCase, *, interval_start: datetime | None = None, month: str | None = None
) -> tuple[date, date]:
    """First and last day of a run: from its form, else its month (`2013-01`), else its data interval.

    Raises:
        InvalidInput: only one date is given, they are in the wrong order or outside of the spec's schedule, or the run
            says nothing of its days.
    """
    first, last = params.get("start_date"), params.get("end_date")
    if bool(first) != bool(last):
        raise InvalidInput("give both start_date and end_date, or neither")
    if first and last:
        start, end = date.fromisoformat(first), date.fromisoformat(last)
    elif month:
        start = date.fromisoformat(f"{month}-01")
        end = start.replace(day=calendar.monthrange(start.year, start.month)[1])
    elif interval_start:
        start = end = interval_start.date()
    else:
        raise InvalidInput("this run has no data interval: give start_date and end_date")
    if start > end:
        raise InvalidInput(f"start_date {start} lies after end_date {end}")
    bound = spec.schedule.end or date.max
    if month and not first:
        return max(start, spec.schedule.start), min(end, bound)
    if start < spec.schedule.start or end > bound:
        raise InvalidInput(
            f"{start} to {end} is not within {spec.schedule.start} to {spec.schedule.end or 'today'}, the days for "
            f"which {spec.name} has data: give start_date and end_date inside it"
        )
    return start, end


def days(start: date | str, end: date | str) -> list[date]:
    """Every day from start to end, both included."""
    start, end = (day if isinstance(day, date) else date.fromisoformat(day) for day in (start, end))
    return [start + timedelta(n) for n in range((end - start).days + 1)]
