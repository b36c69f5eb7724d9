import pytest
from pydantic import ValidationError

from include.foundation.spec.features import Features, Online
from include.foundation.spec.part import LONGEST


@pytest.mark.parametrize("name", ["lookback_days", "label_days"])
@pytest.mark.parametrize("days", [-1, LONGEST + 1, 1.5])
def test_features_reach_back_a_number_of_days_that_a_date_has(name, days):
    with pytest.raises(ValidationError, match=name):
        Features(**{name: days})


@pytest.mark.parametrize("days", [0, LONGEST + 1])
def test_the_online_table_keeps_a_day_at_least(days):
    with pytest.raises(ValidationError, match="retention_days"):
        Online(retention_days=days)


def test_labels_are_of_the_request_s_own_day_unless_a_spec_says_otherwise():
    assert (Features().label_days, Features(lookback_days=0).lookback_days) == (0, 0)
