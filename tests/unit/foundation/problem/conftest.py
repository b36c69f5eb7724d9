"""Rows of every problem kind: what the shared contract test and each kind's own tests judge."""

from dataclasses import dataclass

import numpy as np
import polars as pl
import pytest

from include.foundation.problem import KINDS, problem


@dataclass(frozen=True)
class Rows:
    """Labels as a use case gives them, encoded, and answers of a good and a poor model."""

    given: pl.Series
    classes: tuple[str, ...]
    labels: np.ndarray
    good: np.ndarray
    poor: np.ndarray


def rows_of(name, count=400, seed=0):
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=count)
    if name == "binary":
        given = pl.Series(rng.random(count) < 1 / (1 + np.exp(-2 * truth)))
        good, poor = (1 / (1 + np.exp(-2 * truth - noise * rng.normal(size=count))) for noise in (0.3, 3))
    elif name == "multiclass":
        logits = np.column_stack([truth, -truth, rng.normal(size=count)])
        given = pl.Series(np.array(["low", "mid", "top"])[(logits + rng.gumbel(size=logits.shape)).argmax(axis=1)])
        good, poor = (
            np.exp(noisy) / np.exp(noisy).sum(axis=1, keepdims=True)
            for noisy in (logits + noise * rng.normal(size=logits.shape) for noise in (0.1, 3))
        )
    else:
        given = pl.Series(100 + 20 * truth + rng.normal(size=count))
        good, poor = (100 + 20 * truth + noise * rng.normal(size=count) for noise in (2, 20))
    kind = problem(name)
    classes = kind.classes(given)
    return Rows(given, classes, kind.encode(given, classes).to_numpy().astype(float), good, poor)


@pytest.fixture(params=list(KINDS))
def kind(request):
    return problem(request.param)


@pytest.fixture
def rows(kind):
    return rows_of(kind.kind.name)
