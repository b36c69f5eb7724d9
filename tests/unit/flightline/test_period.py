from datetime import UTC, date, datetime, timedelta

import pendulum
import pytest

from flightline.period import days, ended, range_params, requested
from include.foundation.errors import InvalidInput
from include.foundation.spec import load

SPEC = load("flight_delays")


def _at(text):
    """A moment as Airflow has it: its differences are not those of datetime's moments."""
    return pendulum.instance(datetime.fromisoformat(text).replace(tzinfo=UTC))


def test_the_form_wins_over_the_interval():
    params = {"start_date": "2013-02-01", "end_date": "2013-02-03"}
    assert requested(params, SPEC, interval_start=_at("2013-05-01"), interval_end=_at("2013-05-02")) == (
        date(2013, 2, 1),
        date(2013, 2, 3),
    )


@pytest.mark.parametrize(
    ("start", "end", "first", "last"),
    [
        ("2013-05-01", "2013-05-02", "2013-05-01", "2013-05-01"),
        ("2013-05-01T06", "2013-05-02T06", "2013-05-01", "2013-05-01"),
        ("2013-05-01T22", "2013-05-01T23", "2013-05-01", "2013-05-01"),
        ("2013-05-01T23", "2013-05-02T00", "2013-05-01", "2013-05-01"),
        ("2013-05-05", "2013-05-12", "2013-05-05", "2013-05-11"),
        ("2013-05-06T06", "2013-05-13T06", "2013-05-06", "2013-05-12"),
        ("2013-05-01", "2013-06-01", "2013-05-01", "2013-05-31"),
        ("2012-12-30", "2013-01-06", "2013-01-01", "2013-01-05"),
        ("2013-12-29", "2014-01-05", "2013-12-29", "2013-12-30"),
    ],
)
def test_an_interval_has_its_first_day_and_the_whole_days_after_it(start, end, first, last):
    found = requested({}, SPEC, interval_start=_at(start), interval_end=_at(end))
    assert found == (date.fromisoformat(first), date.fromisoformat(last))


@pytest.mark.parametrize("cron", ["@hourly", "@daily", "0 6 * * *", "@weekly", "0 6 * * 1", "@monthly"])
def test_every_day_of_a_schedule_is_in_some_run(cron):
    from airflow.timetables.base import TimeRestriction
    from airflow.timetables.interval import CronDataIntervalTimetable
    from pendulum import datetime as moment

    timetable = CronDataIntervalTimetable(cron, timezone="UTC")
    bounds = TimeRestriction(moment(2013, 1, 1), moment(2013, 3, 1), catchup=True)
    found, interval = set(), None
    while info := timetable.next_dagrun_info(last_automated_data_interval=interval, restriction=bounds):
        interval = info.data_interval
        found |= {*days(*requested({}, SPEC, interval_start=interval.start, interval_end=interval.end))}
    assert found >= {*days(min(found), "2013-02-28")}
    assert min(found) <= date(2013, 1, 7)


@pytest.mark.parametrize(
    ("start", "end", "hours", "ends"),
    [
        ("2013-05-01T05", "2013-05-01T06", (5, 5), False),
        ("2013-05-01T05:30", "2013-05-01T06:30", (5, 5), False),
        ("2013-05-01T23", "2013-05-02T00", (23, 23), True),
        ("2013-05-01T00", "2013-05-02T00", (0, 23), True),
        ("2013-05-01T18", "2013-05-02T00", (18, 23), True),
    ],
)
def test_an_interval_has_the_hours_and_days_that_end_in_it(start, end, hours, ends):
    days, found = ended(SPEC, interval_start=_at(start), interval_end=_at(end))
    first, last = hours
    assert found == [_at(f"2013-05-01T{hour:02}") for hour in range(first, last + 1)]
    assert days == ([date(2013, 5, 1)] if ends else [])


def test_each_hour_of_an_hourly_schedule_is_in_one_run():
    start, end = _at("2013-05-01"), _at("2013-05-03")
    runs = [start + timedelta(hours=n) for n in range(48)]
    found = [ended(SPEC, interval_start=at, interval_end=at + timedelta(hours=1)) for at in runs]
    assert [hour for _, hours in found for hour in hours] == runs
    assert [day for days, _ in found for day in days] == [start.date(), date(2013, 5, 2)]
    assert end == runs[-1] + timedelta(hours=1)


@pytest.mark.parametrize(
    ("start", "end"), [("2013-05-01T05:10", "2013-05-01T05:50"), ("2014-05-01T05", "2014-05-01T06")]
)
def test_an_interval_without_an_hour_is_refused(start, end):
    with pytest.raises(InvalidInput, match="no hour of 2013-01-01 to 2013-12-30 ends between"):
        ended(SPEC, interval_start=_at(start), interval_end=_at(end))


def test_a_month_is_cut_to_the_schedule():
    assert requested({}, SPEC, month="2013-02") == (date(2013, 2, 1), date(2013, 2, 28))
    assert requested({}, SPEC, month="2013-12") == (date(2013, 12, 1), date(2013, 12, 30))


@pytest.mark.parametrize(
    ("params", "run", "said"),
    [
        ({"start_date": "2013-02-01"}, {}, "both"),
        ({"start_date": "2013-02-02", "end_date": "2013-02-01"}, {}, "after"),
        ({"start_date": "2012-12-31", "end_date": "2013-01-01"}, {}, "within"),
        ({}, {"interval_start": _at("2026-01-01"), "interval_end": _at("2026-01-02")}, "within"),
        ({}, {"month": "2014-05"}, "2014-05-01 to 2014-05-31 is not within"),
        ({}, {"month": "2012-12"}, "within"),
        ({}, {"month": "x"}, "no month is called 'x'"),
        ({}, {"month": "2013-1"}, "no month is called '2013-1'"),
        ({}, {}, "no data interval"),
    ],
)
def test_what_cannot_be_served_is_said(params, run, said):
    with pytest.raises(InvalidInput, match=said):
        requested(params, SPEC, **run)


def test_days_include_both_ends():
    assert days("2013-01-31", "2013-02-01") == [date(2013, 1, 31), date(2013, 2, 1)]


def test_empty_fields_are_valid_in_the_form():
    assert all(param.resolve() is None for param in range_params(SPEC, otherwise="the interval").values())
