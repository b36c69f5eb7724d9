"""What makes gold anew, and what does not."""

import pytest

from include.foundation.spec import load
from include.foundation.spec.features import Features, Online
from include.foundation.spec.promotion import Promotion
from include.foundation.spec.quality import Quality
from include.foundation.spec.sources import Source
from include.stages.features.silver import Silver
from include.stages.features.stale import MADE_BY, origin

SPEC = load("flight_delays")


def made_by(**changes):
    return origin(Silver(None, SPEC.model_copy(update=changes), {}))[MADE_BY]


@pytest.mark.parametrize(
    ("changes", "anew"),
    [
        ({}, False),
        ({"promotion": Promotion(approval_hours=48)}, False),
        ({"quality": Quality()}, False),
        ({"features": SPEC.features.model_copy(update={"online": Online(retention_days=99)})}, False),
        ({"features": Features(lookback_days=9)}, True),
        ({"features": SPEC.features.model_copy(update={"label_days": 9})}, True),
        ({"features": SPEC.features.model_copy(update={"late_hours": 0})}, True),
        ({"sources": (Source(name="flights", contract="Flights"),)}, True),
    ],
)
def test_gold_is_made_by_the_spec_s_sources_and_features(changes, anew):
    assert (made_by(**changes) != made_by()) is anew
