import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import auc as area
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

from include.foundation.errors import InvalidInput
from include.foundation.problem.binary import Binary
from include.foundation.problem.bootstrap import measure

BINARY = Binary()
ROWS = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 6)), min_size=2, max_size=60).filter(
    lambda rows: {label for label, _ in rows} == {0, 1}
)


@given(ROWS)
@settings(max_examples=100, deadline=None)
def test_metrics_equal_sklearn(rows):
    labels, scores = (np.array(column, float) for column in zip(*rows, strict=True))
    scores = np.clip(scores / 6, 1e-9, 1 - 1e-9)
    found = measure(BINARY, labels, scores)
    assert found["auc"] == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    assert found["brier"] == pytest.approx(brier_score_loss(labels, scores), abs=1e-12)
    assert found["log_loss"] == pytest.approx(log_loss(labels, scores), abs=1e-9)


def test_three_classes_are_refused_by_name_and_with_examples():
    labels = pl.Series(["on time", "late", "cancelled", "late"])
    with pytest.raises(InvalidInput, match=r"binary .* `problem: multiclass`.*4 of 4 .*'late' of 'UA2'"):
        BINARY.check_labels(labels, pl.Series(["UA1", "UA2", "UA3", "UA4"]))
    with pytest.raises(InvalidInput, match=r"1 of 3 labels are not: 2 of 'c'$"):
        BINARY.check_labels(pl.Series([0, 1, 2]), pl.Series(["a", "b", "c"]))


@pytest.mark.parametrize("labels", [[True, False], [0, 1], [0.0, 1.0]])
def test_labels_are_zero_and_one(labels):
    BINARY.check_labels(pl.Series(labels), pl.Series(["a", "b"]))
    assert sorted(BINARY.encode(pl.Series(labels), ())) == [0, 1]
    assert BINARY.counts(np.array([1.0, 0.0, 1.0]), ()) == {"positive": 2, "negative": 1}


@pytest.fixture
def rows():
    rng = np.random.default_rng(2)
    truth = rng.normal(size=4000)
    scores = np.round(1 / (1 + np.exp(-truth)), 2)  # with ties
    return (rng.random(4000) < scores).astype(float), scores


def test_plots_are_those_of_the_scores(rows):
    labels, scores = rows
    roc, precision, calibration = BINARY.plots(labels, scores, points=500)
    curve = roc.series[""]
    assert area(*zip(*curve, strict=True)) == pytest.approx(roc_auc_score(labels, scores), abs=1e-9)
    assert (curve[0], curve[-1]) == ((0, 0), (1, 1))
    assert f"AUC {roc_auc_score(labels, scores):.4f}" in roc.note
    curve = precision.series["model"]
    steps = [(r1 - r0) * p for (r0, _), (r1, p) in zip([(0, 0), *curve], curve, strict=False)]
    assert sum(steps) == pytest.approx(average_precision_score(labels, scores), abs=1e-9)
    assert f"average precision {average_precision_score(labels, scores):.4f}" in precision.note
    assert len(calibration.series[""]) == 10
    assert all(abs(score - rate) < 0.08 for score, rate in calibration.series[""]), "the scores are the true rates"
    assert (roc.diagonal, precision.diagonal, calibration.diagonal) == (True, False, True)


def test_few_points_are_enough_for_many_rows(rows):
    _, precision, _ = BINARY.plots(*rows, points=20)
    assert len(precision.series["model"]) == 20
    assert precision.note == BINARY.plots(*rows)[1].note


@pytest.mark.parametrize("value", [1.5, -0.1, "0.5", None, True, float("nan")])
def test_a_served_answer_that_is_no_probability(value):
    with pytest.raises(InvalidInput, match=r"^probability "):
        BINARY.numbers({"probability": value})
