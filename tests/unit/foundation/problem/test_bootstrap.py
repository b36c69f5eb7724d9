import time

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from include.foundation.problem import problem
from include.foundation.problem.bootstrap import paired_gain
from tests.unit.foundation.problem.conftest import rows_of

BINARY = problem("binary")


def sample(rows, seed=0):
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=rows)
    labels = (rng.random(rows) < 1 / (1 + np.exp(-truth))).astype(float)
    good, poor = truth + rng.normal(size=rows), truth + 3 * rng.normal(size=rows)
    return labels, good, poor


def test_equals_the_naive_bootstrap():
    labels, good, poor = sample(300)
    ours = paired_gain(BINARY, "auc", labels, good, poor, resamples=200, confidence=0.9, seed=5)
    rng = np.random.default_rng(5)
    naive = []
    for _ in range(200):
        rows = rng.integers(0, 300, 300)
        naive.append(roc_auc_score(labels[rows], good[rows]) - roc_auc_score(labels[rows], poor[rows]))
    assert [ours.low, ours.high] == pytest.approx(list(np.quantile(naive, [0.05, 0.95])), abs=1e-12)
    assert ours.value == pytest.approx(roc_auc_score(labels, good) - roc_auc_score(labels, poor), abs=1e-12)


def test_tells_better_from_same():
    labels, good, poor = sample(3000)
    better = paired_gain(BINARY, "auc", labels, good, poor, resamples=200, confidence=0.95, seed=1)
    assert 0 < better.low < better.value < better.high
    same = paired_gain(BINARY, "auc", labels, good, good, resamples=200, confidence=0.95, seed=1)
    assert (same.low, same.value, same.high) == (0, 0, 0)


def test_rows_that_share_their_luck_are_drawn_together():
    """Ten copies of each row say no more than the rows do: drawn as groups, the interval stays as wide as theirs."""
    once = sample(300)
    copies = [np.repeat(each, 10) for each in once]
    options = {"resamples": 400, "confidence": 0.9, "seed": 3}
    rows = paired_gain(BINARY, "auc", *once, **options)
    grouped = paired_gain(BINARY, "auc", *copies, **options, groups=np.repeat(np.arange(300), 10))
    assert (grouped.low, grouped.high) == pytest.approx((rows.low, rows.high), abs=1e-12)
    alone = paired_gain(BINARY, "auc", *copies, **options)
    assert alone.high - alone.low < 0.5 * (rows.high - rows.low)


def test_covers_the_true_difference():
    """A 90% interval of 60 independent samples misses the true difference in about 6 of them."""
    truth = np.diff([roc_auc_score(s[0], s[k]) for s in [sample(200_000, seed=99)] for k in (2, 1)])[0]
    hits = 0
    for seed in range(60):
        labels, good, poor = sample(400, seed)
        interval = paired_gain(BINARY, "auc", labels, good, poor, resamples=200, confidence=0.9, seed=seed)
        hits += interval.low <= truth <= interval.high
    assert 46 <= hits <= 60


def test_a_thousand_draws_of_thirty_thousand_rows_take_seconds():
    labels, good, poor = sample(30_000)
    start = time.process_time()
    paired_gain(BINARY, "auc", labels, good, poor, resamples=1000, confidence=0.95, seed=1)
    assert time.process_time() - start < 10


def test_one_class_has_no_interval():
    interval = paired_gain(
        BINARY, "auc", np.ones(300), np.arange(300.0), np.arange(300.0), resamples=100, confidence=0.9, seed=1
    )
    assert np.isnan([interval.value, interval.low, interval.high]).all()


def test_every_metric_of_every_kind_tells_better_from_same(kind, rows):
    for metric in kind.kind.metrics:
        plan = {"resamples": 200, "confidence": 0.95, "seed": 1}
        better = paired_gain(kind, metric.name, rows.labels, rows.good, rows.poor, **plan)
        assert 0 < better.low < better.value < better.high, metric.name
        same = paired_gain(kind, metric.name, rows.labels, rows.good, rows.good, **plan)
        assert (same.low, same.value, same.high) == (0, 0, 0)


def test_equals_the_naive_bootstrap_of_drawn_rows():
    """For a metric that is lower when better, and answers with a column for each class."""
    kind, rows = problem("multiclass"), rows_of("multiclass", 200)
    ours = paired_gain(kind, "log_loss", rows.labels, rows.good, rows.poor, resamples=100, confidence=0.9, seed=5)
    rng, naive = np.random.default_rng(5), []
    for _ in range(100):
        at = rng.integers(0, 200, 200)
        good, poor = (kind.measure("log_loss", rows.labels[at], each[at])(None) for each in (rows.good, rows.poor))
        naive.append(poor - good)
    assert [ours.low, ours.high] == pytest.approx(list(np.quantile(naive, [0.05, 0.95])), abs=1e-12)
