"""What the model of `digits` learns from its first four weeks, and what worn scanners do to it."""

import json
from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from include.foundation.problem import problem
from include.foundation.spec import load
from include.use_cases.digits import features, model
from sandbox.demo.data import digits

SPEC, KIND = load("digits"), problem("multiclass")
HOLDOUT = digits.DEMO_LAST - timedelta(days=SPEC.training.holdout_days - 1)


@pytest.fixture(scope="module")
def rows():
    lines = [json.loads(line) for text in digits.files()["scans"].values() for line in text.splitlines()]
    frame = pl.DataFrame([line for line in lines if len(line["image"].split()) == 68]).unique(maintain_order=True)
    frame = frame.with_columns(day=pl.col("scanned_at").str.slice(0, 10).str.to_date(), label="digit")
    return features.features(frame).with_columns(frame["day", "label"])


@pytest.fixture(scope="module")
def fitted(rows):
    params = {**SPEC.training.fixed, "epochs": 15, "learning_rate": 0.003, "channels": 12, "dropout": 0.1}
    return model.fit(rows.filter(pl.col("day") < HOLDOUT), params, SPEC.training.seed)


def measured(answers, rows, metric):
    return KIND.measure(metric, rows["label"].to_numpy().astype(float), answers)(None)


def test_it_passes_the_gates_floor_and_is_better_than_the_nearest_mean_image(rows, fitted):
    train, test = rows.filter(pl.col("day") < HOLDOUT), rows.filter(pl.col("day").is_between(HOLDOUT, digits.DEMO_LAST))
    ours, theirs = model.predict(fitted, test), model.baseline(train, test)
    np.testing.assert_allclose(theirs.sum(axis=1), 1)
    assert measured(ours, test, "accuracy") > 0.95 > measured(theirs, test, "accuracy") > 0.85
    assert measured(ours, test, "log_loss") < SPEC.gates.floor - 0.2
    assert measured(theirs, test, "log_loss") - measured(ours, test, "log_loss") > SPEC.gates.baseline_margin + 0.1


def test_worn_scanners_are_seen_in_its_loss(rows, fitted):
    later = rows.filter(pl.col("day") >= max(digits.SCHEDULE))
    assert measured(model.predict(fitted, later), later, "log_loss") > 0.5
