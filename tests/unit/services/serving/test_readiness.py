import asyncio

from include.foundation.errors import ServiceUnavailable
from include.foundation.problem import problem
from include.services.serving.metrics import Metrics
from include.services.serving.readiness import Readiness


def test_ready_is_who_has_just_answered_and_is_not_leaving() -> None:
    outcomes = iter([None, ServiceUnavailable("host=secret does not answer"), asyncio.Event(), None])

    async def check() -> None:
        outcome = next(outcomes, None)
        if isinstance(outcome, asyncio.Event):
            await outcome.wait()
        if outcome is not None:
            raise outcome

    async def main() -> list[str | None]:
        readiness = Readiness(check, metrics=Metrics(problem("binary")), every=0.05, patience=0.05)
        seen = [readiness.fault]
        watch = asyncio.create_task(readiness.watch())
        for _ in range(200):
            await asyncio.sleep(0.005)
            if readiness.fault != seen[-1]:
                seen.append(readiness.fault)
            if len(seen) == 5:
                break
        readiness.drain()
        watch.cancel()
        return [*seen, readiness.fault]

    wrong = "the example record cannot be answered: "
    assert asyncio.run(main()) == [
        "starting",
        None,
        f"{wrong}ServiceUnavailable",
        f"{wrong}TimeoutError",
        None,
        "draining",
    ]
