"""What `/proc` tells about processes: who descends from whom, who carries our mark, who listens where. Linux only."""

import ctypes
import os
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_PR_SET_CHILD_SUBREAPER = 36
_LISTEN = "0A"


@dataclass(frozen=True)
class Process:
    """One process. `started` (clock ticks since boot) tells it from a later one with the same pid."""

    pid: int
    parent: int
    session: int
    started: int
    zombie: bool


def look(pid: int) -> Process | None:
    """The process with that pid, None if there is none (a zombie is one)."""
    try:
        text = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name, field 2, is in parentheses and may hold spaces and parentheses itself; see proc_pid_stat(5).
    state, *numbers = text.rpartition(")")[2].split()
    return Process(pid, int(numbers[0]), int(numbers[2]), int(numbers[18]), zombie=state == "Z")


def main_thread_ticks(pid: int) -> int | None:
    """Processor time that the main thread has used, in clock ticks; None while it waits for a processor or a disk."""
    try:
        text = (_PROC / str(pid) / "task" / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, *numbers = text.rpartition(")")[2].split()
    return None if state in {"R", "D"} else int(numbers[10]) + int(numbers[11])


def everyone() -> Iterator[Process]:
    """All processes of the machine."""
    for entry in _PROC.iterdir():
        if entry.name.isdigit() and (process := look(int(entry.name))):
            yield process


def alive(pid: int, started: int) -> bool:
    """Whether that very process still runs."""
    process = look(pid)
    return process is not None and process.started == started and not process.zombie


def descendants(root: int) -> list[Process]:
    """Children of `root`, their children, and so on; zombies left out."""
    processes = list(everyone())
    found, parents = [], {root}
    while parents:
        born = [process for process in processes if process.parent in parents]
        found += born
        parents = {process.pid for process in born}
    return [process for process in found if not process.zombie]


def in_session(session: int) -> list[Process]:
    """Processes of a session, zombies left out; a session outlives its leader."""
    return [process for process in everyone() if process.session == session and not process.zombie]


def words(pid: int) -> list[str]:
    """The command line of a process; empty when it is gone or a zombie."""
    try:
        line = (_PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return []
    return [word.decode(errors="replace") for word in line.split(b"\0")[:-1]]


def marked(name: str, value: str) -> list[Process]:
    """Processes that were started with the environment variable `name` set to `value`, zombies left out."""
    wanted = f"{name}={value}".encode()
    found = []
    for process in everyone():
        with suppress(OSError):  # gone, or another user's
            environ = (_PROC / str(process.pid) / "environ").read_bytes()
            if wanted in environ.split(b"\0") and not process.zombie:
                found.append(process)
    return found


def end(processes: Iterable[Process], *, grace_seconds: float, first: signal.Signals = signal.SIGTERM) -> None:
    """Ask the processes to end, and kill those that are still there after `grace_seconds`."""
    remaining = list(processes)
    for number, patience in ((first, grace_seconds), (signal.SIGKILL, 5.0)):
        for process in remaining:
            if alive(process.pid, process.started):
                with suppress(ProcessLookupError):
                    os.kill(process.pid, number)
        deadline = time.monotonic() + patience
        while remaining and time.monotonic() < deadline:
            remaining = [process for process in remaining if alive(process.pid, process.started)]
            time.sleep(0.02)


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent dies, so that none escapes (Linux's "subreaper")."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def dead_orphans(own: Iterable[int]) -> set[Process]:
    """Zombies that were adopted and nobody waits for.

    Not those in `own`, nor any in our own session: those are helpers whose exit code somebody is about to read.
    """
    known, me = set(own), os.getpid()
    session = os.getsid(me)
    return {
        process
        for process in everyone()
        if process.zombie and process.parent == me and process.session != session and process.pid not in known
    }


def reap(zombies: Iterable[Process]) -> None:
    """Let go of them."""
    for zombie in zombies:
        with suppress(ChildProcessError):
            os.waitpid(zombie.pid, os.WNOHANG)


def listeners() -> dict[int, tuple[str, int]]:
    """TCP sockets that listen: inode to (hexadecimal address, port)."""
    found = {}
    for table in ("tcp", "tcp6"):
        with suppress(FileNotFoundError):
            for line in (_PROC / "net" / table).read_text(encoding="ascii").splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTEN:
                    address, port = fields[1].split(":")
                    found[int(fields[9])] = (address, int(port, 16))
    return found


def sockets(pid: int) -> set[int]:
    """Inodes of a process's open sockets; empty when it is another user's."""
    found = set()
    with suppress(OSError):
        for entry in (_PROC / str(pid) / "fd").iterdir():
            with suppress(OSError):
                target = str(entry.readlink())
                if target.startswith("socket:["):
                    found.add(int(target[8:-1]))
    return found


def listener(port: int) -> str:
    """Who listens on a port, in words."""
    inodes = {inode for inode, (_, number) in listeners().items() if number == port}
    for process in everyone():
        if inodes & sockets(process.pid):
            return f"pid {process.pid} ({' '.join(words(process.pid))[:80]})"
    return "another user's process"
