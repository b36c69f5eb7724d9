"""A service: one long-running process, what it needs, and how to tell that it answers. Standard library only."""

import errno
import os
import secrets
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path

_LONGEST_LOG = 50 << 20
REPO = Path(__file__).parents[2]


class SandboxError(Exception):
    """Something a person must mend; the message names it and the remedy."""


def nothing() -> None:
    """The default of a service's steps."""


def never(_since: float) -> bool:
    """The `ready` of a service that runs once."""
    return False


@dataclass(frozen=True, kw_only=True)
class Service:
    """One process of the sandbox.

    `prepare` runs before every start and must be quick and repeatable; `ready` says whether the process that was
    started at that time (seconds since 1970) answers; `bootstrap` runs once it does, before others that need it
    start, and must be repeatable too. `beats` says whether a ready service still shows signs of life (by default:
    whether `ready` still holds), None where that is unknown now; one that shows none for `silent_seconds` is
    restarted, though its process lives; after `hung_seconds` already if its main thread uses no processor time
    either: a busy process is late, a hung one does nothing. A service with `once` is ready when it has ended without
    error. Services in `needs` are ready before this one starts; those and the ones in `outlived_by` are stopped
    after it.
    """

    name: str
    command: tuple[str, ...]
    ready: Callable[[float], bool]
    url: str = ""
    ports: tuple[int, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    outlived_by: tuple[str, ...] = ()
    once: bool = False
    beats: Callable[[], bool | None] | None = None
    silent_seconds: float = 60.0
    hung_seconds: float = 60.0
    prepare: Callable[[], None] = nothing
    bootstrap: Callable[[], None] = nothing
    stop_signal: signal.Signals = signal.SIGTERM
    grace_seconds: float = 10.0


def python(env: str) -> Path:
    """The interpreter of one of the project's environments. Raises SandboxError if it is missing."""
    path = REPO / ".venv" / env / "bin" / "python"
    if not path.exists():
        raise SandboxError(f"the environment {path.parents[1]} is missing; `make setup` makes it")
    return path


def answers(url: str, _since: float = 0) -> bool:
    """Whether a GET of `url` is answered with 2xx."""
    try:
        with urllib.request.urlopen(url, timeout=2) as response:  # noqa: S310 (our own http URLs)
            return bool(200 <= response.status < 300)
    except (OSError, HTTPException):  # not there, or gone in the middle of its answer
        return False


def free_ports(count: int) -> list[int]:
    """`count` consecutive TCP ports of 127.0.0.1 that were free a moment ago.

    They lie below those that Linux gives to outgoing connections (from 32768 on), so none of these comes in between;
    so do the ports 10,000 above, which SeaweedFS uses as well and which were free too.
    """
    while True:
        first = 12_000 + secrets.randbelow(10_000)
        ports = list(range(first, first + count))
        try:
            with ExitStack() as held:
                for port in (*ports, *(port + 10_000 for port in ports)):
                    held.enter_context(socket.create_server(("127.0.0.1", port)))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
        else:
            return ports


def environment(service: Service) -> dict[str, str]:
    """What the process sees: the service's own variables over the few that any program needs, nothing else.

    A user's AIRFLOW__*, AWS_* or proxy settings must not leak into the sandbox.
    """
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "USER")
    inherited = {name: os.environ[name] for name in kept if name in os.environ}
    return {**inherited, "TZ": "UTC", "PYTHONUNBUFFERED": "1", **service.env}


def start(service: Service, *, log: Path, cwd: Path = REPO) -> subprocess.Popen[bytes]:
    """Prepare and start the process in its own session, output appended to `log`."""
    service.prepare()
    if log.exists() and log.stat().st_size > _LONGEST_LOG:
        log.replace(log.with_suffix(".old"))
    with log.open("ab") as output:
        return subprocess.Popen(
            service.command,
            cwd=cwd,
            env=environment(service),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def tail(log: Path, *, lines: int = 15) -> str:
    """The end of a log."""
    text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    return "\n".join(text.splitlines()[-lines:])


@contextmanager
def running(service: Service, *, log: Path, timeout_seconds: float = 60) -> Iterator[subprocess.Popen[bytes]]:
    """Run one service by itself for a while: started, ready and bootstrapped inside the block, gone after it.

    Raises:
        SandboxError: the process died or did not become ready in time (the message holds the end of its log).
    """
    process = start(service, log=log)
    try:
        since, deadline = time.time(), time.monotonic() + timeout_seconds
        while not service.ready(since):
            if process.poll() is not None or time.monotonic() > deadline:
                raise SandboxError(f"{service.name} is not ready (exit {process.poll()}), its log ends:\n{tail(log)}")
            time.sleep(0.02)
        service.bootstrap()
        yield process
    finally:
        process.send_signal(service.stop_signal)
        try:
            process.wait(service.grace_seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
