"""Waiting for an endpoint of SageMaker: until it is in no state that passes by itself."""

import asyncio
from typing import TYPE_CHECKING

from flightline.exceptions import SageMakerError, SageMakerUnavailable
from flightline.triggers.polling import PollingTrigger

if TYPE_CHECKING:
    from flightline.hooks.sagemaker_endpoint import EndpointsHook


class EndpointTrigger(PollingTrigger):
    """Fires `{"status": "settled" | "timeout" | "error", "message", "deadline"}`.

    Args:
        conn_id: of SageMaker.
        endpoint: its name.
        deadline: Unix time when the wait ends; the endpoint is not touched here.
        poll_seconds: between two looks.
    """

    arguments = ("conn_id", "endpoint", "deadline", "poll_seconds")
    over = "settled"
    passing, final = SageMakerUnavailable, SageMakerError

    def __init__(self, *, conn_id: str, endpoint: str, deadline: float, poll_seconds: float) -> None:
        super().__init__(conn_id=conn_id, deadline=deadline, poll_seconds=poll_seconds)
        self.endpoint = endpoint

    @property
    def what(self) -> str:
        """The endpoint."""
        return self.endpoint

    async def open(self) -> "EndpointsHook":
        """SageMaker."""
        from flightline.hooks.sagemaker_endpoint import EndpointsHook

        return await EndpointsHook.aopen(self.conn_id)

    def look(self, hook: "EndpointsHook") -> tuple[bool, str]:
        """The endpoint's state; one that is gone has settled."""
        from flightline.hooks.sagemaker_endpoint import MOVING

        found = hook.describe(self.endpoint)
        state = str(found["EndpointStatus"]) if found else "gone"
        return state not in MOVING, state

    async def on_kill(self) -> None:
        """A person ended the task: an endpoint that never answered costs money and is deleted."""
        await asyncio.to_thread((await self.open()).abandon, self.endpoint)
