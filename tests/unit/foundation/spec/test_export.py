import pytest
from pydantic import ValidationError

from include.foundation.spec.export import Export


@pytest.mark.parametrize("change", [{"margin": -0.1}, {"margin": float("nan")}, {"faster": 1.0}, {"faster": 101}])
def test_a_rule_that_noise_or_nothing_meets_is_refused(change):
    with pytest.raises(ValidationError, match=next(iter(change))):
        Export(**change)


def test_without_a_word_float32_gives_way_to_what_is_clearly_faster_and_hardly_worse():
    assert (Export().margin, Export().faster) == (0.001, 1.2)
