"""What networks have beyond what every family has (test_families.py): images, classes, quantities."""

import numpy as np
import polars as pl
import pytest

from include.foundation.artifact import Metadata, open_model
from include.foundation.artifact.writer import seal
from include.models.deep import NeuralNetwork

PIXELS = {f"p{place}": pl.Int64() for place in range(36)}


def images(count, seed=0):
    """A bright row, column or diagonal in noise: three classes."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 3, count)
    pictures = random.integers(0, 5, (count, 6, 6))
    for picture, label, place in zip(pictures, labels, random.integers(0, 6, count), strict=True):
        (picture[place], picture[:, place], np.einsum("ii->i", picture))[label][:] = 12
    return pl.DataFrame(pictures.reshape(count, 36), schema=PIXELS).with_columns(label=pl.Series(labels))


@pytest.fixture(scope="module")
def fitted():
    model = NeuralNetwork(features=PIXELS, problem="multiclass", image=(6, 6))
    params = {"epochs": 8, "batch_size": 32, "channels": 8, "hidden": 32, "learning_rate": 0.01, "dropout": 0.1}
    return model, model.fit(images(600), params, 1, images(100, seed=1))


def test_images_are_told_apart(fitted):
    model, one = fitted
    test = images(200, seed=2)
    answers = model.predict(one, test)
    assert answers.shape == (200, 3)
    assert (answers.argmax(1) == test["label"].to_numpy()).mean() > 0.9


def test_the_export_answers_as_the_network_for_one_row_and_for_many(fitted):
    model, one = fitted
    metadata = Metadata(
        use_case="t",
        features=one.features,
        categories={},
        created_from={},
        problem="multiclass",
        classes=("row", "column", "diagonal"),
    )
    scorer = open_model(seal(model.export(one), metadata))
    for frame in (images(1, seed=3), images(300, seed=4)):
        np.testing.assert_allclose(scorer.score(model.encode(frame, {})), model.predict(one, frame), atol=1e-5, rtol=0)


def test_a_quantity_is_fitted():
    random = np.random.default_rng(0)
    frame = pl.DataFrame({"a": random.normal(size=800)}).with_columns(label=pl.col("a") * 30 + 500)
    model = NeuralNetwork(features={"a": pl.Float64()}, problem="regression")
    one = model.fit(frame, {"epochs": 30, "learning_rate": 0.01, "batch_size": 64}, 1)
    assert np.abs(model.predict(one, frame) - frame["label"].to_numpy()).mean() < 3
    assert one.importance == {"a": 1.0}
