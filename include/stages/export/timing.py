"""How fast model files are beside each other, measured so that other work on the machine does not decide.

A file is opened and asked as serving does it: `open_model`, one thread, onnxruntime of the same version.
"""

import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict

from include.foundation.artifact import open_model
from include.stages.export.forms.form import Matrix

ROUNDS, ROWS, BATCH = 7, 200, 1000
Clock = Callable[[], float]


class Times(BaseModel):
    """What one file took; of each row, batch and opening the best of several rounds.

    Attributes:
        p50_us: microseconds within which half of the rows, asked one by one, are answered.
        p99_us: the same of 99 in 100.
        rows_per_second: of a batch.
        open_ms: milliseconds until a file can be asked.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    p50_us: float
    p99_us: float
    rows_per_second: float
    open_ms: float


def measure(files: Mapping[str, bytes], rows: Matrix, *, clock: Clock = time.perf_counter) -> dict[str, Times]:
    """Time model files by name on encoded rows, in turn and in every round: a neighbour slows all of them alike.

    The first round warms up: a row's best is of a later one.
    """
    one_by_one = [rows[place : place + 1] for place in range(min(ROWS, len(rows)))]
    scorers = {name: open_model(data) for name, data in files.items()}
    batch = np.resize(rows, (BATCH, rows.shape[1]))
    tasks: dict[str, Sequence[Callable[[], object]]] = {
        name: [
            lambda data=files[name]: open_model(data),  # type: ignore[misc]
            lambda scorer=scorer: scorer.score(batch),  # type: ignore[misc]
            *(lambda scorer=scorer, row=row: scorer.score(row) for row in one_by_one),
        ]
        for name, scorer in scorers.items()
    }
    best = {name: np.full(len(each), np.inf) for name, each in tasks.items()}
    for _ in range(ROUNDS):
        for name, each in tasks.items():
            for place, task in enumerate(each):
                start = clock()
                task()
                best[name][place] = min(best[name][place], clock() - start)
    return {name: _times(took) for name, took in best.items()}


def _times(took: np.ndarray) -> Times:
    opened, batch, rows = float(took[0]), float(took[1]), 1e6 * took[2:]
    return Times(
        p50_us=float(np.quantile(rows, 0.5)),
        p99_us=float(np.quantile(rows, 0.99)),
        rows_per_second=BATCH / max(batch, 1e-9),
        open_ms=1000 * opened,
    )
