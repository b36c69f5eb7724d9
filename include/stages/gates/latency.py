"""How long one answer takes, measured so that other work on the machine does not decide."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ROUNDS = 5
Clock = Callable[[], float]


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Times of single answers, each the best of several rounds.

    Attributes:
        wall_ms: milliseconds by the clock on the wall, [rows].
        cpu_ms: milliseconds of CPU that the process took meanwhile, [rows].
        slowdown: how much longer than its CPU time a fixed task took, between the answers; 1 on a machine that is free.
        rounds: how often each row was answered.
    """

    wall_ms: NDArray[np.float64]
    cpu_ms: NDArray[np.float64]
    slowdown: float = 1.0
    rounds: int = 1

    @property
    def p99_ms(self) -> float:
        """What 99 of 100 answers stay within: by the wall's clock, without what neighbours took."""
        return float(np.quantile(self.wall_ms, 0.99)) / self.slowdown

    def words(self) -> str:
        """The p99 and where it comes from."""
        wall, cpu = (float(np.quantile(each, 0.99)) for each in (self.wall_ms, self.cpu_ms))
        return (
            f"p99 {self.p99_ms:.2f} ms of {len(self.wall_ms)} single answers (encode and score, one thread, best of "
            f"{self.rounds} rounds): {wall:.2f} ms on the clock, {cpu:.2f} ms of CPU, on a machine slowed down "
            f"{self.slowdown:.2f} times by other work;"
        )


def time_answers(
    answer: Callable[[int], object],
    rows: int,
    *,
    warm_up: int = 20,
    rounds: int = ROUNDS,
    wall: Clock = time.perf_counter,
    cpu: Clock = time.process_time,
) -> Timing:
    """Time `answer(0)` ... `answer(rows - 1)`, each alone, after `warm_up` calls that do not count.

    A neighbour that takes the CPU makes one answer slow, seldom the same row in every round: a row's time is its best.
    One that never lets go slows the fixed task, too, which runs between the answers.
    """
    for row in range(min(warm_up, rows)):
        answer(row)
    times = np.empty((2, 2, rounds, rows))  # answer or task; wall or CPU
    for turn in range(rounds):
        for row in range(rows):
            start = wall(), cpu()
            answer(row)
            between = wall(), cpu()
            _task()
            times[0, :, turn, row] = between[0] - start[0], between[1] - start[1]
            times[1, :, turn, row] = wall() - between[0], cpu() - between[1]
    best = times.min(axis=2) * 1000
    return Timing(wall_ms=best[0, 0], cpu_ms=best[0, 1], slowdown=_slowdown(*best[1]), rounds=rounds)


def _slowdown(wall_ms: NDArray[np.float64], cpu_ms: NDArray[np.float64]) -> float:
    if not len(wall_ms):
        return 1.0
    return max(1.0, float(np.quantile(wall_ms, 0.99)) / max(float(np.median(cpu_ms)), 1e-6))


def _task() -> int:
    """Always the same work, some ten microseconds."""
    return sum(range(1000))
