"""Waiting for Modzy: until an image is pulled, a test run is over, or a job has ended."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any, Literal

from airflow.triggers.base import BaseTrigger, TriggerEvent

from flightline.exceptions import ModzyError, ModzyUnavailable
from flightline.hooks.modzy import ModzyHook

ENDED = ("COMPLETED", "CANCELED", "TIMEDOUT")
Process = Literal["container-image", "run-process", "job"]
JOB: Process = "job"


class ModzyTrigger(BaseTrigger):
    """Fires one event: `{"status": "done" | "timeout" | "error", "message", "deadline"}`.

    Args:
        conn_id: of Modzy.
        model: identifier of the model.
        version: of the model.
        process: what to wait for.
        job: identifier of the job, where that is waited for.
        deadline: Unix time when the wait ends.
        poll_seconds: between two looks.
    """

    def __init__(
        self,
        *,
        conn_id: str,
        model: str,
        version: str,
        process: Process,
        deadline: float,
        poll_seconds: float,
        job: str = "",
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.conn_id = conn_id
        self.model = model
        self.version = version
        self.process = process
        self.job = job
        self.deadline = deadline
        self.poll_seconds = poll_seconds

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Class path and arguments."""
        names = ("conn_id", "model", "version", "process", "job", "deadline", "poll_seconds")
        return f"{type(self).__module__}.{type(self).__qualname__}", {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Fire the outcome."""
        yield TriggerEvent(await self.outcome())  # type: ignore[no-untyped-call]

    async def outcome(self) -> dict[str, Any]:
        """Look until it is over or the time is."""
        hook = await ModzyHook.aopen(self.conn_id)
        while True:
            try:
                over, message = await asyncio.to_thread(self._look, hook)
            except ModzyUnavailable as error:  # it may restart meanwhile
                over, message = False, str(error)
            except ModzyError as error:
                return self._event("error", str(error))
            if over:
                return self._event("done", message)
            if time.time() >= self.deadline:
                return self._event("timeout", message)
            await asyncio.sleep(min(self.poll_seconds, max(self.deadline - time.time(), 0)))

    async def on_kill(self) -> None:
        """A person ended the task: end its job too."""
        if self.process == JOB:
            await asyncio.to_thread((await ModzyHook.aopen(self.conn_id)).cancel, self.job)

    def _look(self, hook: ModzyHook) -> tuple[bool, str]:
        if self.process == JOB:
            found = hook.job(self.job)
            status = found.get("status", "SUBMITTED")  # a new job may lack it
            return status in ENDED, f"job {self.job} is {status}, {found.get('pending', '?')} items are left"
        progress = hook.progress(self.model, self.version, self.process) or {}
        percentage = progress.get("percentage") or 0
        return percentage >= 100, f"{self.process} is at {percentage}%"

    def _event(self, status: str, message: str) -> dict[str, Any]:
        return {"status": status, "message": message, "deadline": self.deadline}
