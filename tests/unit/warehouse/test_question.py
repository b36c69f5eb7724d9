"""What may be asked."""

from datetime import UTC, datetime

import pytest

from include.foundation.errors import InvalidInput
from include.warehouse.question import LONGEST_SQL, Question, moment


def test_a_day_means_its_end_and_a_moment_is_utc_unless_it_says_otherwise():
    assert moment("2013-01-31") == datetime(2013, 1, 31, 23, 59, 59, 999_999, UTC)
    assert moment("2013-01-31T12:00") == datetime(2013, 1, 31, 12, tzinfo=UTC)
    assert moment("2013-01-31T12:00+02:00") == datetime(2013, 1, 31, 10, tzinfo=UTC)
    with pytest.raises(InvalidInput, match="no day and no moment"):
        moment("yesterday" * 99)


def test_a_question_is_of_one_state_and_not_endless():
    with pytest.raises(InvalidInput, match="not both"):
        Question(sql="SELECT 1", snapshot=1, at=datetime(2013, 1, 1, tzinfo=UTC))
    with pytest.raises(InvalidInput, match="at most"):
        Question(sql=" " * (LONGEST_SQL + 1))
