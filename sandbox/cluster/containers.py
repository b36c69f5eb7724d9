"""One container of a pod: from image to exit code, with restarts, back-off, probes and a graceful stop."""

import asyncio
import contextlib
import shutil
from functools import partial
from pathlib import Path

from sandbox.cluster import environment, ports, probes, quantities, timestamps
from sandbox.cluster.environment import ConfigError
from sandbox.cluster.host import Host
from sandbox.cluster.images import UnknownImageError
from sandbox.cluster.prober import Prober
from sandbox.cluster.process import Order, Process, Record
from sandbox.cluster.status import Object

# Shorter than the kubelet's 10 s to 300 s: people wait in front of a sandbox.
_BACKOFF_SECONDS = (1.0, 60.0)
_STEADY_SECONDS = 600.0
_RETRY_SECONDS = 2.0
# Connections that the service gave to this pod just before it left reach the server before its SIGTERM does.
_DRAIN_SECONDS = 0.1


def new_status(spec: Object, reason: str) -> Object:
    """The status of a container that waits for a reason."""
    return {
        "name": spec["name"],
        "image": spec["image"],
        "imageID": "",
        "ready": False,
        "started": False,
        "restartCount": 0,
        "state": {"waiting": {"reason": reason}},
        "lastState": {},
    }


