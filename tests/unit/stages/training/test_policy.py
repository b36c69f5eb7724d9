from datetime import date, timedelta

import pytest

from include.foundation.spec.training import Policy
from include.stages.training.policy import due

POLICY = Policy(min_days=10, every_days=3)
START = date(2013, 1, 1)


@pytest.mark.parametrize(
    ("count", "trained_until", "expected"),
    [
        (9, None, False),
        (10, None, True),
        (12, START + timedelta(9), False),
        (13, START + timedelta(9), True),
        (0, None, False),
    ],
)
def test_the_policy_counts_days(count, trained_until, expected):
    verdict, reason = due(POLICY, days=[START + timedelta(n) for n in range(count)], trained_until=trained_until)
    assert verdict is expected
    assert "days of gold" in reason
