import numpy as np
import polars as pl
import pytest

from include.foundation.artifact import Metadata, digest, open_model
from include.foundation.artifact.writer import seal
from include.foundation.errors import InvalidInput
from include.foundation.problem import problem as kind_of
from include.foundation.problem.ranking import auc
from include.models.boosting import BoostedTrees
from include.models.boosting.objectives import OBJECTIVES
from include.models.encoding import FEW

FEATURES = {
    "distance": pl.Float64(),
    "carrier": pl.String(),
    "hour": pl.Int64(),
    "delay": pl.Float64(),
    "origin": pl.String(),
    "international": pl.Boolean(),
    "seats": pl.Int16(),
}
BASELINE = ("carrier", "hour")
PARAMS = {"n_estimators": 40, "num_leaves": 15, "min_child_samples": 20, "learning_rate": 0.1}
model = BoostedTrees(features=FEATURES, baseline_by=BASELINE)
NUMBERS = [name for name, dtype in FEATURES.items() if dtype != pl.String and name not in BASELINE]


def flights(rows, seed=0, carriers="ABCDEFGH"):
    """Rows with all features, nulls among them; late flights depend on carrier, hour and two numbers."""
    rng = np.random.default_rng(seed)
    columns = {}
    for name, dtype in FEATURES.items():
        if dtype == pl.String:
            values = pl.Series(rng.choice(list(carriers), rows))
        elif dtype == pl.Boolean:
            values = pl.Series(rng.random(rows) < 0.5)
        elif dtype.is_integer():
            values = pl.Series(rng.integers(0, 24, rows))
        else:  # thirds and sevenths: numbers that float32 does not hold
            values = pl.Series(rng.integers(-300, 300, rows) / rng.choice([3, 7, 1], rows))
        columns[name] = values.cast(dtype).set(pl.Series(rng.random(rows) < 0.05), None)
    frame = pl.DataFrame(columns)
    carrier, hour = (frame[name] for name in BASELINE)
    risk = (
        carrier.is_in(["A", "B"]).fill_null(False).cast(pl.Float64) + hour.fill_null(12).cast(pl.Float64) / 12 - 2
    ).to_numpy() + sum(np.tanh(frame[name].cast(pl.Float64).fill_null(0).to_numpy() / 50) for name in NUMBERS[:2])
    return frame.with_columns(label=pl.Series(rng.random(rows) < 1 / (1 + np.exp(-risk))).cast(pl.Int8))


@pytest.fixture(scope="module")
def fitted():
    return model.fit(flights(4000), PARAMS, 1)


def scorer(fitted):
    metadata = Metadata(use_case="t", features=fitted.features, categories=fitted.categories, created_from={})
    return open_model(seal(model.export(fitted), metadata))


def test_learns(fitted):
    test = flights(4000, seed=1)
    assert auc(test["label"].to_numpy(), model.predict(fitted, test)) > 0.65
    assert set(fitted.importance) == set(FEATURES)
    assert sum(fitted.importance.values()) == pytest.approx(1)


def test_encode_is_the_models_columns_in_order():
    frame = flights(3).select(reversed(FEATURES)).with_columns(label_known_at=pl.lit("not a feature"))
    name = next(name for name, dtype in FEATURES.items() if dtype == pl.String)
    frame = frame.with_columns(pl.Series(name, ["B", "unheard of", None]))
    matrix = model.encode(frame, {name: ("A", "B")})
    assert matrix.dtype == np.float32
    assert matrix.shape == (3, len(FEATURES))
    np.testing.assert_array_equal(matrix[:, list(FEATURES).index(name)], [1, np.nan, np.nan])
    number = NUMBERS[0]
    expected = frame[number].cast(pl.Float64).fill_null(np.nan).to_numpy().astype(np.float32)
    np.testing.assert_array_equal(matrix[:, list(FEATURES).index(number)], expected)


def test_few_rows_are_encoded_to_the_same_bits_as_many(fitted):
    frame = flights(1000, seed=2, carriers="ABCDEFGHXYZ")
    many = model.encode(frame, fitted.categories)
    for size in (1, FEW):
        few = np.concatenate([model.encode(part, fitted.categories) for part in frame.iter_slices(size)])
        np.testing.assert_array_equal(few, many)
    assert model.encode(frame.head(0), fitted.categories).shape == (0, len(FEATURES))


def test_export_equals_the_model_also_on_what_training_never_saw(fitted):
    for frame in (
        flights(5000, seed=3),
        flights(500, seed=4, carriers="XYZ"),
        flights(50).with_columns(pl.lit(None, dtype).alias(name) for name, dtype in FEATURES.items()),
    ):
        scores = scorer(fitted).score(model.encode(frame, fitted.categories))
        assert scores.shape == (frame.height,)
        np.testing.assert_allclose(scores, model.predict(fitted, frame), atol=1e-6, rtol=0)


def test_export_decides_as_the_model_at_its_very_thresholds():
    """Values beside each other in float32, with the threshold between them: the nearest float32 would be wrong."""
    number = next(name for name, dtype in FEATURES.items() if dtype.is_float())
    low = np.float32(100.1)
    high = np.nextafter(low, np.float32(np.inf))
    frame = flights(2000).with_columns(
        pl.Series(number, np.where(np.arange(2000) % 2, high, low).astype(np.float64)).cast(FEATURES[number]),
        label=pl.Series(np.arange(2000) % 2).cast(pl.Int8),
    )
    fitted = model.fit(frame, PARAMS, 1)
    assert auc(frame["label"].to_numpy(), model.predict(fitted, frame)) == 1
    scores = scorer(fitted).score(model.encode(frame, fitted.categories))
    np.testing.assert_allclose(scores, model.predict(fitted, frame), atol=1e-6, rtol=0)