class Container:
    """Drives one container; `status` is its entry in the pod's status, changed in place."""

    def __init__(self, host: Host, spec: Object, status: Object, *, init: bool) -> None:
        self._host = host
        self._init = init
        self._process: Process | None = None
        self._ended = asyncio.Event()
        self._asked = False
        self._stops: set[asyncio.Task[None]] = set()
        self.spec = spec
        self.name: str = spec["name"]
        self.volumes: dict[str, str] = {}
        self.status = status
        self._prober = Prober(host, spec, status, self._order, self._unwell)

    @property
    def directory(self) -> Path:
        """Holds one directory per attempt, named by its number."""
        return self._host.directory / "containers" / self.name

    @property
    def process(self) -> Process | None:
        """The attempt that runs now."""
        return self._process

    async def run(self) -> int | None:
        """Run the container until it needs no restart; adopts what an earlier run of the cluster started.

        Returns:
            The last exit code, or None when the pod stopped before the container began.
        """
        attempts = sorted(int(path.name) for path in self.directory.glob("[0-9]*"))
        attempt = attempts[-1] if attempts else 0
        self._process = await Process.adopt(self.directory / str(attempt)) if attempts else None
        if attempts and self._process is None:
            attempt += 1
        # What ended while the cluster was down starts again at once.
        failures = -1 if self._process and not self._process.running else 0
        while True:
            self.status["restartCount"] = attempt
            if self._process is None:
                self._host.free_ports(self.spec)
                order = await self._order_or_wait()
                if order is None:
                    return None
                try:
                    self._process = await Process.start(self.directory / str(attempt), order)
                except OSError as error:  # a full disk
                    attempt += 1
                    if await self._retry("CreateContainerError", str(error)):
                        return None
                    continue
                self._host.record("Created", f"Created container {self.name}", container=self.name)
                if attempt > 1:
                    await asyncio.to_thread(shutil.rmtree, self.directory / str(attempt - 2), ignore_errors=True)
            record = await self._attend(self._process, attempt)
            self._process = None
            if self._host.stopping or not self._restarts(record.code):
                return record.code
            if record.finished - record.started > _STEADY_SECONDS:
                failures = min(failures, 0)
            failures += 1
            if failures and await self._back_off(failures):
                return record.code
            attempt += 1

    def _restarts(self, code: int) -> bool:
        policy = self._host.pod["spec"]["restartPolicy"]
        if self._init:
            return code != 0 and policy != "Never"
        return policy == "Always" or (policy == "OnFailure" and code != 0)

    async def _back_off(self, failures: int) -> bool:
        delay = min(_BACKOFF_SECONDS[0] * 2 ** (failures - 1), _BACKOFF_SECONDS[1])
        pod = self._host.pod["metadata"]
        whose = f"container={self.name} pod={pod['name']}_{pod['namespace']}({pod['uid']})"
        self.status["lastState"] = self.status["state"]
        self._waits("CrashLoopBackOff", f"back-off {delay:g}s restarting failed {whose}")
        self._host.record(
            "BackOff", f"Back-off restarting failed container {self.name}", container=self.name, warning=True
        )
        return await self._host.pause(delay)

    def _waits(self, reason: str, message: str = "") -> None:
        waiting = {"reason": reason} | ({"message": message} if message else {})
        self.status |= {"state": {"waiting": waiting}, "ready": False, "started": False}
        self._host.publish()

    async def _order_or_wait(self) -> Order | None:
        """What the shim is to run, as soon as image and configuration are there; None when the pod stops first."""
        pulls = 0
        while not self._host.stopping:
            try:
                await asyncio.to_thread(self._host.images.find, self.spec["image"])  # a snapshot may have to be made
                order = self._order()
            except UnknownImageError as error:
                if await self._image_missing(str(error), pulls):
                    return None
                pulls += 1
            except ConfigError as error:
                if await self._retry("CreateContainerConfigError", str(error)):
                    return None
            else:
                text = f'Container image "{self.spec["image"]}" already present on machine'
                self._host.record("Pulled", text, container=self.name)
                return order
        return None

    async def _retry(self, reason: str, error: str) -> bool:
        self._waits(reason, error)
        self._host.record("Failed", f"Error: {error}", container=self.name, warning=True)
        return await self._host.pause(_RETRY_SECONDS)

    async def _image_missing(self, error: str, pulls: int) -> bool:
        image = self.spec["image"]
        event = partial(self._host.record, container=self.name, warning=True)
        if self.spec["imagePullPolicy"] == "Never":
            text = f'Container image "{image}" is not present with pull policy of Never'
            self._waits("ErrImageNeverPull", text)
            event("ErrImageNeverPull", text)
        else:
            self._waits("ErrImagePull", error)
            event("Failed", f'Failed to pull image "{image}": {error}')
            event("Failed", "Error: ErrImagePull")
            if await self._host.pause(_RETRY_SECONDS):
                return True
            self._waits("ImagePullBackOff", f'Back-off pulling image "{image}": ErrImagePull: {error}')
            event("BackOff", f'Back-off pulling image "{image}"')
            event("Failed", "Error: ImagePullBackOff")
        return await self._host.pause(min(5.0 * 2**pulls, 300.0))

    def _order(self) -> Order:
        image = self._host.images.find(self.spec["image"])
        extra = ports.variables(self._host.pod, self.spec) | self.volumes
        env = environment.variables(self._host.store, self._host.pod, self.spec, image, extra)
        limit = (self.spec["resources"].get("limits") or {}).get("memory")
        return Order(
            command=environment.command(self.spec, image, env),
            env=env,
            workdir=self.spec.get("workingDir") or image.workdir,
            memory=0 if limit is None else int(quantities.parse(limit)),
        )

    async def _attend(self, process: Process, attempt: int) -> Record:
        """Watch a running attempt to its end and return its exit record."""
        identifier = f"process://{self._host.pod['metadata']['uid']}/{self.name}/{attempt}"
        adopted = self.status.get("containerID") == identifier and "running" in self.status["state"]
        self._ended.clear()
        self._asked = False
        tasks: list[asyncio.Task[None]] = []
        if process.running:
            self.status |= {"imageID": self.spec["image"], "containerID": identifier}
            if not adopted:  # else what the probes have found holds until they look again
                started = not self.spec.get("startupProbe")
                state = {"running": {"startedAt": timestamps.text(process.started)}}
                self.status |= {"state": state, "started": started}
                self.status["ready"] = started and not self.spec.get("readinessProbe")
                self._host.record("Started", f"Started container {self.name}", container=self.name)
            self._host.publish()
            tasks.append(asyncio.create_task(self._prober.run()))
            if self._host.stopping:
                self.stop(self._host.pod["metadata"].get("deletionGracePeriodSeconds", 0))
        try:
            record = await process.wait()
        finally:
            for task in tasks:
                task.cancel()
        self._ended.set()
        self._terminated(record, identifier)
        return record

    def _terminated(self, record: Record, identifier: str) -> None:
        terminated = {
            "exitCode": record.code,
            "reason": record.reason or ("Completed" if record.code == 0 else "Error"),
            "startedAt": timestamps.text(record.started),
            "finishedAt": timestamps.text(record.finished),
            "containerID": identifier,
        }
        extra = (("signal", record.signal), ("message", record.message))
        terminated |= {key: value for key, value in extra if value}
        # An init container that has done its work counts as ready.
        ready = self._init and record.code == 0
        self.status |= {"imageID": self.spec["image"], "containerID": identifier}
        self.status |= {"state": {"terminated": terminated}, "ready": ready, "started": False}
        if record.reason == "StartError":
            self._host.record("Failed", f"Error: {record.message}", container=self.name, warning=True)
        self._host.publish()

    def _unwell(self, kind: str) -> None:
        """End an attempt whose startup or liveness probe failed."""
        text = f"Container {self.name} failed {kind} probe, will be restarted"
        self._host.record("Killing", text, container=self.name)
        self.stop(self._host.pod["spec"]["terminationGracePeriodSeconds"])

    def stop(self, grace: float) -> None:
        """End the running attempt: hook and SIGTERM once, SIGKILL after `grace` seconds. May be called again."""
        if self._process is not None and not self._ended.is_set():
            task = asyncio.create_task(self._stop(self._process, grace))
            self._stops.add(task)
            task.add_done_callback(self._stops.discard)

    async def _stop(self, process: Process, grace: float) -> None:
        first, self._asked = not self._asked, True
        if grace > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(grace):
                    if first:
                        await asyncio.sleep(_DRAIN_SECONDS if self.spec.get("ports") else 0)
                        await self._before_stop(grace)
                        process.terminate()
                    await self._ended.wait()
        if not self._ended.is_set():
            process.kill()

    async def _before_stop(self, grace: float) -> None:
        hook = (self.spec.get("lifecycle") or {}).get("preStop") or {}
        if "sleep" in hook:
            await asyncio.sleep(hook["sleep"]["seconds"])
        elif "exec" in hook:
            try:
                await self._prober.execute(hook["exec"]["command"], grace)
            except probes.ProbeError as error:
                self._host.record(
                    "FailedPreStopHook", f"PreStopHook failed: {error}", container=self.name, warning=True
                )
