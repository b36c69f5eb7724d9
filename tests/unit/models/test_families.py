"""What every model family does: the functions of a use case's `model`, and an export that answers as the model."""

import numpy as np
import polars as pl
import pytest

from include.foundation.artifact import Metadata, open_model
from include.foundation.artifact.writer import seal
from include.foundation.errors import InvalidInput
from include.foundation.problem.ranking import auc
from include.foundation.spec import modules
from include.models.boosting import BoostedTrees
from include.models.deep import NeuralNetwork
from include.models.linear import LogisticRegression

FEATURES = {"size": pl.Float64(), "kind": pl.String(), 'PM2.5 [ug/m3], "a:b"': pl.Int64(), "open": pl.Boolean()}
FAMILIES = {
    "boosting": (BoostedTrees, {"n_estimators": 30, "min_child_samples": 5}),
    "deep": (NeuralNetwork, {"epochs": 6, "hidden": 16, "learning_rate": 0.01}),
    "linear": (LogisticRegression, {"C": 0.5}),
}


def rows(count, seed=0, kinds="ABCD"):
    """Rows with all features, nulls and zeros among them; the label depends on the number and the kind."""
    rng = np.random.default_rng(seed)
    frame = pl.DataFrame(
        {
            "size": rng.integers(-9, 9, count) / 3,
            "kind": rng.choice(list(kinds), count),
            [*FEATURES][2]: rng.integers(-2, 3, count),
            "open": rng.random(count) < 0.5,
        },
        schema=FEATURES,
    )
    risk = frame["size"] / 2 + frame["kind"].is_in(["A", "X"]).cast(pl.Float64) * 2 - 1
    frame = frame.with_columns(pl.when(pl.Series(rng.random(count) < 0.9)).then(pl.col(name)) for name in FEATURES)
    return frame.with_columns(label=pl.Series(rng.random(count) < 1 / (1 + np.exp(-risk.to_numpy()))).cast(pl.Int8))


@pytest.fixture(params=FAMILIES)
def family(request):
    """A model of the family, and parameters."""
    make, params = FAMILIES[request.param]
    return make(features=FEATURES, baseline_by=("kind",)), params


def scorer(model, fitted):
    metadata = Metadata(use_case="t", features=fitted.features, categories=fitted.categories, created_from={})
    return open_model(seal(model.export(fitted), metadata))


def test_it_has_the_functions_of_a_use_case_s_model(family):
    model, _ = family
    for name, taken in modules.FUNCTIONS["model"].items():
        assert [*modules._function(model, name, taken)] == []


def test_it_learns_and_says_from_what(family):
    model, params = family
    fitted, test = model.fit(rows(3000), params, 1, rows(500, seed=2)), rows(2000, seed=1)
    assert auc(test["label"].to_numpy(), model.predict(fitted, test)) > 0.7
    assert fitted.features == tuple(fitted.importance) == tuple(FEATURES)
    assert sum(fitted.importance.values()) == pytest.approx(1)
    assert fitted.importance["size"] > fitted.importance["open"]
    assert fitted.categories == {"kind": ("A", "B", "C", "D")}
    again = model.fit(rows(3000), fitted.params, 1)
    np.testing.assert_array_equal(model.predict(again, test), model.predict(fitted, test))


def test_the_export_answers_as_the_model_also_on_what_training_never_saw(family):
    model, params = family
    fitted = model.fit(rows(2000), params, 1)
    nothing = rows(50).with_columns(pl.lit(None, dtype).alias(name) for name, dtype in FEATURES.items())
    for frame in (rows(3000, seed=3), rows(300, seed=4, kinds="XYZ"), nothing):
        answers = scorer(model, fitted).score(model.encode(frame, fitted.categories))
        np.testing.assert_allclose(answers, model.predict(fitted, frame), atol=1e-5, rtol=0)


def test_a_feature_that_is_null_in_all_rows_of_training_is_taken(family):
    model, params = family
    train = rows(400).with_columns(size=pl.lit(None, pl.Float64), kind=pl.lit(None, pl.String))
    fitted = model.fit(train, params, 1)
    answers = scorer(model, fitted).score(model.encode(rows(50), fitted.categories))
    np.testing.assert_allclose(answers, model.predict(fitted, rows(50)), atol=1e-5, rtol=0)


@pytest.mark.parametrize("alone", ["size", "kind"])
def test_features_of_one_type_only_are_taken(family, alone):
    of_all, params = family
    model = type(of_all)(features={alone: FEATURES[alone]}, baseline_by=(alone,))
    fitted = model.fit(rows(400), params, 1)
    answers = scorer(model, fitted).score(model.encode(rows(50, seed=5), fitted.categories))
    np.testing.assert_allclose(answers, model.predict(fitted, rows(50, seed=5)), atol=1e-5, rtol=0)


def test_same_rows_parameters_and_seed_are_the_same_file(family):
    model, params = family
    one, two = (scorer(model, model.fit(rows(800), params, 1)).digest for _ in range(2))
    assert one == two


def test_the_machine_s_parameters_are_taken_and_others_refused_by_name(family):
    model, params = family
    model.fit(rows(300), {**params, "num_threads": 1, "device": "cpu"}, 1)
    with pytest.raises(InvalidInput, match="num_leafs"):
        model.fit(rows(300), {**params, "num_leafs": 4}, 1)


def test_a_feature_of_very_many_texts_is_warned_of(family, caplog):
    model, params = family
    train = rows(1500).with_columns(kind=pl.int_range(1500).cast(pl.String))
    model.fit(train, params, 1)
    assert "kind has 1500 values: is it free text?" in caplog.text
