import numpy as np
import polars as pl
import pytest

from include.foundation.problem.logged import numbers


@pytest.mark.parametrize(
    ("answers", "classes", "expected"),
    [
        ([[0.5], [1.0]], (), [0.5, 1.0]),
        ([[0.5, 0.5]], ("a", "b"), [[0.5, 0.5]]),
        ([], ("a", "b"), np.empty((0, 2))),
        ([[0.5], [0.5, 0.5]], (), None),
        ([[0.5, 0.5]], ("a", "b", "c"), None),
    ],
)
def test_logged_answers_are_those_of_a_model_file(answers, classes, expected):
    found = numbers(pl.Series(answers, dtype=pl.List(pl.Float64)), classes)
    assert found is None if expected is None else np.array_equal(found, expected)
