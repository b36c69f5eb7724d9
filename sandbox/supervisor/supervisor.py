"""Keeps the services running: starts them in order, restarts those that die, stops them in reverse order."""

import json
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace

from sandbox.supervisor import processes
from sandbox.supervisor.home import Home, Lock, write
from sandbox.supervisor.service import SandboxError, Service, start

MARK = "FLIGHTLINE_SANDBOX"
LOW_DISK_BYTES = 200 << 20
_QUICK_SECONDS = 30.0  # a service that was ready for less than this has failed to start
_BACK_OFF_SECONDS = (0.0, 1.0, 2.0, 4.0)
_READY_SECONDS = 300.0
_LISTEN_SECONDS = 2.0  # between two looks for a sign of life


@dataclass(frozen=True, kw_only=True)
class State:
    """What the supervisor knows about a service.

    `phase` is waiting (for others), starting, ready, ending, done (ran once), restarting, failed or stopped.
    `started` are clock ticks since boot (see `processes.Process`), `seconds` from start to ready, `grace_seconds` what
    it may take to end, `restarts` those after a death, `lives` also those by hand.
    """

    name: str
    url: str
    log: str
    phase: str = "waiting"
    pid: int | None = None
    started: int | None = None
    stop_signal: int = signal.SIGTERM
    grace_seconds: float = 10.0
    seconds: float | None = None
    restarts: int = 0
    lives: int = 0
    message: str = ""


class Supervisor:
    """All services of one sandbox, each kept by a thread of its own."""

    def __init__(self, home: Home, services: Mapping[str, Service]) -> None:
        self._home = home
        self._changed = threading.Lock()
        self._halt = threading.Event()
        self._keepers = {name: Keeper(self, home, service) for name, service in services.items()}

    def run(self) -> None:
        """Run until SIGTERM or SIGINT.

        SIGHUP restarts the services that are asked for by a file, or else those that have failed for good.
        """
        processes.adopt_orphans()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._halt.set())
        signal.signal(signal.SIGHUP, lambda *_: self._restart())
        self._asked()  # of a supervisor before this one
        Lock(self._home).sign()  # from now on signals are understood
        self.publish()
        for keeper in self._keepers.values():
            keeper.start()
        before: set[processes.Process] = set()
        while not self._halt.wait(1):
            found = processes.dead_orphans(keeper.state.pid for keeper in self._keepers.values() if keeper.state.pid)
            processes.reap(found & before)  # one that has just been started may not be in its keeper's state yet
            before = found - before
        self._stop()

    def phase(self, name: str) -> str:
        """The phase of a service."""
        return self._keepers[name].state.phase

    def publish(self) -> None:
        """Write what is known to the status file."""
        me = processes.look(os.getpid())
        with self._changed:
            status = {
                "supervisor": {"pid": os.getpid(), "started": me.started if me else 0},
                "services": [asdict(keeper.state) for keeper in self._keepers.values()],
            }
            with suppress(OSError):  # on a full disk the last status stays
                write(self._home.status, json.dumps(status, indent=1))

    def _restart(self) -> None:
        failed = [keeper for keeper in self._keepers.values() if keeper.state.phase == "failed"]
        for keeper in self._asked() or failed:
            keeper.interrupt.set()

    def _asked(self) -> list["Keeper"]:
        """Take the files that ask for a restart."""
        asked = []
        for name, keeper in self._keepers.items():
            with suppress(FileNotFoundError):
                self._home.restart(name).unlink()
                asked.append(keeper)
        return asked

    def _stop(self) -> None:
        """Stop each service after those that need it or are outlived by it, and then whatever they left behind."""
        left = dict(self._keepers)
        while left:
            held = {name for keeper in left.values() for name in (*keeper.service.needs, *keeper.service.outlived_by)}
            batch = [keeper for name, keeper in left.items() if name not in held]
            for keeper in batch:
                keeper.stop()
            for keeper in batch:
                keeper.join()
                del left[keeper.service.name]
        processes.end(processes.descendants(os.getpid()), grace_seconds=5)
        processes.reap(processes.dead_orphans(()))


