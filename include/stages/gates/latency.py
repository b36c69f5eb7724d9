"""How long one answer takes."""

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray


def answer_times(answer: Callable[[int], object], rows: int, warm_up: int = 20) -> NDArray[np.float64]:
    """Milliseconds of `answer(0)` ... `answer(rows - 1)`, each alone, after `warm_up` calls that do not count."""
    for row in range(min(warm_up, rows)):
        answer(row)
    times = np.empty(rows)
    for row in range(rows):
        start = time.perf_counter()
        answer(row)
        times[row] = time.perf_counter() - start
    return times * 1000
