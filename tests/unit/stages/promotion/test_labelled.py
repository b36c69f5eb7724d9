"""What labels say of two versions: enough of them, in which direction, beyond chance."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from include.foundation.problem import problem
from include.foundation.spec.promotion import Criteria
from include.stages.promotion.criteria import judge
from include.stages.promotion.labelled import labelled
from include.stages.promotion.observation import Seen

START = datetime(2013, 5, 1, tzinfo=UTC)
CRITERIA = Criteria(label_rows=100, label_loss=0.01)


def log(version, quality, n=400, *, first=0, stage="production", seed=1, at=START, known=None):
    """Answers to `n` questions, whose labels they tell as well as `quality` says."""
    rng = np.random.default_rng(seed)
    labels = np.random.default_rng(99).integers(0, 2, 2000)[first : first + n]
    answers = np.clip(0.5 + (labels - 0.5) * quality + rng.normal(0, 0.3, n), 0, 1)
    shown = n if known is None else known
    return pl.DataFrame(
        {
            "id": [f"q{first + number}" for number in range(n)],
            "version": version,
            "stage": stage,
            "scored_at": [at + timedelta(seconds=number) for number in range(n)],
            "answer": [[float(each)] for each in answers],
            "label": [int(each) if number < shown else None for number, each in enumerate(labels)],
        },
        schema_overrides={"label": pl.Int8, "scored_at": pl.Datetime("us", "UTC")},
    )


def compared(*logs, kind="binary", metric="auc", criteria=CRITERIA):
    return labelled(
        pl.concat(logs),
        stable="7",
        candidate="8",
        stage="production",
        problem=problem(kind),
        metric=metric,
        criteria=criteria,
    )


@pytest.mark.parametrize("first", [0, 400])  # a shadow answers the same, a canary something else
def test_a_version_that_tells_labels_worse_is_worse_by_the_whole_interval(first):
    found = compared(log("7", 0.6), log("8", 0.1, first=first, seed=2))
    assert found.gain.high < -0.01
    (told,) = found.worse
    assert told.startswith("its gain in auc is -0.")
    assert "400 labelled answers of it and 400 of the stable version" in told
    worse = judge(CRITERIA, stable=None, candidate=seen(), memory=1e9, labels=found).worse
    assert worse == (told,)


@pytest.mark.parametrize("first", [0, 400])
def test_one_that_is_as_good_or_better_is_not(first):
    for quality in (0.3, 0.9):
        found = compared(log("7", 0.3), log("8", quality, first=first, seed=2))
        assert found.gain.low < found.gain.value < found.gain.high
        assert found.worse == []


def test_where_less_is_better_the_gain_says_so():
    found = compared(log("7", 0.6), log("8", 0.1, seed=2), metric="log_loss")
    assert found.gain.high < 0
    assert found.worse


def test_the_same_answers_are_paired_and_gain_nothing():
    both = log("7", 0.4)
    found = compared(both, both.with_columns(version=pl.lit("8")))
    assert (found.gain.value, found.gain.low, found.gain.high) == (0, 0, 0)


@pytest.mark.parametrize(
    ("logs", "counts"),
    [
        ((log("7", 0.6), log("8", 0.1, known=99)), (400, 99)),
        ((log("7", 0.6, known=0), log("8", 0.1)), (0, 400)),
        ((log("7", 0.6),), (0, 0)),
        ((log("7", 0.6), log("8", 0.1, stage="staging")), (0, 0)),
        ((log("7", 0.6, at=START - timedelta(days=1)), log("8", 0.1)), (0, 400)),
    ],
)
def test_too_few_labels_are_said_and_neither_good_nor_bad(logs, counts):
    found = compared(*logs)
    assert (found.stable, found.candidate, found.gain, found.worse) == (*counts, None, [])
    assert str(found).startswith("auc is not judged: ")
    assert str(found).endswith("wanted are 100 of each")


def test_labels_of_one_class_define_no_auc():
    one = log("7", 0.6).with_columns(label=pl.lit(1, pl.Int8))
    found = compared(one, one.with_columns(version=pl.lit("8")))
    assert (found.gain, found.worse) == (None, [])
    assert str(found).endswith("it is not defined on them")


def seen():
    return Seen(requests=0, errors=0, rows=0, p99=None, scores=(), memory=0, restarts=0, silent=0)
