"""Waiting for Modzy: until an image is pulled, a test run is over, or a job has ended."""

import asyncio
from typing import Literal

from flightline.exceptions import ModzyError, ModzyUnavailable
from flightline.hooks.modzy import ModzyHook
from flightline.triggers.polling import PollingTrigger

ENDED = ("COMPLETED", "CANCELED", "TIMEDOUT")
Process = Literal["container-image", "run-process", "job"]
JOB: Process = "job"


class ModzyTrigger(PollingTrigger):
    """Fires `{"status": "done" | "timeout" | "error", "message", "deadline"}`.

    Args:
        conn_id: of Modzy.
        model: identifier of the model.
        version: of the model.
        process: what to wait for.
        job: identifier of the job, where that is waited for.
        deadline: Unix time when the wait ends.
        poll_seconds: between two looks.
    """

    arguments = ("conn_id", "model", "version", "process", "job", "deadline", "poll_seconds")
    over = "done"
    passing, final = ModzyUnavailable, ModzyError  # it may restart meanwhile

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
        super().__init__(conn_id=conn_id, deadline=deadline, poll_seconds=poll_seconds)
        self.model = model
        self.version = version
        self.process = process
        self.job = job

    @property
    def what(self) -> str:
        """The version."""
        return f"{self.model} {self.version}"

    async def open(self) -> ModzyHook:
        """Modzy."""
        return await ModzyHook.aopen(self.conn_id)

    async def on_kill(self) -> None:
        """A person ended the task: end its job too."""
        if self.process == JOB:
            await asyncio.to_thread((await self.open()).cancel, self.job)

    def look(self, hook: ModzyHook) -> tuple[bool, str]:
        """How far it is."""
        if self.process == JOB:
            found = hook.job(self.job)
            status = found.get("status", "SUBMITTED")  # a new job may lack it
            return status in ENDED, f"job {self.job} is {status}, {found.get('pending', '?')} items are left"
        progress = hook.progress(self.model, self.version, self.process) or {}
        percentage = progress.get("percentage") or 0
        return percentage >= 100, f"{self.process} is at {percentage}%"
