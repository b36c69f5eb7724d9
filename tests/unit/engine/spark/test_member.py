"""How days are divided; the rest needs a Spark (tests/integration/test_engine.py)."""

from datetime import date, timedelta

import pytest

from include.engine.spark.member import divide

D = [date(2013, 1, 1) + timedelta(days=n) for n in range(10)]


@pytest.mark.parametrize("most", [1, 3, 4, 10, 99])
def test_every_day_is_in_one_part_in_order_and_parts_are_not_too_many(most):
    parts = divide(D, most)
    assert [day for part in parts for day in part] == D
    assert len(parts) <= most
    assert max(map(len, parts)) - min(map(len, parts[:-1] or parts)) <= 0


def test_without_days_there_is_a_part_without_days():
    assert divide([], 8) == [[]]
