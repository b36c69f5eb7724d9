"""Answers as the prediction log has them, a list of numbers each."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from include.foundation.problem.protocol import Answers


def numbers(answers: pl.Series, classes: Sequence[str]) -> Answers | None:
    """Logged answers as a model file gives them, [n] or [n, classes]; None if some are of other classes."""
    if not (answers.list.len() == (len(classes) or 1)).all():
        return None
    found: Answers = np.array(answers.to_list(), np.float64).reshape(len(answers), len(classes) or 1)
    return found if classes else found[:, 0]