class Keeper(threading.Thread):
    """Keeps one service running until it is stopped. `interrupt` ends a life, or the rest before one, at once."""

    def __init__(self, supervisor: Supervisor, home: Home, service: Service) -> None:
        super().__init__(name=service.name, daemon=True)
        self.service = replace(service, env={**service.env, MARK: str(home.path)})
        self.interrupt = threading.Event()
        self._halt = threading.Event()
        self.state = State(
            name=service.name,
            url=service.url,
            log=str(home.log(service.name)),
            stop_signal=service.stop_signal,
            grace_seconds=service.grace_seconds,
        )
        self._ready_since: float | None = None
        self._supervisor = supervisor
        self._home = home

    def stop(self) -> None:
        """End for good."""
        self._halt.set()
        self.interrupt.set()

    def run(self) -> None:
        """Start, watch, restart with growing pauses, give up after several quick deaths in a row."""
        deaths = 0
        while self._needs_are_ready():
            self._ready_since = None
            self._set(phase="starting", lives=self.state.lives + 1, message="")
            silent = False
            try:
                self._live()
            except SilentError as error:
                silent = True
                self._set(message=str(error))
            except Exception as error:  # noqa: BLE001 (whatever a step raises, the service must be kept)
                self._set(message=f"{str(error) or repr(error)}{self._disk()}")
            lasted = self._ready_seconds() > _QUICK_SECONDS
            deaths = 1 if lasted or silent else deaths + 1  # one that was ready and hangs has not failed to start
            pause = None
            if self.state.phase != "done" and not self.interrupt.is_set():
                if deaths <= len(_BACK_OFF_SECONDS):
                    pause = _BACK_OFF_SECONDS[deaths - 1]
                    self._set(phase="restarting", restarts=self.state.restarts + 1)
                else:
                    self._set(phase="failed")
            if self.interrupt.wait(pause):  # by hand: what was before does not count
                deaths = 0
        if self.state.phase != "done":
            self._set(phase="stopped", message="")

    def _needs_are_ready(self) -> bool:
        self.interrupt.clear()
        while any(self._supervisor.phase(name) not in {"ready", "done"} for name in self.service.needs):
            if self._halt.wait(0.05):
                return False
        return not self._halt.is_set()

    def _ready_seconds(self) -> float:
        """For how long this life has been ready."""
        return time.monotonic() - self._ready_since if self._ready_since is not None else 0.0

    def _live(self) -> None:
        """One life of the process, from start to end; whatever ends it, nothing of its session is left."""
        since, clock = time.time(), time.monotonic()
        process = start(self.service, log=self._home.log(self.service.name))
        silence = Silence(self.service, process.pid)
        try:
            seen = processes.look(process.pid)
            self._set(pid=process.pid, started=seen.started if seen else None)
            while process.poll() is None and not self.interrupt.is_set():
                if self.state.phase == "starting" and self.service.ready(since):
                    self.service.bootstrap()
                    self._ready_since = time.monotonic()
                    self._set(phase="ready", seconds=self._ready_since - clock)
                elif self.state.phase == "starting" and time.monotonic() - clock > _READY_SECONDS:
                    raise SandboxError(f"it did not become ready in {_READY_SECONDS:.0f} s")
                elif self.state.phase == "ready":
                    silence.listen()
                self.interrupt.wait(0.05 if self.state.phase == "starting" else 0.2)
            if self.interrupt.is_set():
                return
            if self.service.once and process.returncode == 0:
                self._set(phase="done", seconds=time.monotonic() - clock)
            else:
                raise SandboxError(f"it ended with {_cause(process.returncode)}")
        finally:
            self._end(process)

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        if self.state.phase != "done":
            self._set(phase="ending")
        if process.poll() is None:
            process.send_signal(self.service.stop_signal)
            with suppress(subprocess.TimeoutExpired):
                process.wait(self.service.grace_seconds)
        processes.end(processes.in_session(process.pid), grace_seconds=0)
        process.wait()
        self._set(pid=None, started=None)

    def _set(self, **changes: object) -> None:
        self.state = replace(self.state, **changes)  # type: ignore[arg-type]
        self._supervisor.publish()

    def _disk(self) -> str:
        free = shutil.disk_usage(self._home.path).free
        return f"; the disk of {self._home.path} is full ({free >> 20} MB free)" if free < LOW_DISK_BYTES else ""


class SilentError(SandboxError):
    """A service's process lives, but the service does not."""


class Silence:
    """How long a service has shown no sign of life. A look that cannot tell ends it: the fault lies elsewhere."""

    def __init__(self, service: Service, pid: int) -> None:
        self._service, self._pid = service, pid
        self._next = 0.0
        self._since: float | None = None
        self._ticks: int | None = None
        self._idle_since = 0.0

    def listen(self) -> None:
        """Look for a sign of life, every two seconds.

        Raises:
            SilentError: there was none for the service's `silent_seconds`, or its `hung_seconds` if it was idle too.
        """
        now = time.monotonic()
        if now < self._next:
            return
        beats = self._service.beats
        silent = (beats() if beats else self._service.ready(0)) is False
        now = time.monotonic()
        self._next = now + _LISTEN_SECONDS
        self._since = (self._since or now) if silent else None
        if (ticks := processes.main_thread_ticks(self._pid)) != self._ticks or ticks is None:
            self._ticks, self._idle_since = ticks, now
        if self._since is None:
            return
        silent_for, hung_for = now - self._since, now - max(self._since, self._idle_since)
        if silent_for >= self._service.silent_seconds or hung_for >= self._service.hung_seconds:
            raise SilentError(f"its process lives, but showed no sign of life for {silent_for:.0f} s")


def _cause(code: int) -> str:
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name
