"""A run's rows, judged frame by frame, with what shows only over several frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

from include.stages.ingest.rows import ORIGIN
from include.stages.quality import Keys, judge
from include.stages.quality.contract import DAY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import polars as pl

    from include.foundation.spec.sources import Source
    from include.stages.quality import Contract, Verdict


def judge_all(
    contract: Contract,
    source: Source,
    read: Callable[[], Iterator[pl.DataFrame]],
    *,
    begin: Callable[[], object],
    take: Callable[[pl.DataFrame, Verdict], object],
) -> None:
    """Judge all frames.

    Args:
        contract: what rows must be.
        source: says which texts stand for no value.
        read: the frames, in order of their days, from the first on whenever it is called.
        begin: forget what was taken. Called before the first frame; and once more where rows of different frames
            repeat each other, which shows only at the end.
        take: a frame and its verdict.
    """
    keys = Keys(contract.unique, day=DAY, origin=[*ORIGIN])

    def judged() -> Iterator[tuple[pl.DataFrame, Verdict]]:
        for frame in read():
            yield frame, judge(contract, frame, null_values=source.null_values, keys=keys)

    while True:
        begin()
        for frame, verdict in judged():
            take(frame, verdict)
        if not keys.settle(lambda: [None for _ in judged()]):
            return
