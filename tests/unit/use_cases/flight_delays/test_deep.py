"""The challenger of `flight_delays`: one line of the spec lets it compete."""

import numpy as np
import polars as pl

from include.foundation.spec import UseCase, load, module
from include.stages.training.frozen import fitting_code, spec_read
from include.use_cases.flight_delays import model
from include.use_cases.flight_delays.features import FEATURES

SPEC = load("flight_delays")


def with_models(*models):
    said = SPEC.model_dump(mode="json")
    return UseCase.model_validate({**said, "training": {**said["training"], "models": models}})


def test_it_has_a_model_s_functions_and_serving_s_encoding():
    deep = module("flight_delays", "deep")
    places = pl.int_range(30, eager=True)
    frame = pl.DataFrame(
        {name: places.cast(pl.String) if dtype == pl.String else places.cast(dtype) for name, dtype in FEATURES.items()}
    )
    categories = {name: ("1", "2") for name, dtype in FEATURES.items() if dtype == pl.String}
    np.testing.assert_array_equal(deep.encode(frame, categories), model.encode(frame, categories))


def test_a_challenger_is_another_training_and_without_one_nothing_changes():
    rival = with_models({"name": "deep", "fixed": {"epochs": 3}})
    assert spec_read(with_models()) == spec_read(SPEC) != spec_read(rival)
    assert fitting_code(with_models()) == fitting_code(SPEC) != fitting_code(rival)
    assert spec_read(rival) != spec_read(with_models({"name": "deep", "fixed": {"epochs": 4}}))
