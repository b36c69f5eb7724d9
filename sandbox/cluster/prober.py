"""The probes of one running container and what follows from them."""

import asyncio
from collections.abc import Callable
from functools import partial

from sandbox.cluster import ports, probes
from sandbox.cluster.environment import ConfigError
from sandbox.cluster.host import Host
from sandbox.cluster.images import UnknownImageError
from sandbox.cluster.process import Order
from sandbox.cluster.status import Object


class Prober:
    """Keeps `ready` and `started` of a container's status; calls `unwell` with the kind of a probe that ends it."""

    def __init__(
        self,
        host: Host,
        spec: Object,
        status: Object,
        order: Callable[[], Order],
        unwell: Callable[[str], None],
    ) -> None:
        self._host = host
        self._spec = spec
        self._status = status
        self._order = order
        self._unwell = unwell

    async def run(self) -> None:
        """Startup probe first, unless it has succeeded before, then readiness and liveness side by side."""
        probe = self._spec.get("startupProbe")
        if probe and not self._status["started"]:
            started = asyncio.Event()
            watch = probes.watch(probe, partial(self._attempt, probe), partial(self._startup, started))
            task = asyncio.create_task(watch)
            try:
                await started.wait()
            finally:
                task.cancel()
            self._status |= {"started": True, "ready": not self._spec.get("readinessProbe")}
            self._host.publish()
        reports: tuple[tuple[str, Callable[[bool, str], None]], ...] = (
            ("readinessProbe", self._readiness),
            ("livenessProbe", self._liveness),
        )
        async with asyncio.TaskGroup() as group:
            for kind, report in reports:
                if probe := self._spec.get(kind):
                    impatient = kind == "readinessProbe"
                    group.create_task(probes.watch(probe, partial(self._attempt, probe), report, impatient=impatient))

    async def _attempt(self, probe: Object) -> None:
        timeout = probe["timeoutSeconds"]
        if "exec" in probe:
            await self.execute(probe["exec"]["command"], timeout)
            return
        kind = "httpGet" if "httpGet" in probe else "tcpSocket"
        port = ports.real_port(self._host.pod, probe[kind]["port"])
        if port is None:
            raise probes.ProbeError(f"the pod has no port named {probe[kind]['port']}")
        await (probes.http_get(port, probe[kind], timeout) if kind == "httpGet" else probes.tcp_connect(port, timeout))

    async def execute(self, command: list[str], timeout: float) -> None:
        """Run a command with the container's environment.

        Raises:
            ProbeError: it does not succeed.
        """
        try:
            order = self._order()
        except (UnknownImageError, ConfigError) as error:
            raise probes.ProbeError(str(error)) from error
        await probes.execute(command, order.env, order.workdir, timeout)

    def _startup(self, started: asyncio.Event, success: bool, message: str) -> None:
        if success:
            started.set()
        else:
            self._record("Startup", message)
            self._unwell("startup")

    def _readiness(self, success: bool, message: str) -> None:
        if not success:
            self._record("Readiness", message)
        if self._status["ready"] != success:
            self._status["ready"] = success
            self._host.publish()

    def _liveness(self, success: bool, message: str) -> None:
        if not success:
            self._record("Liveness", message)
            self._unwell("liveness")

    def _record(self, kind: str, message: str) -> None:
        text = f"{kind} probe failed: {message}"
        self._host.record("Unhealthy", text, container=self._spec["name"], warning=True)
