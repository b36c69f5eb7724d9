import asyncio
import threading
from collections.abc import Sequence

import pytest

from include.foundation.errors import ServiceUnavailable
from include.services.serving.batcher import Batcher


class Work:
    """Doubles numbers, one batch at a time as the test lets it; odd numbers are faults if `odd_fails`."""

    def __init__(self, *, odd_fails: bool = False) -> None:
        self.batches: list[list[int]] = []
        self.go = threading.Semaphore(0)
        self.odd_fails = odd_fails

    def __call__(self, items: Sequence[int]) -> list[int]:
        self.batches.append(list(items))
        assert self.go.acquire(timeout=10)
        if self.odd_fails and any(item % 2 for item in items):
            raise ValueError(f"odd: {list(items)}")
        return [2 * item for item in items]


def test_what_waits_shares_a_batch_and_everybody_gets_his_own() -> None:
    work = Work()

    async def run() -> list[Sequence[int]]:
        batcher = Batcher(work, size=100)
        tasks = [asyncio.create_task(batcher.submit(items)) for items in ([1], [2, 3], [4])]
        await asyncio.sleep(0)
        work.go.release(2)
        return await asyncio.gather(*tasks)

    assert asyncio.run(run()) == [[2], [4, 6], [8]]
    assert work.batches == [[1], [2, 3, 4]]


def test_a_batch_stops_growing_at_its_size_and_no_submission_is_split() -> None:
    work = Work()

    async def run() -> list[Sequence[int]]:
        batcher = Batcher(work, size=3)
        tasks = [asyncio.create_task(batcher.submit(items)) for items in ([0], [1, 2], [3, 4, 5, 6], [7])]
        await asyncio.sleep(0)
        work.go.release(10)
        return await asyncio.gather(*tasks)

    assert asyncio.run(run()) == [[0], [2, 4], [6, 8, 10, 12], [14]]
    assert work.batches == [[0], [1, 2, 3, 4, 5, 6], [7]]


def test_a_fault_hits_only_whose_rows_it_is() -> None:
    work = Work(odd_fails=True)

    async def run() -> list[object]:
        batcher = Batcher(work, size=100)
        tasks = [asyncio.create_task(batcher.submit(items)) for items in ([0], [2], [3], [4])]
        await asyncio.sleep(0)
        work.go.release(10)
        return await asyncio.gather(*tasks, return_exceptions=True)

    first, second, third, fourth = asyncio.run(run())
    assert (first, second, fourth) == ([0], [4], [8])
    assert isinstance(third, ValueError)
    assert str(third) == "odd: [3]"


def test_a_service_that_is_away_is_not_asked_again_for_each() -> None:
    calls = []

    def work(items: Sequence[int]) -> list[int]:
        calls.append(list(items))
        raise ServiceUnavailable("away")

    async def run() -> list[object]:
        batcher = Batcher(work, size=100)
        return await asyncio.gather(*(batcher.submit([item]) for item in range(4)), return_exceptions=True)

    outcomes = asyncio.run(run())
    assert all(isinstance(outcome, ServiceUnavailable) for outcome in outcomes)
    assert calls == [[0], [1, 2, 3]]


def test_a_caller_who_goes_away_does_not_disturb_the_others() -> None:
    work = Work()

    async def run() -> Sequence[int]:
        batcher = Batcher(work, size=100)
        gone, staying = (asyncio.create_task(batcher.submit([item])) for item in (1, 2))
        await asyncio.sleep(0)
        gone.cancel()
        work.go.release(2)
        with pytest.raises(asyncio.CancelledError):
            await gone
        return await staying

    assert asyncio.run(run()) == [4]


def test_even_a_panic_is_delivered() -> None:
    def work(items: Sequence[int]) -> list[int]:
        raise BaseException("panic")

    with pytest.raises(BaseException, match="panic"):
        asyncio.run(asyncio.wait_for(Batcher(work, size=1).submit([1]), 5))
