"""Waiting for a run of Kubeflow Pipelines."""

import asyncio

from flightline.exceptions import KubeflowError, KubeflowUnavailable
from flightline.hooks.kubeflow import FAILED, SUCCEEDED, KubeflowHook
from flightline.triggers.polling import PollingTrigger


class PipelineRunTrigger(PollingTrigger):
    """Fires `{"status": "ended" | "timeout" | "error", "message": …, "run_id": …}`.

    Kubeflow's own client waits for some states alone, and for a canceled run for ever.

    Args:
        conn_id: of Kubeflow Pipelines.
        run_id: the run.
        deadline: Unix time when the wait ends; the run is not ended here.
        poll_seconds: between two looks.
    """

    arguments = ("conn_id", "run_id", "deadline", "poll_seconds")
    kept, over = "run_id", "ended"
    passing, final = KubeflowUnavailable, KubeflowError

    def __init__(self, *, conn_id: str, run_id: str, deadline: float, poll_seconds: float) -> None:
        super().__init__(conn_id=conn_id, deadline=deadline, poll_seconds=poll_seconds)
        self.run_id = run_id

    @property
    def what(self) -> str:
        """The run."""
        return f"run {self.run_id}"

    async def open(self) -> KubeflowHook:
        """Kubeflow."""
        return await KubeflowHook.aopen(self.conn_id)

    def look(self, hook: KubeflowHook) -> tuple[bool, str]:
        """The run's state; one that is gone is over."""
        run = hook.run(self.run_id)
        state = "gone" if run is None else run.get("state") or "not begun"
        return run is None or state in (SUCCEEDED, *FAILED), state

    async def on_kill(self) -> None:
        """A person ended the task: end the run too."""
        await asyncio.to_thread((await self.open()).terminate, self.run_id)
