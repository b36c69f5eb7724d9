"""One pod on the node: volumes, init containers in order, containers side by side, phase, deadline, graceful end."""

import asyncio
import copy
import logging
import sqlite3
import time
from collections.abc import Iterable
from pathlib import Path

from sandbox.cluster import environment, ports, timestamps
from sandbox.cluster.conditions import with_condition
from sandbox.cluster.containers import Container, new_status
from sandbox.cluster.environment import ConfigError
from sandbox.cluster.events import Recorder
from sandbox.cluster.images import Images
from sandbox.cluster.registry import TERMINAL, Registry
from sandbox.cluster.status import ApiError, Object

_RETRY_SECONDS = 2.0
_ADDRESS: Object = {
    "hostIP": ports.HOST,
    "hostIPs": [{"ip": ports.HOST}],
    "podIP": ports.HOST,
    "podIPs": [{"ip": ports.HOST}],
}
_log = logging.getLogger(__name__)


def phase(init: Iterable[Object], main: Iterable[Object]) -> str:
    """Pending or Running, from the container statuses of a pod that has not ended."""
    initialized = all((status["state"].get("terminated") or {}).get("exitCode") == 0 for status in init)
    begun = any("waiting" not in status["state"] or status["restartCount"] for status in main)
    return "Running" if initialized and begun else "Pending"


