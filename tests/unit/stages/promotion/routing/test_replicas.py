import pytest

from include.foundation.spec.promotion import Stage
from include.stages.promotion.routing import Split
from include.stages.promotion.routing.replicas import Replicas


@pytest.mark.parametrize(
    ("weight", "replicas"),
    [
        (0, {"7": 9, "8": 0}),
        (10, {"7": 9, "8": 1}),
        (50, {"7": 9, "8": 9}),
        (75, {"7": 9, "8": 27}),
        (100, {"7": 0, "8": 9}),
    ],
)
def test_a_share_is_a_number_of_replicas(weight, replicas):
    stage = Stage(name="production", replicas=9, rollout="replicas")
    assert Replicas().replicas(stage, Split(candidate="8", stable="7", weight=weight)) == replicas


def test_the_smallest_share_is_one_replica():
    stage = Stage(name="production", replicas=2, rollout="replicas")
    assert Replicas().replicas(stage, Split(candidate="8", stable="7", weight=1)) == {"7": 2, "8": 1}
