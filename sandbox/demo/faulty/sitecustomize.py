"""Makes a serving process bad on purpose: Python imports this at its start where the folder is on PYTHONPATH.

`FAULT` says how: `slow`, `crash` (on one kind of request), `leak` (memory), `nan`.
"""

import asyncio
import os
from itertools import count
from typing import Any

FAULT = os.environ.get("FAULT", "")
POISON = b"N66666"  # a tail number that only the test's clients send
kept: list[bytearray] = []


def spoil() -> None:
    """Wrap what answers."""
    from include.foundation.artifact.model_file import Scorer
    from include.services.serving.service import Service

    answer, score, calls = Service.answer, Scorer.score, count()

    async def spoilt(self: Service, found: Any, *words: Any, **named: Any) -> Any:
        if found.endpoint == "predict":
            if FAULT == "slow":
                await asyncio.sleep(0.25)
            elif FAULT == "crash" and any(POISON in word for word in words if isinstance(word, bytes)):
                os._exit(13)
            elif FAULT == "leak":
                kept.append(bytearray(os.urandom(1) * (4 << 20)))
        return await answer(self, found, *words, **named)

    def scored(self: Scorer, matrix: Any) -> Any:
        spoils = FAULT == "nan" and next(calls) > 20  # after what a start asks
        return score(self, matrix) * (float("nan") if spoils else 1)

    Service.answer, Scorer.score = spoilt, scored  # type: ignore[method-assign]


if FAULT:
    spoil()
