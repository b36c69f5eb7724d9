from datetime import UTC, date, datetime

import pytest

from flightline.period import days, range_params, requested
from include.errors import InvalidInput
from include.spec import load

SPEC = load("flight_delays")


def test_the_form_wins_over_the_interval():
    params = {"start_date": "2013-02-01", "end_date": "2013-02-03"}
    assert requested(params, SPEC, interval_start=datetime(2013, 5, 1, tzinfo=UTC)) == (
        date(2013, 2, 1),
        date(2013, 2, 3),
    )


def test_an_interval_is_its_first_day():
    assert requested({}, SPEC, interval_start=datetime(2013, 5, 1, tzinfo=UTC)) == (date(2013, 5, 1), date(2013, 5, 1))


def test_a_month_is_cut_to_the_schedule():
    assert requested({}, SPEC, month="2013-02") == (date(2013, 2, 1), date(2013, 2, 28))


@pytest.mark.parametrize(
    ("params", "interval", "said"),
    [
        ({"start_date": "2013-02-01"}, None, "both"),
        ({"start_date": "2013-02-02", "end_date": "2013-02-01"}, None, "after"),
        ({"start_date": "2012-12-31", "end_date": "2013-01-01"}, None, "within"),
        ({}, datetime(2026, 1, 1, tzinfo=UTC), "within"),
        ({}, None, "no data interval"),
    ],
)
def test_what_cannot_be_served_is_said(params, interval, said):
    with pytest.raises(InvalidInput, match=said):
        requested(params, SPEC, interval_start=interval)


def test_days_include_both_ends():
    assert days("2013-01-31", "2013-02-01") == [date(2013, 1, 31), date(2013, 2, 1)]


def test_empty_fields_are_valid_in_the_form():
    assert all(param.resolve() is None for param in range_params(SPEC, otherwise="the interval").values())
