"""Waiting for another system by looking again and again: what all such triggers share."""

import asyncio
import time
from abc import abstractmethod
from collections.abc import AsyncIterator
from typing import Any, ClassVar

from airflow.triggers.base import BaseTrigger, TriggerEvent


class PollingTrigger(BaseTrigger):
    """Fires one event: `{"status": over | "timeout" | "error", "message": …, kept: …}`.

    Attributes:
        arguments: names of all arguments of the constructor.
        kept: the argument that comes back with the event.
        over: the event's status when what is waited for is over.
        passing: what a look raises that passes by itself; what is waited for goes on meanwhile.
        final: what ends the wait; `passing` may be one.

    Args:
        conn_id: of the system.
        deadline: Unix time when the wait ends; what is waited for is not touched then.
        poll_seconds: between two looks.
    """

    arguments: ClassVar[tuple[str, ...]]
    kept: ClassVar[str] = "deadline"
    over: ClassVar[str]
    passing: ClassVar[type[Exception]]
    final: ClassVar[type[Exception]]

    def __init__(self, *, conn_id: str, deadline: float, poll_seconds: float) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.conn_id = conn_id
        self.deadline = deadline
        self.poll_seconds = poll_seconds

    @property
    @abstractmethod
    def what(self) -> str:
        """What is waited for, in a line of the log."""

    @abstractmethod
    async def open(self) -> Any:
        """The hook, made without blocking the event loop."""

    @abstractmethod
    def look(self, hook: Any) -> tuple[bool, str]:
        """Whether it is over, and its state in words. Blocks: it is called in a thread."""

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Class path and arguments."""
        path = f"{type(self).__module__}.{type(self).__qualname__}"
        return path, {name: getattr(self, name) for name in self.arguments}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Fire the outcome."""
        yield TriggerEvent(await self.outcome())  # type: ignore[no-untyped-call]

    async def outcome(self) -> dict[str, Any]:
        """Look until it is over or the time is; each new state is a line in the log."""
        hook, said = await self.open(), ""
        while True:
            try:
                over, state = await asyncio.to_thread(self.look, hook)
            except self.passing as error:
                over, state = False, str(error)
            except self.final as error:
                return self._event("error", str(error))
            if over:
                return self._event(self.over, state)
            if state != said:
                said = state
                self.log.info("%s: %s", self.what, state)
            if time.time() >= self.deadline:
                return self._event("timeout", state)
            await asyncio.sleep(min(self.poll_seconds, max(self.deadline - time.time(), 0)))

    def _event(self, status: str, message: str) -> dict[str, Any]:
        return {"status": status, "message": message, self.kept: getattr(self, self.kept)}
