"""Which days a Dag run is about."""

import calendar
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from airflow.sdk import Param

from flightline import forms
from include.foundation.errors import InvalidInput
from include.foundation.spec import UseCase

HOUR = timedelta(hours=1)
HOURS = 24


def range_params(spec: UseCase, *, otherwise: str) -> dict[str, Param]:
    """The two date fields of a Dag's trigger form; `requested` refuses what lies outside the schedule.

    Args:
        spec: the use case, whose schedule bounds the dates.
        otherwise: what happens when both are left empty, for the help text.
    """
    text = {"description": f"{spec.schedule.start} to {spec.schedule.end or 'today'}. Both empty: {otherwise}."}
    return forms.of(forms.Days(), start_date=text, end_date=text)


def requested(
    params: Mapping[str, Any],
    spec: UseCase,
    *,
    interval_start: datetime | None = None,
    interval_end: datetime | None = None,
    month: str | None = None,
) -> tuple[date, date]:
    """First and last day of a run: from its form, else its month (`2013-01`), else its data interval.

    A month or an interval counts as far as it lies within the spec's schedule. An interval has the day on which it
    begins, and the whole days after that one: of a week all seven, of a day from 06:00 to 06:00 the first.

    Raises:
        InvalidInput: only one date is given, they are in the wrong order or outside of the spec's schedule, no month
            is called so, or the run says nothing of its days.
    """
    first, last = params.get("start_date"), params.get("end_date")
    if bool(first) != bool(last):
        raise InvalidInput("give both start_date and end_date, or neither")
    lowest, highest = spec.schedule.start, spec.schedule.end or date.max
    if first and last:
        start, end = date.fromisoformat(first), date.fromisoformat(last)
        if start > end:
            raise InvalidInput(f"start_date {start} lies after end_date {end}")
        within = lowest <= start and end <= highest
    else:
        if month:
            start, end = _month(month)
        elif interval_start and interval_end:
            start = interval_start.date()
            end = max(start, interval_end.date() - timedelta(days=1))
        else:
            raise InvalidInput("this run has no data interval: give start_date and end_date")
        within = start <= highest and lowest <= end
    if not within:
        raise InvalidInput(
            f"{start} to {end} is not within {lowest} to {spec.schedule.end or 'today'}, the days for "
            f"which {spec.name} has data: give start_date and end_date inside it"
        )
    return max(start, lowest), min(end, highest)


def ended(spec: UseCase, *, interval_start: datetime, interval_end: datetime) -> tuple[list[date], list[datetime]]:
    """The days and the hours (UTC) that end within an interval, within the spec's schedule.

    For a use case whose sources land hourly: an hourly run has its hour, and the run that ends a day has that day for
    the sources that land daily.

    Raises:
        InvalidInput: neither a day nor an hour ends within it, or none for which there are data.
    """
    # Airflow's moments are pendulum's, whose differences no timedelta divides.
    begin, end = (datetime.fromtimestamp(moment.timestamp(), UTC) for moment in (interval_start, interval_end))
    first = begin.replace(minute=0, second=0, microsecond=0)
    count = int((end - first) / HOUR)
    lowest, highest = spec.schedule.start, spec.schedule.end or date.max
    hours = [hour for hour in (first + n * HOUR for n in range(count)) if hour + HOUR > begin]
    hours = [hour for hour in hours if lowest <= hour.date() <= highest]
    if not hours:
        raise InvalidInput(
            f"no hour of {lowest} to {spec.schedule.end or 'today'} ends between {begin} and {end}: give start_date and"
            " end_date, or schedule it hourly or less often"
        )
    return [hour.date() for hour in hours if hour.hour == HOURS - 1], hours


def _month(key: str) -> tuple[date, date]:
    """First and last day of a month (`2013-01`)."""
    try:
        start = date.fromisoformat(f"{key}-01")
    except ValueError as error:
        raise InvalidInput(f"no month is called {key!r}: say it as 2013-01") from error
    return start, start.replace(day=calendar.monthrange(start.year, start.month)[1])


def words(days: Sequence[date]) -> str:
    """A run's days as people say them: the first and the last."""
    first, last = min(days), max(days)
    return f"{first}" if first == last else f"{first} to {last}"


def days(start: date | str, end: date | str) -> list[date]:
    """Every day from start to end, both included."""
    start, end = (day if isinstance(day, date) else date.fromisoformat(day) for day in (start, end))
    return [start + timedelta(n) for n in range((end - start).days + 1)]
