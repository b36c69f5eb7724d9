"""The cluster as one object: store, controllers, node and API, started and stopped together."""

import asyncio
from pathlib import Path

from starlette.types import Receive, Scope, Send

from sandbox.cluster.api import Api
from sandbox.cluster.controller import Controller
from sandbox.cluster.deployments import Deployments
from sandbox.cluster.events import Recorder
from sandbox.cluster.garbage import Garbage
from sandbox.cluster.gateways import Gateways
from sandbox.cluster.images import Images
from sandbox.cluster.jobs import Jobs
from sandbox.cluster.node import Node
from sandbox.cluster.node_ports import NodePorts
from sandbox.cluster.proxy import Proxy
from sandbox.cluster.registry import NAMESPACES, Registry
from sandbox.cluster.replicasets import ReplicaSets
from sandbox.cluster.resources import RESOURCES
from sandbox.cluster.scheduler import Scheduler
from sandbox.cluster.services import Services
from sandbox.cluster.store import Change, Store


class Cluster:
    """Everything that works on one state directory; an ASGI application."""

    def __init__(
        self,
        *,
        state: Path,
        images: Path,
        node_ports: tuple[int, int],
        token: str | None,
        keep_pods: bool,
        gateway: Path | None = None,
    ) -> None:
        self._keep_pods = keep_pods
        self._store = Store(state / "objects.sqlite3")
        self._registry = Registry(self._store, NodePorts(self._store, *node_ports))
        recorder = Recorder(self._registry)
        self._images = Images(images)
        self._node = Node(self._registry, recorder, self._images, state / "pods")
        self._controllers: tuple[Controller, ...] = (
            # Services come first: they lose a pod before the node sends its SIGTERM.
            Services(self._registry, recorder),
            Scheduler(self._registry, recorder),
            ReplicaSets(self._registry, recorder),
            Deployments(self._registry, recorder),
            Jobs(self._registry, recorder),
            Garbage(self._registry),
            *([Gateways(self._registry, gateway)] if gateway else ()),
        )
        self._proxy = Proxy(self._store)
        self._api = Api(self._registry, self._node, self._proxy, token)

    async def start(self) -> None:
        """Make what every cluster has, start the controllers on what the store holds and adopt running pods."""
        for controller in self._controllers:
            self._store.listen(controller.observe)
            controller.start()
        self._store.listen(self._node.observe)
        for name in NAMESPACES:
            if self._store.find("namespaces", "", name) is None:
                self._registry.create("namespaces", "", {"metadata": {"name": name}})
        await asyncio.to_thread(self._images.collect, self._used_images())
        await self._node.start()
        for resource in RESOURCES:
            for item in self._store.list(resource):
                seen = Change(self._store.version, "ADDED", resource, item, None)
                for controller in self._controllers:
                    controller.observe(seen)

    def _used_images(self) -> set[str]:
        """The images of pods and of what makes pods."""
        specs = [pod["spec"] for pod in self._store.list("pods")]
        for resource in ("deployments", "replicasets", "jobs"):
            specs += [item["spec"]["template"]["spec"] for item in self._store.list(resource)]
        return {
            container["image"]
            for spec in specs
            for container in (*spec["containers"], *(spec.get("initContainers") or ()))
        }

    async def stop(self) -> None:
        """Stop the controllers, then the pods unless they are to be kept for the next start."""
        for controller in self._controllers:
            controller.stop()
        await self._node.stop(keep_pods=self._keep_pods)
        await self._proxy.close()
        self._store.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the API, and start and stop with the server."""
        if scope["type"] != "lifespan":
            await self._api(scope, receive, send)
            return
        await receive()
        await self.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await asyncio.shield(self.stop())
        await send({"type": "lifespan.shutdown.complete"})
