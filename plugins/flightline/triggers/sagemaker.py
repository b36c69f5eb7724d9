"""Waiting for a training job of SageMaker."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from flightline.exceptions import SageMakerError, SageMakerUnavailable


class TrainingJobTrigger(BaseTrigger):
    """Fires one event: `{"status": "ended" | "timeout" | "error", "message": …, "job_name": …}`.

    Args:
        conn_id: of SageMaker.
        job_name: the training job.
        deadline: Unix time when the wait ends; the job is not stopped here.
        poll_seconds: between two looks.
    """

    def __init__(self, *, conn_id: str, job_name: str, deadline: float, poll_seconds: float) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.conn_id = conn_id
        self.job_name = job_name
        self.deadline = deadline
        self.poll_seconds = poll_seconds

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Class path and arguments."""
        names = ("conn_id", "job_name", "deadline", "poll_seconds")
        return f"{type(self).__module__}.{type(self).__qualname__}", {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look until the job has ended or the time is over; each state is a line in the log."""
        yield TriggerEvent(await self._outcome())  # type: ignore[no-untyped-call]

    async def on_kill(self) -> None:
        """A person ended the task: stop the job, which costs money."""
        from flightline.hooks.sagemaker import TrainingJobsHook

        hook = await TrainingJobsHook.aopen(self.conn_id)
        await asyncio.to_thread(hook.stop, self.job_name)

    async def _outcome(self) -> dict[str, str]:
        from flightline.hooks.sagemaker import ENDED, TrainingJobsHook

        hook, said = await TrainingJobsHook.aopen(self.conn_id), ""
        while True:
            try:
                job = await asyncio.to_thread(hook.describe, self.job_name) or {}
                state = f"{job.get('TrainingJobStatus', 'unknown')}: {job.get('SecondaryStatus', 'not found')}"
                if not job or job["TrainingJobStatus"] in ENDED:
                    return self._event("ended", state)
            except SageMakerUnavailable as error:  # it passes, and the job goes on meanwhile
                state = str(error)
            except SageMakerError as error:
                return self._event("error", str(error))
            if state != said:
                said = state
                self.log.info("%s is %s", self.job_name, state)
            if time.time() >= self.deadline:
                return self._event("timeout", state)
            await asyncio.sleep(min(self.poll_seconds, max(self.deadline - time.time(), 0)))

    def _event(self, status: str, message: str) -> dict[str, str]:
        return {"status": status, "message": message, "job_name": self.job_name}
