import numpy as np
import pytest
from sklearn.metrics import auc as area
from sklearn.metrics import average_precision_score, roc_auc_score

from include.stages.training.curves import curves, page


@pytest.fixture
def rows():
    rng = np.random.default_rng(2)
    truth = rng.normal(size=4000)
    scores = np.round(1 / (1 + np.exp(-truth)), 2)  # with ties
    return (rng.random(4000) < scores).astype(np.int8), scores


def test_curves_are_those_of_the_scores(rows):
    labels, scores = rows
    roc, precision, calibration = curves(labels, scores, points=500).values()
    assert area(*zip(*roc, strict=True)) == pytest.approx(roc_auc_score(labels, scores), abs=1e-9)
    assert roc[0] == (0, 0)
    assert roc[-1] == (1, 1)
    steps = [(r1 - r0) * p for (r0, _), (r1, p) in zip([(0, 0), *precision], precision, strict=False)]
    assert sum(steps) == pytest.approx(average_precision_score(labels, scores), abs=1e-9)
    assert len(calibration) == 10
    assert all(abs(score - rate) < 0.08 for score, rate in calibration), "the scores are the true rates"


def test_few_points_are_enough_for_many_rows(rows):
    assert len(curves(*rows, points=20)["Precision against recall"]) == 20


def test_page_is_self_contained_and_escaped(rows):
    text = page("<toy>", curves(*rows), {"a & b": 0.75, "c": 0.25})
    assert "&lt;toy&gt;" in text
    assert "a &amp; b" in text
    assert text.index("a &amp; b") < text.index(">c<")
    assert text.count("<polyline") == 3
    assert "http" not in text
    assert "nan" not in text
