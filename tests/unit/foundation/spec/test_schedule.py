from datetime import date

import pytest
from pydantic import ValidationError

from include.foundation.spec.schedule import Schedule

START = date(2013, 1, 1)


def test_data_may_be_of_one_day_only_or_without_end():
    assert Schedule(start=START, end=START).end == START
    assert Schedule(start=START).end is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"end": date(2012, 12, 31)}, "end 2012-12-31 lies before start 2013-01-01"),
        ({"start": date(2200, 1, 1)}, "start"),
        ({"start": None}, "start"),
        ({"cron": "every day"}, "cron\n.*neither one of @hourly"),
        ({"cron": "0 25 * * *"}, "cron\n.*'25' says no hour: 0 to 23"),
    ],
)
def test_a_schedule_that_never_runs_is_refused(change, message):
    with pytest.raises(ValidationError, match=message):
        Schedule(**{"start": START, **change})
