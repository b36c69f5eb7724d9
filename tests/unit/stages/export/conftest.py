"""Models of every family as sealed float32 files, with rows to ask them."""

import numpy as np
import polars as pl
import pytest

from include.foundation.artifact import Metadata
from include.foundation.artifact.writer import seal
from include.models.boosting import BoostedTrees
from include.models.deep import NeuralNetwork
from include.models.linear import LogisticRegression

TABLE = {"size": pl.Float64(), "kind": pl.String(), "open": pl.Boolean()}
PIXELS = {f"p{place}": pl.Float64() for place in range(64)}
MODELS = {
    "boosting": (BoostedTrees(features=TABLE, baseline_by=()), {"n_estimators": 20, "min_child_samples": 5}),
    "linear": (LogisticRegression(features=TABLE, baseline_by=()), {}),
    "table": (NeuralNetwork(features=TABLE), {"epochs": 1, "hidden": 96}),
    "image": (NeuralNetwork(features=PIXELS, image=(8, 8)), {"epochs": 1, "channels": 8}),
}


def frame(features, rows=600):
    rng = np.random.default_rng(3)
    columns = {
        name: pl.Series(rng.choice(list("ABC"), rows)) if dtype == pl.String else pl.Series(rng.normal(size=rows))
        for name, dtype in features.items()
    }
    found = pl.DataFrame(columns).with_columns(label=pl.Series(rng.random(rows) < 0.5).cast(pl.Int8))
    return found.with_columns(pl.col("open") > 0) if "open" in features else found


@pytest.fixture(scope="session", params=MODELS)
def model(request):
    """A sealed model of a family, and encoded rows; the same one in the whole session."""
    return fitted(request.param)


@pytest.fixture(scope="session")
def sealed():
    """The model of that name, and rows."""
    return fitted


MADE = {}


def fitted(name):
    if name not in MADE:
        family, params = MODELS[name]
        rows = frame(family.features)
        done = family.fit(rows, params, 1)
        metadata = Metadata(use_case="t", features=done.features, categories=done.categories, created_from={"seed": 1})
        MADE[name] = seal(family.export(done), metadata), family.encode(rows, done.categories)
    return MADE[name]
