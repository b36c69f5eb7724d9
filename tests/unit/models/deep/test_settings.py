import pytest

from include.foundation.errors import InvalidInput
from include.models.deep.settings import Settings


def test_unknown_parameters_are_named_with_those_that_there_are():
    with pytest.raises(InvalidInput, match=r"no epoch; there are: epochs, batch_size"):
        Settings.of({"epoch": 3})


@pytest.mark.parametrize(
    "bad", [{"epochs": 0}, {"dropout": 1.0}, {"precision": "half"}, {"learning_rate": float("nan")}]
)
def test_a_value_out_of_its_bounds_is_named(bad):
    with pytest.raises(InvalidInput, match=f"parameters: {next(iter(bad))}: "):
        Settings.of(bad)


@pytest.mark.parametrize(
    ("precision", "device", "mixed"),
    [("auto", "cpu", False), ("auto", "gpu", True), ("float32", "gpu", False), ("mixed", "cpu", True)],
)
def test_precision_is_mixed_where_it_helps_or_where_it_is_said(precision, device, mixed):
    assert Settings.of({"precision": precision, "device": device}).mixed is mixed
