"""The cluster's end of a container: start a shim, find a running one again, wait for it, signal it."""

import asyncio
import os
import signal
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

_SHIM = Path(__file__).with_name("shim.py")
_START_SECONDS = 10.0
_POLL_SECONDS = 0.005


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a shim is to run; `memory` is the limit in bytes, 0 for none."""

    command: list[str]
    env: Mapping[str, str] = field(default_factory=dict)
    workdir: str = "/"
    memory: int = 0


@dataclass(frozen=True, kw_only=True)
class Record:
    """How an attempt ended; times in seconds since the epoch, `reason` and `message` empty where nothing is special."""

    code: int
    signal: int = 0
    started: float
    finished: float
    reason: str = ""
    message: str = ""


class Process:
    """One attempt at one container. Its directory holds `pid`, `log` and, once it has ended, `exit`."""

    def __init__(self, directory: Path, shim: int | None, started: float) -> None:
        self.directory = directory
        self.started = started
        self._shim = shim

    @classmethod
    async def start(cls, directory: Path, order: Order) -> "Process":
        """Start a shim in the directory (created here) and return when the container runs or could not."""
        directory.mkdir(parents=True, mode=0o700)
        with tempfile.TemporaryFile() as stdin:
            for name, value in order.env.items():
                stdin.write(os.fsencode(f"{name}={value}\0"))
            stdin.seek(0)
            actions = [
                (os.POSIX_SPAWN_DUP2, stdin.fileno(), 0),
                (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
                (os.POSIX_SPAWN_OPEN, 2, str(directory / "shim.err"), os.O_CREAT | os.O_WRONLY, 0o600),
            ]
            words = (str(_SHIM), str(directory), str(order.memory), order.workdir, *order.command)
            argv = [sys.executable, "-I", "-S", *words]
            shim = os.posix_spawn(sys.executable, argv, {}, file_actions=actions, setsid=True)
        return await cls.adopt(directory) or cls(directory, shim, 0.0)

    @classmethod
    async def adopt(cls, directory: Path) -> "Process | None":
        """Find the attempt again, whether it runs or has ended; None when it never began (and now never will)."""
        for _ in range(int(_START_SECONDS / _POLL_SECONDS)):
            try:
                parts = (directory / "pid").read_text().split()
            except FileNotFoundError:
                parts = []
            if parts:
                return cls(directory, int(parts[0]), float(parts[2]))
            if (directory / "exit").exists():
                return cls(directory, None, 0.0)
            await asyncio.sleep(_POLL_SECONDS)
        try:
            os.close(os.open(directory / "pid", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError:
            return cls(directory, None, 0.0)  # the shim died between its claim and its first line
        return None

    @property
    def running(self) -> bool:
        """Whether the shim lives. A pid that was given to another process since does not count."""
        if self._shim is None or (self.directory / "exit").exists():
            return False
        try:
            command = Path(f"/proc/{self._shim}/cmdline").read_bytes().split(b"\0")
        except OSError:
            return False
        return str(self.directory).encode() in command

    async def wait(self) -> Record:
        """The exit record, as soon as there is one."""
        if self.running and self._shim is not None:
            try:
                descriptor = os.pidfd_open(self._shim)
            except ProcessLookupError:
                return self._record()
            try:
                await _readable(descriptor)
                os.waitid(os.P_PIDFD, descriptor, os.WEXITED)
            except ChildProcessError:
                pass  # started by an earlier run of the cluster: somebody else reaps it
            finally:
                os.close(descriptor)
        return self._record()

    def _record(self) -> Record:
        try:
            head, _, message = (self.directory / "exit").read_text().partition("\n")
        except FileNotFoundError:
            return Record(
                code=137,
                started=self.started,
                finished=time.time(),
                reason="ContainerStatusUnknown",
                message="The container could not be located when the pod was terminated",
            )
        code, number, started, finished, reason = head.split(" ")
        return Record(
            code=int(code),
            signal=int(number),
            started=float(started),
            finished=float(finished),
            reason=reason,
            message=message,
        )

    def terminate(self) -> None:
        """Ask the main process to end (SIGTERM)."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """Kill every process of the container."""
        self._signal(signal.SIGUSR1)

    def _signal(self, number: int) -> None:
        if self.running and self._shim is not None:
            try:
                os.kill(self._shim, number)
            except ProcessLookupError:
                return


async def _readable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    future: asyncio.Future[None] = loop.create_future()
    loop.add_reader(descriptor, _finish, future)
    try:
        await future
    finally:
        loop.remove_reader(descriptor)


def _finish(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)