class PodRunner:
    """Drives one pod. Also runs a pod that an earlier run of the cluster had started: its containers are adopted."""

    def __init__(self, registry: Registry, recorder: Recorder, images: Images, directory: Path, pod: Object) -> None:
        self.store = registry.store
        self.images = images
        self.directory = directory
        self.stopping = False
        self._registry = registry
        self._recorder = recorder
        self._pod = pod
        self._stop = asyncio.Event()
        self._grace: float | None = None
        self._failure: tuple[str, str] | None = None
        self._init = self._make("initContainers", "PodInitializing")
        self.containers = self._make("containers", "PodInitializing" if self._init else "ContainerCreating")

    def _make(self, part: str, reason: str) -> list[Container]:
        """The containers of a part of the spec, with the status that an earlier run of the cluster has left."""
        key = "initContainerStatuses" if part == "initContainers" else "containerStatuses"
        known = {status["name"]: copy.deepcopy(status) for status in self._pod["status"].get(key) or ()}
        return [
            Container(self, spec, known.get(spec["name"]) or new_status(spec, reason), init=part == "initContainers")
            for spec in self._pod["spec"].get(part) or ()
        ]

    @property
    def pod(self) -> Object:
        """The present object, or its last state when it is gone."""
        metadata = self._pod["metadata"]
        found = self.store.find("pods", metadata["namespace"], metadata["name"])
        if found is not None and found["metadata"]["uid"] == metadata["uid"]:
            self._pod = found
        return self._pod

    async def run(self) -> None:
        """Run the pod to its end and write how it ended."""
        if self.pod["status"]["phase"] in TERMINAL:
            return
        self._begin()
        deadline = asyncio.create_task(self._deadline())
        try:
            failed = await self._run()
        finally:
            deadline.cancel()
        while not self._end(failed):
            await asyncio.sleep(_RETRY_SECONDS)

    def _begin(self) -> None:
        self.publish()
        if "deletionTimestamp" in self.pod["metadata"]:
            self.stop(self.pod["metadata"]["deletionGracePeriodSeconds"])

    async def _run(self) -> bool:
        """Run all containers; returns whether the pod failed."""
        if not await self._volumes():
            return True
        for container in self._init:
            code = await container.run()
            if code != 0:
                return True
        self.publish()
        codes = await asyncio.gather(*(container.run() for container in self.containers))
        return any(code != 0 for code in codes)

    async def _volumes(self) -> bool:
        while True:
            try:
                claims = self.directory.parents[1] / "claims"  # they outlive the pod
                volumes = environment.make_volumes(self.store, self.pod, self.directory / "volumes", claims)
            except (ConfigError, OSError) as error:
                self.record("FailedMount", str(error), warning=True)
                if await self.pause(_RETRY_SECONDS):
                    return False
            else:
                for container in (*self._init, *self.containers):
                    container.volumes = volumes
                return True

    async def _deadline(self) -> None:
        seconds = self.pod["spec"].get("activeDeadlineSeconds")
        if seconds is None:
            return
        started = timestamps.parse(self.pod["status"].get("startTime") or timestamps.now())
        await asyncio.sleep(started + seconds - time.time())
        self._failure = ("DeadlineExceeded", "Pod was active on the node longer than the specified deadline")
        self.record("DeadlineExceeded", self._failure[1])
        self.stop(self.pod["spec"]["terminationGracePeriodSeconds"])

    def stop(self, grace: float) -> None:
        """Begin to end every container within `grace` seconds; may be called again, but only with less."""
        if self._grace is not None and grace >= self._grace:
            return
        self.stopping, self._grace = True, grace
        self._stop.set()
        for container in (*self._init, *self.containers):
            if container.process is not None:
                if grace > 0:
                    self.record("Killing", f"Stopping container {container.name}", container=container.name)
                container.stop(grace)

    def free_ports(self, container: Object) -> None:
        """Give a container that is about to start other real ports for those that somebody else has."""
        pod = self.pod
        busy = ports.busy(pod, container)
        if not busy:
            return
        taken = {port for item in self.store.list("pods") for port in ports.assigned(item).values()}
        metadata = pod["metadata"]
        try:
            self.store.change(
                "pods", metadata["namespace"], metadata["name"], lambda item: ports.assign(item, taken, busy)
            )
        except (ApiError, sqlite3.Error):  # deleted meanwhile, or a full disk: it starts as it is
            _log.exception("the ports of pod %s cannot be changed", metadata["name"])
            return
        text = f"real ports of {', '.join(busy)} are taken by others and were changed"
        self.record("PortsChanged", text, container=container["name"], warning=True)

    async def pause(self, seconds: float) -> bool:
        """Sleep, or less when the pod stops; returns whether it stops."""
        try:
            async with asyncio.timeout(seconds):
                await self._stop.wait()
        except TimeoutError:
            return self.stopping
        return True

    def _end(self, failed: bool) -> bool:
        """Write how the pod ended, and let it go if it is being deleted; returns whether that is written."""
        failed = failed or self._failure is not None
        reason, message = self._failure or (None, None)
        return self._write("Failed" if failed else "Succeeded", reason=reason, message=message)

    def publish(self) -> None:
        """Write the status of the pod while it runs."""
        self._write(phase((item.status for item in self._init), (item.status for item in self.containers)))

    def _write(self, current: str, **fields: str | None) -> bool:
        """Write the status; returns whether it is written, or need not be because the pod is gone."""
        metadata = self.pod["metadata"]
        if self.store.find("pods", metadata["namespace"], metadata["name"]) is not self._pod:
            return True
        try:
            self._registry.set_status("pods", self._pod, phase=current, **self._status(current), **fields)
            if current in TERMINAL and "deletionTimestamp" in metadata:
                self._registry.finish("pods", metadata["namespace"], metadata["name"])
        except sqlite3.Error:  # a full disk must not end the pod
            _log.exception("the status of pod %s cannot be written", metadata["name"])
            return False
        return True

    def _status(self, current: str) -> Object:
        ended = current in TERMINAL
        initialized = all(container.status["ready"] for container in self._init)
        ready = not ended and all(container.status["ready"] for container in self.containers)
        waiting = [container.name for container in self.containers if not container.status["ready"]]
        why = (
            "PodCompleted" if ended else "ContainersNotReady",
            f"containers with unready status: [{' '.join(waiting)}]",
        )
        conditions = with_condition(self._pod["status"].get("conditions") or [], "PodScheduled", True)
        conditions = with_condition(
            conditions, "Initialized", initialized, *(() if initialized else ("ContainersNotInitialized",))
        )
        for kind in ("ContainersReady", "Ready"):
            conditions = with_condition(conditions, kind, ready, *(() if ready else why))
        statuses: Object = {"containerStatuses": [dict(container.status) for container in self.containers]}
        if self._init:
            statuses["initContainerStatuses"] = [dict(container.status) for container in self._init]
        start = self._pod["status"].get("startTime") or timestamps.now()
        return {"startTime": start, **_ADDRESS, "conditions": conditions, **statuses}

    def record(self, reason: str, message: str, *, container: str = "", warning: bool = False) -> None:
        """Record an event on the pod or on one of its containers."""
        part = "initContainers" if container in {item.name for item in self._init} else "containers"
        path = f"spec.{part}{{{container}}}" if container else ""
        try:
            self._recorder.record(self.pod, reason, message, component="kubelet", warning=warning, field_path=path)
        except sqlite3.Error:
            _log.exception("event %s of pod %s cannot be written", reason, self._pod["metadata"]["name"])
