"""What the model of `flight_delays` learns from the real flights of January to April 2013, judged on April."""

import subprocess
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from include.foundation.artifact import open_model, score
from include.foundation.evidence.manifest import Window
from include.foundation.problem import problem
from include.foundation.problem.ranking import auc
from include.foundation.spec import load
from include.stages.features.build import build
from include.stages.ingest.run import run
from include.stages.training import dataset
from include.stages.training.fitting import fit_final
from include.stages.training.frozen import freeze
from include.use_cases.flight_delays import model
from include.use_cases.flight_delays.features import FEATURES
from sandbox.supervisor.service import REPO, python

pytestmark = [pytest.mark.integration, pytest.mark.long]
FIRST, LAST = date(2013, 1, 1), date(2013, 4, 30)
PARAMS = {"learning_rate": 0.08, "num_leaves": 31, "min_child_samples": 200, "colsample_bytree": 0.6, "reg_lambda": 4.0}
WITHOUT_HISTORY = 0.649  # AUC on April of a plain LightGBM without history features


@pytest.fixture(scope="module")
def frozen(lake):
    """Gold of four months, from the raw files on."""
    spec = load("flight_delays")
    subprocess.run(
        [python("sandbox"), "-m", "sandbox.demo.landing", "--from", str(FIRST), "--to", str(LAST)],
        env={**lake.env(), "PYTHONPATH": str(REPO)},
        check=True,
    )
    run(lake, spec, [FIRST + timedelta(days=n) for n in range((LAST - FIRST).days + 1)], run_id="model")
    build(lake, spec, FIRST, LAST)
    return freeze(lake, spec, image="test", start=FIRST, end=LAST)


@pytest.fixture(scope="module")
def data(lake, frozen):
    return dataset.load(lake, load("flight_delays"), frozen)


@pytest.fixture(scope="module")
def fitted(data, frozen):
    machine = {"num_threads": 1, "device": "cpu"}
    return fit_final(model, data, frozen, problem("binary"), params={"n_estimators": 200, **PARAMS}, machine=machine)


@pytest.fixture(scope="module")
def answers(fitted):
    scorer = open_model(fitted.data, fitted.digest)
    return lambda frame: score(model, scorer, frame)


def test_april_is_held_out(data, frozen):
    assert frozen.window == Window(
        start=FIRST, validation_start=date(2013, 3, 18), holdout_start=date(2013, 4, 1), end=LAST
    )
    assert data.fit["label_known_at"].max() < data.holdout.whole()["event_time"].min()


def test_is_much_better_than_a_model_without_history_and_than_a_table(data, fitted):
    labels = data.holdout.labels
    assert fitted.metrics["auc"] > WITHOUT_HISTORY + 0.1
    assert fitted.metrics["auc"] > auc(labels, model.baseline(data.fit, data.holdout.whole())) + 0.1
    assert fitted.metrics["brier"] < labels.mean() * (1 - labels.mean()), "better than always saying the mean"


def test_no_airport_and_no_large_airline_is_left_behind(data, fitted):
    for column in ("origin", "carrier"):
        for _, part in data.holdout.whole().with_columns(score=pl.Series(fitted.answers)).group_by(column):
            if part.height >= 500:
                assert auc(part["label"].to_numpy(), part["score"].to_numpy()) > 0.7


def test_no_feature_alone_explains_it(fitted):
    """One that did would know the answer."""
    assert max(fitted.importance.values()) < 0.3


def test_later_aircraft_and_busier_delays_raise_the_risk(data, answers):
    rows = data.holdout.head(5000)
    now = answers(rows).mean()
    delays = [name for name in FEATURES if name.startswith(("airport_", "airline_")) and "_delay_" in name]
    assert answers(rows.with_columns(pl.col(delays) + 45)).mean() > now + 0.02
    assert answers(rows.with_columns(pl.col("departure_delay", "arrival_delay") + 90)).mean() > now + 0.005


def test_a_flight_of_which_nothing_is_known_gets_an_ordinary_answer(data, answers):
    known = {"carrier", "origin", "hour", "weekday"}
    unknown = data.holdout.head(500).with_columns(
        pl.lit(None, dtype).alias(name) for name, dtype in FEATURES.items() if name not in known
    )
    scores = answers(unknown.with_columns(carrier=pl.lit("ZZ")))
    assert np.isfinite(scores).all()
    assert 0.02 < scores.mean() < 0.7


def test_an_answer_does_not_depend_on_its_neighbours(data, answers):
    rows = data.holdout.head(300)
    alone = np.concatenate([answers(rows[n]) for n in range(rows.height)])
    np.testing.assert_array_equal(alone, answers(rows))
    np.testing.assert_array_equal(answers(rows.reverse()), answers(rows)[::-1])
