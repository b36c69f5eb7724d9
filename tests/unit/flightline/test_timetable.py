"""A schedule has the days that it says, and is the same after Airflow has stored it."""

from datetime import date

import pytest
from airflow.sdk import DAG
from airflow.serialization.serialized_objects import DagSerialization
from airflow.timetables.base import TimeRestriction

from flightline.timetable import BoundedCron


def days(timetable, *, catchup=True):
    restriction = TimeRestriction(None, None, catchup=catchup)
    last, found = None, []
    while len(found) < 50 and (
        info := timetable.next_dagrun_info(last_automated_data_interval=last, restriction=restriction)
    ):
        last = info.data_interval
        found.append(last.start.to_datetime_string())
    return found


@pytest.fixture(params=["written", "stored"])
def bounded(request):
    def make(cron, start, end):
        timetable = BoundedCron(cron, start=date.fromisoformat(start), end=end and date.fromisoformat(end))
        if request.param == "written":
            return timetable
        with DAG("t", schedule=timetable, catchup=False) as dag:
            pass
        return DagSerialization.from_dict(DagSerialization.to_dict(dag)).timetable

    return make


def test_the_first_and_the_last_day_are_included(bounded):
    assert days(bounded("@daily", "2013-01-01", "2013-01-03")) == [f"2013-01-0{n} 00:00:00" for n in (1, 2, 3)]


def test_every_interval_that_begins_on_the_last_day_is_included(bounded):
    found = days(bounded("0 */8 * * *", "2013-01-01", "2013-01-02"))
    assert (found[0], found[-1], len(found)) == ("2013-01-01 00:00:00", "2013-01-02 16:00:00", 6)


def test_a_schedule_without_an_end_goes_on(bounded):
    assert len(days(bounded("@daily", "2013-01-01", None))) == 50


def test_without_catchup_a_schedule_that_has_ended_plans_nothing(bounded):
    assert days(bounded("@daily", "2013-01-01", "2013-01-03"), catchup=False) == []


def test_a_schedule_that_has_not_begun_plans_its_first_day(bounded):
    found = days(bounded("@daily", "2198-01-01", "2198-01-02"), catchup=False)
    assert found == ["2198-01-01 00:00:00", "2198-01-02 00:00:00"]
