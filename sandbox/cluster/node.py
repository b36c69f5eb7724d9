"""The node `sandbox` (this machine) and its kubelet: runs the pods that are bound to it."""

import asyncio
import logging
import os
import platform
import shutil
from pathlib import Path
from typing import Any

from sandbox.cluster import ports, timestamps
from sandbox.cluster.events import Recorder
from sandbox.cluster.images import Images
from sandbox.cluster.pods import PodRunner
from sandbox.cluster.process import Process
from sandbox.cluster.registry import Registry
from sandbox.cluster.status import ApiError, Object, bad_request
from sandbox.cluster.store import Change

NAME = "sandbox"
_SHUTDOWN_SECONDS = 30.0
_log = logging.getLogger(__name__)


class Node:
    """Runs pods as processes under `directory`/<uid>/containers/<name>/<attempt>/."""

    def __init__(self, registry: Registry, recorder: Recorder, images: Images, directory: Path) -> None:
        self._registry = registry
        self._recorder = recorder
        self._images = images
        self._directory = directory
        self._runners: dict[str, PodRunner] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    async def start(self) -> None:
        """Register the node, adopt the pods that an earlier run left and clear what belongs to none."""
        self._loop = asyncio.get_running_loop()
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        store = self._registry.store
        status, labels = _machine()
        if store.find("nodes", "", NAME) is None:
            self._registry.create("nodes", "", {"metadata": {"name": NAME}, "spec": {}})

        def edit(node: Object) -> None:
            node["metadata"]["labels"] = (node["metadata"].get("labels") or {}) | labels
            node["status"] = status

        store.change("nodes", "", NAME, edit)
        pods = {pod["metadata"]["uid"]: pod for pod in store.list("pods")}
        for directory in self._directory.iterdir():
            if directory.name not in pods:
                await self._clear(directory)
        for uid, pod in pods.items():
            self._look(uid, pod)

    async def stop(self, *, keep_pods: bool) -> None:
        """Stop working; unless they are kept, end all pods' processes within their grace period (30 s at most)."""
        self._loop = None
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        if not keep_pods:
            await asyncio.gather(*(self._end(runner) for runner in self._runners.values()))

    @staticmethod
    async def _end(runner: PodRunner) -> None:
        grace = min(runner.pod["spec"]["terminationGracePeriodSeconds"], _SHUTDOWN_SECONDS)
        await asyncio.gather(*(_kill(process, grace) for process in _processes(runner.directory)))

    def observe(self, change: Change) -> None:
        """Take up pods bound to this node, end deleted ones."""
        if change.resource == "pods" and self._loop is not None:
            self._loop.call_soon(self._look, change.item["metadata"]["uid"], change.item, change.type == "DELETED")

    def _look(self, uid: str, pod: Object, gone: bool = False) -> None:
        if self._loop is None:
            return
        runner = self._runners.get(uid)
        if runner is None:
            if gone or pod["spec"].get("nodeName") != NAME:
                return
            present = self._assign_ports(pod)
            if present is None:
                return
            runner = self._runners[uid] = PodRunner(
                self._registry, self._recorder, self._images, self._directory / uid, present
            )
            self._tasks[uid] = asyncio.create_task(self._run(uid, runner))
        elif gone:
            runner.stop(0)
            if self._tasks[uid].done():
                self._tasks[uid] = asyncio.create_task(self._forget(uid, runner))
        elif "deletionTimestamp" in pod["metadata"]:
            runner.stop(pod["metadata"].get("deletionGracePeriodSeconds") or 0)

    def _assign_ports(self, pod: Object) -> Object | None:
        taken = {port for runner in self._runners.values() for port in ports.assigned(runner.pod).values()}
        try:
            return self._registry.store.change(
                "pods", pod["metadata"]["namespace"], pod["metadata"]["name"], lambda item: ports.assign(item, taken)
            )
        except ApiError:
            return None  # deleted meanwhile

    async def _run(self, uid: str, runner: PodRunner) -> None:
        try:
            await runner.run()
        except Exception:  # noqa: BLE001  one broken pod must not stop the others
            _log.exception("pod %s failed", uid)
            await _clear_processes(runner.directory)
            self._registry.set_status("pods", runner.pod, phase="Failed", reason="KubeletError")
        metadata = runner.pod["metadata"]
        present = self._registry.store.find("pods", metadata["namespace"], metadata["name"])
        if present is None or present["metadata"]["uid"] != uid:
            await self._forget(uid, runner)

    async def _forget(self, uid: str, runner: PodRunner) -> None:
        await self._clear(runner.directory)
        self._runners.pop(uid, None)
        self._tasks.pop(uid, None)

    async def _clear(self, directory: Path) -> None:
        await _clear_processes(directory)
        await asyncio.to_thread(shutil.rmtree, directory, ignore_errors=True)

    def container(self, pod: Object, name: str | None, *, previous: bool) -> Path:
        """The directory of a container's present (or previous) attempt, where its log is.

        Raises:
            ApiError: 400 when the container is not named, not known, or has not started.
        """
        spec, metadata = pod["spec"], pod["metadata"]
        names = [item["name"] for item in spec["containers"]]
        everything = names + [item["name"] for item in spec.get("initContainers") or ()]
        if not name and len(names) > 1:
            text = f"a container name must be specified for pod {metadata['name']}, choose one of: [{' '.join(names)}]"
            raise bad_request(text)
        name = name or names[0]
        if name not in everything:
            raise bad_request(f"container {name} is not valid for pod {metadata['name']}")
        directory: Path = self._directory / metadata["uid"] / "containers" / name
        attempts = sorted(int(path.parent.name) for path in directory.glob("[0-9]*/log"))
        if previous:
            attempts = attempts[:-1]
            if not attempts:
                raise bad_request(f'previous terminated container "{name}" in pod "{metadata["name"]}" not found')
        if not attempts:
            text = f'container "{name}" in pod "{metadata["name"]}" is waiting to start: ContainerCreating'
            raise bad_request(text)
        return directory / str(attempts[-1])


