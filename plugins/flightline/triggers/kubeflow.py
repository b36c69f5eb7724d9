"""Waiting for a run of Kubeflow Pipelines."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from flightline.exceptions import KubeflowError, KubeflowUnavailable
from flightline.hooks.kubeflow import FAILED, SUCCEEDED, KubeflowHook


class PipelineRunTrigger(BaseTrigger):
    """Fires one event: `{"status": "ended" | "timeout" | "error", "message": …, "run_id": …}`.

    Kubeflow's own client waits for some states alone, and for a canceled run for ever.

    Args:
        conn_id: of Kubeflow Pipelines.
        run_id: the run.
        deadline: Unix time when the wait ends; the run is not ended here.
        poll_seconds: between two looks.
    """

    def __init__(self, *, conn_id: str, run_id: str, deadline: float, poll_seconds: float) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.conn_id = conn_id
        self.run_id = run_id
        self.deadline = deadline
        self.poll_seconds = poll_seconds

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Class path and arguments."""
        names = ("conn_id", "run_id", "deadline", "poll_seconds")
        return f"{type(self).__module__}.{type(self).__qualname__}", {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look until the run has ended or the time is over; each state is a line in the log."""
        yield TriggerEvent(await self._outcome())  # type: ignore[no-untyped-call]

    async def on_kill(self) -> None:
        """A person ended the task: end the run too."""
        hook = await KubeflowHook.aopen(self.conn_id)
        await asyncio.to_thread(hook.terminate, self.run_id)

    async def _outcome(self) -> dict[str, str]:
        hook, said = await KubeflowHook.aopen(self.conn_id), ""
        while True:
            try:
                run = await asyncio.to_thread(hook.run, self.run_id)
                state = "gone" if run is None else run.get("state") or "not begun"
                if run is None or state in (SUCCEEDED, *FAILED):
                    return self._event("ended", state)
            except KubeflowUnavailable as error:  # it passes, and the run goes on meanwhile
                state = str(error)
            except KubeflowError as error:
                return self._event("error", str(error))
            if state != said:
                said = state
                self.log.info("run %s is %s", self.run_id, state)
            if time.time() >= self.deadline:
                return self._event("timeout", state)
            await asyncio.sleep(min(self.poll_seconds, max(self.deadline - time.time(), 0)))

    def _event(self, status: str, message: str) -> dict[str, str]:
        return {"status": status, "message": message, "run_id": self.run_id}
