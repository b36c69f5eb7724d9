"""Waiting for an endpoint of SageMaker: until it is in no state that passes by itself."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from flightline.exceptions import SageMakerError, SageMakerUnavailable


class EndpointTrigger(BaseTrigger):
    """Fires one event: `{"status": "settled" | "timeout" | "error", "message", "deadline"}`.

    Args:
        conn_id: of SageMaker.
        endpoint: its name.
        deadline: Unix time when the wait ends; the endpoint is not touched here.
        poll_seconds: between two looks.
    """

    def __init__(self, *, conn_id: str, endpoint: str, deadline: float, poll_seconds: float) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.conn_id = conn_id
        self.endpoint = endpoint
        self.deadline = deadline
        self.poll_seconds = poll_seconds

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Class path and arguments."""
        names = ("conn_id", "endpoint", "deadline", "poll_seconds")
        return f"{type(self).__module__}.{type(self).__qualname__}", {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Fire the outcome; each state is a line in the log."""
        yield TriggerEvent(await self.outcome())  # type: ignore[no-untyped-call]

    async def on_kill(self) -> None:
        """A person ended the task: an endpoint that never answered costs money and is deleted."""
        from flightline.hooks.sagemaker_endpoint import EndpointsHook

        hook = await EndpointsHook.aopen(self.conn_id)
        await asyncio.to_thread(hook.abandon, self.endpoint)

    async def outcome(self) -> dict[str, Any]:
        """Look until it has settled or the time is over."""
        from flightline.hooks.sagemaker_endpoint import MOVING, EndpointsHook

        hook, said = await EndpointsHook.aopen(self.conn_id), ""
        while True:
            try:
                found = await asyncio.to_thread(hook.describe, self.endpoint)
                state = found["EndpointStatus"] if found else "gone"
                if state not in MOVING:
                    return self._event("settled", state)
            except SageMakerUnavailable as error:  # it passes, and the endpoint goes on meanwhile
                state = str(error)
            except SageMakerError as error:
                return self._event("error", str(error))
            if state != said:
                said = state
                self.log.info("%s is %s", self.endpoint, state)
            if time.time() >= self.deadline:
                return self._event("timeout", state)
            await asyncio.sleep(min(self.poll_seconds, max(self.deadline - time.time(), 0)))

    def _event(self, status: str, message: str) -> dict[str, Any]:
        return {"status": status, "message": message, "deadline": self.deadline}