def test_same_rows_parameters_and_seed_are_the_same_file():
    params = {**PARAMS, "colsample_bytree": 0.5}
    one, two, other = (scorer(model.fit(flights(1500), params, seed)).digest for seed in (1, 1, 2))
    assert one == two
    assert one != other


def test_more_threads_are_the_same_file():
    one, two = (scorer(model.fit(flights(1500), {**PARAMS, "num_threads": n}, 1)).digest for n in (1, 2))
    assert one == two


def test_validation_rows_settle_how_many_trees():
    params = {**PARAMS, "n_estimators": 300, "learning_rate": 0.3}
    fitted = model.fit(flights(800), params, 1, flights(800, seed=9))
    assert 0 < fitted.params["n_estimators"] < 100
    again = model.fit(flights(800), fitted.params, 1)
    test = flights(300, seed=5)
    np.testing.assert_array_equal(model.predict(again, test), model.predict(fitted, test))
    assert digest(model.export(again).SerializeToString()) == digest(model.export(fitted).SerializeToString())


def test_baseline_is_the_smoothed_rate():
    carrier, hour = BASELINE
    train = pl.DataFrame(
        {carrier: ["A"] * 300 + ["B"] * 100, hour: [8] * 400, "label": [1] * 150 + [0] * 150 + [1] * 90 + [0] * 10},
        schema_overrides={carrier: FEATURES[carrier], hour: FEATURES[hour], "label": pl.Int8},
    )
    ask = pl.DataFrame(
        {carrier: ["B", "A", "C", None], hour: [8, 8, 8, 9]},
        schema_overrides={carrier: FEATURES[carrier], hour: FEATURES[hour]},
    )
    overall = 240 / 400
    expected = [(90 + 100 * overall) / 200, (150 + 100 * overall) / 400, overall, overall]
    np.testing.assert_allclose(model.baseline(train, ask), expected)


def test_a_device_that_is_not_there_fails_the_fit():
    lightgbm = pytest.importorskip("lightgbm")
    with pytest.raises(lightgbm.basic.LightGBMError, match="CUDA"):
        model.fit(flights(100), {**PARAMS, "device": "cuda"}, 1)


def of_kind(problem, rows=1500, objective=None):
    """Rows whose label is a class of three, or a quantity above 0 of thousands, and the model of them."""
    frame = flights(rows)
    rng = np.random.default_rng(5)
    truth = frame["hour"].fill_null(12).to_numpy() / 12 + frame["carrier"].is_in(["A", "B"]).fill_null(False).to_numpy()
    if problem == "multiclass":
        label = pl.Series(np.digitize(truth + 0.1 * rng.normal(size=rows), [0.7, 1.5])).cast(pl.Int32)
    else:
        label = pl.Series(1000 * truth + 1 + 300 * rng.random(rows))
    trees = BoostedTrees(features=FEATURES, baseline_by=BASELINE, problem=problem, objective=objective)
    return trees, frame.with_columns(label=label)


@pytest.mark.parametrize(
    ("problem", "objective"),
    [("multiclass", None), *(("regression", name) for name in OBJECTIVES["regression"])],
)
def test_export_of_every_kind_and_objective_equals_the_model(problem, objective):
    trees, frame = of_kind(problem, objective=objective)
    fitted = trees.fit(frame, PARAMS, 1)
    classes = ("low", "mid", "top") if problem == "multiclass" else ()
    metadata = Metadata(
        use_case="t",
        features=fitted.features,
        categories=fitted.categories,
        created_from={},
        problem=problem,
        classes=classes,
    )
    scorer = open_model(seal(trees.export(fitted), metadata))
    asked = flights(2000, seed=3, carriers="ABXYZ")
    answers, reference = scorer.score(trees.encode(asked, fitted.categories)), trees.predict(fitted, asked)
    kind_of(problem).check_answers(answers, rows=2000, classes=classes)
    deviation = np.abs(answers - reference).max() / kind_of(problem).scale(reference)
    assert deviation < 1e-5
    assert scorer.score(np.empty((0, len(FEATURES)), np.float32)).shape == (0, *reference.shape[1:])


@pytest.mark.parametrize("problem", ["multiclass", "regression"])
def test_other_kinds_learn_more_than_the_baseline_knows_and_stop_early(problem):
    trees, frame = of_kind(problem)
    kind = kind_of(problem)
    fitted = trees.fit(frame, {**PARAMS, "n_estimators": 300, "learning_rate": 0.3}, 1, of_kind(problem, 800)[1])
    assert 0 < fitted.params["n_estimators"] < 300
    metric, labels = kind.kind.metric(), frame["label"].to_numpy()
    ours, theirs = (
        kind.measure(metric.name, labels, answers)(None)
        for answers in (trees.predict(fitted, frame), trees.baseline(frame, frame))
    )
    assert metric.gain(ours, theirs) > 0


@pytest.mark.parametrize(
    ("problem", "objective"), [("binary", "regression"), ("regression", "mape"), ("ranking", None)]
)
def test_an_objective_of_another_kind_or_beyond_onnx_is_refused(problem, objective):
    with pytest.raises(InvalidInput, match=f"no objective {objective!r} for a {problem} problem"):
        BoostedTrees(features=FEATURES, baseline_by=BASELINE, problem=problem, objective=objective).fit(
            flights(50), PARAMS, 1
        )
