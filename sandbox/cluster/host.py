"""What a container sees of the pod that it is part of."""

from pathlib import Path
from typing import Protocol

from sandbox.cluster.images import Images
from sandbox.cluster.status import Object
from sandbox.cluster.store import Store


class Host(Protocol):
    """The pod, as its containers and their probes need it."""

    store: Store
    images: Images
    directory: Path
    stopping: bool

    @property
    def pod(self) -> Object:
        """The present object."""

    def publish(self) -> None:
        """Write the status of the pod."""

    def record(self, reason: str, message: str, *, container: str = "", warning: bool = False) -> None:
        """Record an event."""

    def free_ports(self, container: Object) -> None:
        """Give a container that is about to start other real ports for those that somebody else has."""

    async def pause(self, seconds: float) -> bool:
        """Sleep, or less when the pod stops; returns whether it stops."""
