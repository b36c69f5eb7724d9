import pytest
from pydantic import ValidationError

from include.foundation.spec.training import Parameter, Training

RATE = {"name": "rate", "type": "double", "bounds": {"min": 0.1, "max": 1}}
SOUND = {
    "policy": {"min_days": 1, "every_days": 1},
    "window_days": 10,
    "holdout_days": 3,
    "validation_days": 6,
    "parameters": [RATE],
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bounds": None}, "rate needs bounds"),
        ({"bounds": {"min": 0.1}}, "rate needs bounds"),
        ({"bounds": {"min": 1, "max": 1}}, "rate needs bounds: .*min below max"),
        ({"bounds": {"min": 0, "max": float("inf")}}, "finite"),
        ({"bounds": {"low": 0, "max": 1}}, "bounds.low"),
        ({"bounds": {"min": 0, "max": 1}, "transformation": "log"}, "rate: only bounds above 0 have a log"),
        ({"categorical_values": ["a", "b"]}, "rate is a number: give bounds, and no categorical_values"),
        ({"type": "int", "bounds": {"min": 1.5, "max": 3}}, "rate is an int: its bounds must be whole numbers"),
        ({"type": "int", "bounds": {"min": 0, "max": 2**31}}, "whole numbers of 32 bits"),
        (
            {"type": "int", "bounds": {"min": 1, "max": 9}, "transformation": "log"},
            "rate is an int: only a double may have a transformation",
        ),
        ({"type": "categorical"}, "rate is categorical: give categorical_values, and no bounds"),
        ({"type": "categorical", "bounds": None}, "rate is categorical: give categorical_values"),
        ({"type": "categorical", "bounds": None, "categorical_values": ["a"]}, "rate has one value only: .*fixed"),
        ({"type": "categorical", "bounds": None, "categorical_values": ["a", "b", "a"]}, "categorical_values: a twice"),
        ({"name": "learning rate"}, "name"),
        ({"name": "1st"}, "name"),
    ],
)
def test_a_parameter_without_a_space_to_search_is_refused(change, message):
    with pytest.raises(ValidationError, match=message):
        Parameter(**{**RATE, **change})


@pytest.mark.parametrize(
    "change",
    [
        {"transformation": "log"},
        {"type": "int", "bounds": {"min": -(2**31) + 1, "max": 2**31 - 1}},
        {"type": "categorical", "bounds": None, "categorical_values": ["a", "b"]},
    ],
)
def test_each_kind_of_parameter_is_taken(change):
    assert Parameter(**{**RATE, **change}).name == "rate"


def test_a_window_has_at_least_a_day_to_fit_on():
    assert Training(**SOUND).window_days == 10
    with pytest.raises(ValidationError, match=r"window_days must exceed holdout_days \+ validation_days"):
        Training(**{**SOUND, "window_days": 9})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"parameters": []}, "parameters"),
        ({"parameters": [RATE, RATE]}, "parameters: rate twice"),
        ({"fixed": {"rate": 1}}, "rate: either tuned .* or fixed, not both"),
        ({"fixed": {"depth": {"of": 1}}}, "fixed.depth"),
        ({"fixed": {"depth": float("nan")}}, "fixed.depth"),
        ({"trials": 0}, "trials"),
        ({"trials": 501}, "trials"),
        ({"parallelism": 33}, "parallelism"),
        ({"seed": -1}, "seed"),
        ({"seed": 2**31}, "seed"),
        ({"holdout_days": 0}, "holdout_days"),
        ({"validation_days": 0}, "validation_days"),
        ({"policy": {"min_days": 1}}, "policy.every_days"),
    ],
)
def test_a_training_run_that_cannot_be_done_is_refused(change, message):
    with pytest.raises(ValidationError, match=message):
        Training(**{**SOUND, **change})


def test_a_fixed_parameter_keeps_its_type():
    fixed = {"on": True, "depth": 3, "rate_decay": 0.5, "mode": "fast", "sizes": (1, 2.5)}
    read = Training(**SOUND, fixed=fixed).fixed
    assert read == fixed
    assert [type(value) for value in read.values()] == [type(value) for value in fixed.values()]
