"""Requests that arrive while the worker is busy share the next batch.

One row costs nearly as much as fifty: the online read is one round trip and a feature expression one call however many
rows they are for. So nothing waits for company, but what had to wait anyway is answered together. One worker, not two:
two get half the rows a batch, which costs more than overlapping the reads brings (docs/adr/0004-serving-library.md).
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from typing import Generic, TypeVar

from include.foundation.errors import RetryableError

Item = TypeVar("Item")
Result = TypeVar("Result")


class Batcher(Generic[Item, Result]):
    """Runs `work` (items to as many results, in order) in one thread. To be used on one event loop.

    Args:
        work: the function.
        size: a batch takes further submissions while it has fewer items than this; one submission is never split.
    """

    def __init__(self, work: Callable[[Sequence[Item]], Sequence[Result]], *, size: int) -> None:
        self._work = work
        self._size = size
        self._idle = True
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="batch")
        self._waiting: deque[tuple[Sequence[Item], asyncio.Future[Sequence[Result]]]] = deque()

    async def submit(self, items: Sequence[Item]) -> Sequence[Result]:
        """Results of `items`. Raises what `work` raises on them."""
        answer: asyncio.Future[Sequence[Result]] = asyncio.get_running_loop().create_future()
        self._waiting.append((items, answer))
        self._start()
        return await answer

    def close(self) -> None:
        """Let the thread end."""
        self._thread.shutdown(wait=False)

    def _start(self) -> None:
        if not (self._idle and self._waiting):
            return
        batch = [self._waiting.popleft()]
        count = len(batch[0][0])
        while self._waiting and count < self._size:
            batch.append(self._waiting.popleft())
            count += len(batch[-1][0])
        self._idle = False
        run = asyncio.get_running_loop().run_in_executor(self._thread, self._run, [items for items, _ in batch])
        run.add_done_callback(partial(self._deliver, [answer for _, answer in batch]))

    def _run(self, submissions: list[Sequence[Item]]) -> list[Sequence[Result] | BaseException]:
        try:
            results = self._work([item for items in submissions for item in items])
        except BaseException as error:  # noqa: BLE001 - it goes to whom it belongs, or he would wait for ever
            if len(submissions) == 1 or isinstance(error, RetryableError):
                return [error] * len(submissions)
            # One caller's rows must not fail another's: each alone.
            return [self._run([items])[0] for items in submissions]
        starts = [0]
        for items in submissions:
            starts.append(starts[-1] + len(items))
        return [results[start:stop] for start, stop in pairwise(starts)]

    def _deliver(
        self,
        answers: list["asyncio.Future[Sequence[Result]]"],
        done: "asyncio.Future[list[Sequence[Result] | BaseException]]",
    ) -> None:
        self._idle = True
        for answer, outcome in zip(answers, done.result(), strict=True):
            if answer.done():  # the caller went away
                continue
            if isinstance(outcome, BaseException):
                answer.set_exception(outcome)
            else:
                answer.set_result(outcome)
        self._start()
