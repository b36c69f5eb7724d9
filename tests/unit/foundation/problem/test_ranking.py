import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from include.foundation.problem.ranking import Ranking, auc

# few distinct scores, so that ties are the rule
ROWS = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 6), st.integers(0, 4)), min_size=2, max_size=60).filter(
    lambda rows: {label for label, _, weight in rows if weight} == {0, 1}
)


@given(ROWS)
@settings(max_examples=200, deadline=None)
def test_equal_sklearn(rows):
    labels, scores, weights = (np.array(column, float) for column in zip(*rows, strict=True))
    scores /= 6
    assert auc(labels, scores) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    weighted = roc_auc_score(labels, scores, sample_weight=weights)
    assert Ranking.of(labels, scores).auc(weights) == pytest.approx(weighted, abs=1e-12)


def test_weights_are_repetitions():
    rng = np.random.default_rng(1)
    labels, scores, counts = rng.integers(0, 2, 500), rng.integers(0, 30, 500), rng.integers(0, 4, 500)
    repeated = auc(np.repeat(labels, counts), np.repeat(scores, counts))
    assert Ranking.of(labels, scores).auc(counts.astype(float)) == pytest.approx(repeated, abs=1e-12)


@pytest.mark.parametrize(("labels", "scores"), [([1, 1], [0.1, 0.2]), ([0, 0], [0.1, 0.2]), ([0, 1], [0.1, np.nan])])
def test_undefined_auc_is_nan(labels, scores):
    assert np.isnan(auc(labels, scores))