def _processes(directory: Path) -> list[Path]:
    """The attempts that have not ended, also those that have only just begun."""
    return [path for path in directory.glob("containers/*/*") if not (path / "exit").exists()]


async def _kill(directory: Path, grace: float) -> None:
    process = await Process.adopt(directory)
    if process is None:
        return
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), grace)
    except TimeoutError:
        process.kill()
        await process.wait()


async def _clear_processes(directory: Path) -> None:
    """Kill what still runs under a pod's directory."""
    await asyncio.gather(*(_kill(path, 0) for path in _processes(directory)))


def _machine() -> tuple[dict[str, Any], dict[str, str]]:
    """The node's status and labels."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    capacity = {"cpu": str(os.cpu_count() or 1), "memory": f"{memory // 1024}Ki", "pods": "110"}
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    now = timestamps.now()
    pressure = {"lastTransitionTime": now, "lastHeartbeatTime": now, "status": "False"}
    status = {
        "capacity": capacity,
        "allocatable": dict(capacity),
        "addresses": [{"type": "InternalIP", "address": ports.HOST}, {"type": "Hostname", "address": NAME}],
        "conditions": [
            *({"type": kind, **pressure} for kind in ("MemoryPressure", "DiskPressure", "PIDPressure")),
            {"type": "Ready", **pressure, "status": "True", "reason": "KubeletReady", "message": "processes are ready"},
        ],
        "nodeInfo": {
            "architecture": architecture,
            "operatingSystem": "linux",
            "osImage": platform.platform(),
            "kernelVersion": platform.release(),
            "kubeletVersion": "v1.32.0",
            "kubeProxyVersion": "v1.32.0",
            "containerRuntimeVersion": "process://1",
            "machineID": "",
            "systemUUID": "",
            "bootID": "",
        },
    }
    labels = {"kubernetes.io/hostname": NAME, "kubernetes.io/os": "linux", "kubernetes.io/arch": architecture}
    return status, labels
