"""Whether the process can answer, found out by answering."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from include.foundation.errors import FlightlineError
from include.services.serving.metrics import Metrics

log = logging.getLogger(__name__)


class Readiness:
    """Ready is who has just answered a record, history included, and is not leaving.

    Args:
        check: answers the example record, or raises.
        every: seconds between checks.
        patience: seconds that a check may take.
    """

    def __init__(
        self, check: Callable[[], Awaitable[object]], *, metrics: Metrics, every: float = 2, patience: float = 5
    ) -> None:
        self._check, self._every, self._patience = check, every, patience
        self._metrics = metrics
        self._fault: str | None = "starting"
        self.draining = False

    @property
    def fault(self) -> str | None:
        """Why the process cannot answer; None when it can."""
        return "draining" if self.draining else self._fault

    async def watch(self) -> None:
        """Check for ever."""
        while True:
            try:
                await asyncio.wait_for(self._check(), self._patience)
            except Exception as error:  # noqa: BLE001 - whatever it is, the process cannot answer
                self._set(error)
            else:
                self._set(None)
            await asyncio.sleep(self._every)

    def drain(self) -> None:
        """From now on not ready."""
        self.draining = True
        self._metrics.ready.set(0)

    def _set(self, error: Exception | None) -> None:
        # Its kind only: the rest may name hosts and users, and anybody may ask whether the process is ready.
        fault = f"the example record cannot be answered: {type(error).__name__}" if error else None
        if fault != self._fault:
            if error:
                unexpected = not isinstance(error, FlightlineError | TimeoutError)
                log.warning("not ready: %s", error or fault, exc_info=error if unexpected else None)
            else:
                log.info("ready")
        self._fault = fault
        self._metrics.ready.set(self.fault is None)
