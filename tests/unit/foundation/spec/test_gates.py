import pytest
from pydantic import ValidationError

from include.foundation.spec.gates import Gates, Slice


def test_the_floor_has_no_default():
    with pytest.raises(ValidationError, match=r"floor\n.*Field required"):
        Gates()


@pytest.mark.parametrize(
    "change",
    [
        {"floor": float("nan")},
        {"floor": float("inf")},
        {"confidence": 0.5},
        {"confidence": 1},
        {"resamples": 99},
        {"resamples": 100_001},
        {"champion_margin": -0.1},
        {"champion_margin": float("inf")},
        {"baseline_margin": -0.1},
        {"latency_p99_ms": 0},
        {"slices": [{"by": "carrier"}]},
    ],
)
def test_a_gate_that_everything_or_nothing_passes_is_refused(change):
    with pytest.raises(ValidationError, match=next(iter(change))):
        Gates(**{"floor": 0.7, **change})


def test_the_least_that_a_spec_says_still_judges():
    gates = Gates(floor=0.7)
    assert gates.champion_margin == 0
    assert gates.baseline_margin > 0


@pytest.mark.parametrize("change", [{"by": "the carrier"}, {"margin": -1}, {"margin": float("nan")}, {"min_rows": 0}])
def test_a_slice_without_rows_or_a_margin_is_refused(change):
    with pytest.raises(ValidationError, match=next(iter(change))):
        Slice(**{"by": "carrier", "margin": 0.1, **change})
