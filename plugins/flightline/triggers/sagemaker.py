"""Waiting for a training job of SageMaker."""

import asyncio
from typing import TYPE_CHECKING

from flightline.exceptions import SageMakerError, SageMakerUnavailable
from flightline.triggers.polling import PollingTrigger

if TYPE_CHECKING:
    from flightline.hooks.sagemaker import TrainingJobsHook


class TrainingJobTrigger(PollingTrigger):
    """Fires `{"status": "ended" | "timeout" | "error", "message": …, "job_name": …}`.

    Args:
        conn_id: of SageMaker.
        job_name: the training job.
        deadline: Unix time when the wait ends; the job is not stopped here.
        poll_seconds: between two looks.
    """

    arguments = ("conn_id", "job_name", "deadline", "poll_seconds")
    kept, over = "job_name", "ended"
    passing, final = SageMakerUnavailable, SageMakerError

    def __init__(self, *, conn_id: str, job_name: str, deadline: float, poll_seconds: float) -> None:
        super().__init__(conn_id=conn_id, deadline=deadline, poll_seconds=poll_seconds)
        self.job_name = job_name

    @property
    def what(self) -> str:
        """The job."""
        return self.job_name

    async def open(self) -> "TrainingJobsHook":
        """SageMaker."""
        from flightline.hooks.sagemaker import TrainingJobsHook

        return await TrainingJobsHook.aopen(self.conn_id)

    def look(self, hook: "TrainingJobsHook") -> tuple[bool, str]:
        """The job's state; one that is not there is over."""
        from flightline.hooks.sagemaker import ENDED

        job = hook.describe(self.job_name) or {}
        state = f"{job.get('TrainingJobStatus', 'unknown')}: {job.get('SecondaryStatus', 'not found')}"
        return not job or job["TrainingJobStatus"] in ENDED, state

    async def on_kill(self) -> None:
        """A person ended the task: stop the job, which costs money."""
        await asyncio.to_thread((await self.open()).stop, self.job_name)
