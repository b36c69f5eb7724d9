from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from include.foundation.artifact import digest, open_model
from include.foundation.errors import InvalidInput, PermanentError
from include.foundation.problem import problem
from include.foundation.problem.ranking import auc
from include.stages.training.dataset import split
from include.stages.training.fitting import DivergedError, ExportDiffersError, answer, contest, evaluate, fit_final
from include.stages.training.frozen import Frozen
from include.stages.training.holdout import Holdout

BINARY = problem("binary")
MACHINE = {"num_threads": 1, "device": "cpu"}


@pytest.fixture
def frozen(window):
    return Frozen(
        use_case="toy",
        spec_digest="ab",
        code_digest="cd",
        environment="ef",
        snapshot_id=7,
        window=window,
        rows=2000,
        trials=3,
        seed=5,
        fixed={},
        image="none",
    )


def changed(toy, **functions):
    return SimpleNamespace(**{**vars(toy), **functions})


def test_a_trial_is_scored_on_validation_rows(toy, gold, window):
    data = split(gold, window, BINARY)
    good = evaluate(toy, data, BINARY, params={"rate": 1.0}, machine=MACHINE, seed=1)
    none = evaluate(toy, data, BINARY, params={"rate": 0.0}, machine=MACHINE, seed=1)
    assert set(good) == {"auc", "log_loss", "brier"}
    assert good["auc"] > 0.8
    assert good["log_loss"] < none["log_loss"]


def test_final_fit_settles_on_the_trials_rows_and_refits_on_all(toy, gold, window, frozen):
    data, calls = split(gold, window, BINARY), []

    def fit(train, params, seed, valid=None):
        calls.append((train.height, valid is not None, params.get("rounds"), seed))
        return toy.fit(train, params, seed, valid)

    fitted = fit_final(changed(toy, fit=fit), data, frozen, BINARY, params={"rate": 1.0}, machine=MACHINE)
    assert calls == [(1200, True, None, 5), (1600, False, 30, 5)]
    assert fitted.params == {"rate": 1.0, "rounds": 30}, "the machine is no parameter of the model"
    assert fitted.deviation < 1e-6
    assert fitted.metrics["auc"] == auc(data.holdout.labels, fitted.answers)


def test_the_file_answers_and_tells_its_origin(toy, gold, window, frozen):
    data = split(gold, window, BINARY)
    fitted = fit_final(toy, data, frozen, BINARY, params={"rate": 1.0}, machine=MACHINE)
    scorer = open_model(fitted.data, fitted.digest)
    assert scorer.metadata.features == ("size", "colour")
    assert scorer.metadata.categories == {"colour": ("blue", "red")}
    assert scorer.metadata.created_from["seed"] == 5
    assert scorer.metadata.created_from["window"]["end"] == "2020-01-10"
    np.testing.assert_array_equal(answer(toy, scorer, data.holdout), fitted.answers)


def test_same_data_and_seed_give_the_same_digest_in_another_lake_image_or_run_too(toy, gold, window, frozen):
    elsewhere = {"snapshot_id": 8, "image": "other", "serving_image": "other", "spec_digest": "ba", "rerun": 1}
    data = split(gold, window, BINARY)
    one, two, other = (
        fit_final(toy, data, frozen.model_copy(update=seed), BINARY, params={"rate": 1.0}, machine={})
        for seed in ({"seed": 5}, {"seed": 5} | elsewhere, {"seed": 6})
    )
    assert one.digest == two.digest == digest(two.data)
    assert one.digest != other.digest


def test_an_export_that_differs_is_refused(toy, gold, window, frozen):
    data = split(gold, window, BINARY)
    other = toy.fit(data.fit, {"rate": 0.9}, 1)
    for broken in (
        changed(toy, export=lambda model: toy.export(other)),
        changed(toy, predict=lambda model, frame: np.full(frame.height, np.nan)),
    ):
        with pytest.raises(ExportDiffersError, match="allowed 1e-05"):
            fit_final(broken, data, frozen, BINARY, params={"rate": 1.0}, machine={})


def test_a_holdout_of_one_class_is_refused(toy, gold, window, frozen):
    data = split(gold, window, BINARY)
    calm = replace(data, holdout=Holdout.of(data.holdout.whole().with_columns(label=0 * pl.col("label"))))
    with pytest.raises(InvalidInput, match="auc of the holdout's 400 rows"):
        fit_final(toy, calm, frozen, BINARY, params={"rate": 1.0}, machine={})


def test_a_file_of_other_features_answers_if_they_are_still_there(toy, gold, window, frozen):
    data = split(gold, window, BINARY)
    scorer = open_model(fit_final(toy, data, frozen, BINARY, params={"rate": 1.0}, machine={}).data)
    more = changed(
        toy,
        FEATURES={"new": None, "colour": None, "size": None},
        encode=lambda frame, categories: np.column_stack(
            [np.full(frame.height, np.nan), *toy.encode(frame, categories).T[::-1]]
        ).astype(np.float32),
    )
    np.testing.assert_array_equal(answer(more, scorer, data.holdout), answer(toy, scorer, data.holdout))
    with pytest.raises(InvalidInput, match="gone: size"):
        answer(changed(toy, FEATURES={"colour": None}), scorer, data.holdout)


@pytest.mark.parametrize("answer", [np.nan, np.inf])
def test_parameters_by_which_a_fit_diverges_fail_their_trial_and_leave_a_challenger_out(toy, gold, window, answer):
    data = split(gold, window, BINARY)
    lost = changed(toy, predict=lambda model, frame: np.full(frame.height, answer))
    with pytest.raises(DivergedError, match=r"^400 of 400 answers are no numbers$") as raised:
        evaluate(lost, data, BINARY, params={"rate": 1.0}, machine=MACHINE, seed=1)
    assert not isinstance(raised.value, PermanentError), "the worker goes on with other parameters"
    parts = {"lost": (lost, {"rate": 1.0}), "deep": (toy, {"rate": 1.0})}
    found = contest(parts, data, BINARY, machine=MACHINE, seed=1)
    assert list(found) == ["deep"]
    wide = changed(toy, predict=lambda model, frame: np.zeros((frame.height, 2)))
    with pytest.raises(InvalidInput, match="not one finite"):
        evaluate(wide, data, BINARY, params={"rate": 1.0}, machine=MACHINE, seed=1)


def test_challengers_are_measured_as_a_trial_is(toy, gold, window):
    data = split(gold, window, BINARY)
    found = contest({"deep": (toy, {"rate": 1.0}), "none": (toy, {"rate": 0.0})}, data, BINARY, machine=MACHINE, seed=1)
    assert found["deep"] == evaluate(toy, data, BINARY, params={"rate": 1.0}, machine=MACHINE, seed=1)
    assert found["deep"]["auc"] > found["none"]["auc"]
