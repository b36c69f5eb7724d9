"""What a spec may say of its schedule is what Airflow can plan."""

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from include.foundation.spec.cron import WORDS, check

BOUNDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))


@pytest.mark.parametrize(
    "cron",
    ["0 6 * * *", "*/15 8-18/2 * jan-mar MON-FRI", "0  0 1,15 * 7", "5/10 0 29 2 *", "0 0 31 2 1", "0 0 31 2-3 *"],
)
def test_crontab_s_grammar_is_taken(cron):
    assert check(cron) == cron


@pytest.mark.parametrize(
    ("cron", "said"),
    [
        *(
            (f"{field} 0 * * *", "minute")
            for field in ("60", "-1", "a", "*/0", "*/60", "5-5", "9-5", "1,", "1-2-3", "٣")
        ),
        ("99 99 * * *", "'99' says no minute: 0 to 59"),
        ("a b c d e", "'a' says no minute"),
        ("0 24 * * *", "'24' says no hour"),
        ("0 0 0 * *", "'0' says no day of the month"),
        ("0 0 L * *", "'L' says no day of the month"),
        ("0 0 1 13 *", "'13' says no month"),
        ("0 0 1 mon *", "'mon' says no month"),
        ("0 0 * * 8", "'8' says no day of the week"),
        ("0 0 * * 1#2", "'1#2' says no day of the week"),
        ("0 0 * *,7 *", "a [*] stands alone"),
        ("0 0 31 2,4 *", "none of these months has such a day"),
        *(
            (text, "neither one of @hourly")
            for text in ("", "@never", "@daily\n", "* * * *", "* * * * * *", "0\t0 * * *")
        ),
    ],
)
def test_anything_else_is_refused_by_name(cron, said):
    with pytest.raises(ValueError, match=said):
        check(cron)


@st.composite
def _fields(draw, low, high):
    value = st.integers(low, high)
    span = st.tuples(value, value).map(lambda ends: f"{min(ends)}-{max(ends)}")
    item = st.tuples(st.just("*") | value.map(str) | span, st.just("") | st.integers(1, high).map("/{}".format))
    return ",".join(draw(st.lists(item.map("".join), min_size=1, max_size=3)))


@settings(max_examples=100, deadline=None)
@given(cron=st.sampled_from(WORDS) | st.tuples(*(_fields(*bounds) for bounds in BOUNDS)).map(" ".join))
def test_airflow_can_plan_what_is_taken(cron):
    from airflow.timetables.base import TimeRestriction
    from airflow.timetables.interval import CronDataIntervalTimetable
    from pendulum import datetime

    try:
        check(cron)
    except ValueError:
        assume(False)
    timetable = CronDataIntervalTimetable(cron, timezone="UTC")
    timetable.validate()
    bounds = TimeRestriction(datetime(2013, 1, 1), None, catchup=True)
    assert timetable.next_dagrun_info(last_automated_data_interval=None, restriction=bounds)
