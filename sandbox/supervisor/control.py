"""What a person asks of a sandbox: up, down, status, restart. The supervisor itself runs in the background."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any

from sandbox.endpoints import Endpoints
from sandbox.services import catalogue, chosen
from sandbox.supervisor import preflight, processes
from sandbox.supervisor.home import Home, Lock, read_json, write
from sandbox.supervisor.service import REPO, SandboxError, python, tail
from sandbox.supervisor.supervisor import MARK

ENVIRONMENTS = ("airflow", "trainer", "serving", "tuning", "sandbox")
_STOP_SECONDS = 120.0
_SHIM_SECONDS = 10.0  # for a container's parent to kill it and to write down how it ended
_RECENT_SECONDS = 60.0  # a heartbeat that `status` takes for a sign of life
_QUIET_SECONDS = 10.0  # after which `up` says what it waits for


@dataclass(frozen=True, kw_only=True)
class Report:
    """One service as `status` shows it."""

    name: str
    url: str
    healthy: bool
    pid: int | None
    phase: str
    restarts: int
    seconds: float | None
    log: str
    message: str


def up(names: list[str], *, say: Callable[[str], None]) -> None:
    """Start the sandbox (or only some services and what they need) and return when all of it is healthy.

    Raises:
        SandboxError: something is missing, busy or full, or a service fails for good.
    """
    home = Home.from_env()
    try:
        home.make()
    except OSError as error:
        raise SandboxError(f"{home.path} cannot be made: {error.strerror}; set FLIGHTLINE_HOME elsewhere") from error
    for environment in ENVIRONMENTS:
        python(environment)
    lock = Lock(home).take()
    if lock is None:
        _join(home, names, say=say)
        return
    try:
        leftovers = _sweep(home)
        if leftovers:
            say(f"ended {leftovers} processes that a killed supervisor had left behind")
        preflight.disk(home)
        preflight.layout(home)
        at = Endpoints.from_env()
        preflight.ports(chosen(at, names).values())
        write(home.path / "port", str(at.port))
        home.status.unlink(missing_ok=True)
        with home.log("supervisor").open("ab") as log:
            child = subprocess.Popen(
                (sys.executable, "-m", "sandbox", "supervise", str(lock), *names),
                cwd=REPO,
                env={**os.environ, "FLIGHTLINE_HOME": str(home.path), "FLIGHTLINE_PORT": str(at.port)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(lock,),
                start_new_session=True,
            )
    finally:
        os.close(lock)
    _follow(home, alive=lambda: child.poll() is None, say=say)


def down(*, say: Callable[[str], None]) -> None:
    """Stop everything. Raises SandboxError if something will not stop."""
    home = Home.from_env()
    if not home.path.exists():
        say("nothing runs")
        return
    supervisor = None
    deadline = time.monotonic() + _STOP_SECONDS
    while (lock := Lock(home).take()) is None:
        if supervisor is None and (supervisor := Lock(home).holder()):  # an `up` may be about to start it
            os.kill(supervisor, signal.SIGTERM)
        if time.monotonic() > deadline:
            raise SandboxError(f"the supervisor (pid {supervisor}) does not stop; see {home.log('supervisor')}")
        time.sleep(0.05)
    try:
        leftovers = _sweep(home)
    finally:
        os.close(lock)
    say("down; the data stay in " + str(home.path) if supervisor or leftovers else "nothing runs")


def status() -> list[Report]:
    """Every service that the supervisor runs, probed now."""
    home = Home.from_env()
    states = _states(home)
    services = catalogue(Endpoints.from_env()) if states else {}
    recently, supervised = time.time() - _RECENT_SECONDS, Lock(home).holder() is not None

    def probe(state: dict[str, Any]) -> Report:
        alive = bool(state["pid"]) and processes.alive(state["pid"], state["started"])
        done = state["phase"] == "done"
        healthy = done or (alive and state["phase"] == "ready" and services[state["name"]].ready(recently))
        kept = ("name", "url", "restarts", "seconds", "log", "message")
        phase = state["phase"] if supervised or alive or done else "stopped"
        return Report(healthy=healthy, pid=state["pid"] if alive else None, phase=phase, **{k: state[k] for k in kept})

    with ThreadPoolExecutor(max_workers=16) as pool:
        return list(pool.map(probe, states))


def restart(name: str, *, say: Callable[[str], None]) -> None:
    """Let the supervisor restart a service. Raises SandboxError if it does not come back."""
    home = Home.from_env()
    supervisor = Lock(home).holder()
    if not supervisor:
        raise SandboxError("the sandbox is down; `python -m sandbox up` starts it")
    lives = {state["name"]: state["lives"] for state in _states(home)}
    if name not in lives:
        raise SandboxError(f"there is no service {name!r}; there are: {', '.join(lives)}")
    home.restart(name).touch()
    os.kill(supervisor, signal.SIGHUP)
    _follow(home, alive=lambda: Lock(home).holder() is not None, say=say, only=name, old={name: lives[name]})


def _join(home: Home, names: list[str], *, say: Callable[[str], None]) -> None:
    """`up` on a sandbox that is up: start again what has failed for good or is silent, and wait like the first `up`."""
    recorded, asked = home.port({}), home.port()
    if recorded != asked:
        raise SandboxError(f"the sandbox in {home.path} is up on base port {recorded}; take it down before {asked}")
    say("the sandbox is already up")
    failed: dict[str, int] = {}
    if supervisor := Lock(home).holder():
        silent = {report.name for report in status() if report.phase == "ready" and not report.healthy}
        failed = {
            state["name"]: state["lives"]
            for state in _states(home)
            if state["phase"] == "failed" or state["name"] in silent
        }
        for name in failed:
            home.restart(name).touch()
        for name in sorted(silent):
            say(f"  {name:<14} is silent: it is restarted")
        os.kill(supervisor, signal.SIGHUP)
    _follow(home, alive=Lock(home).held, say=say, old=failed, settled=True)
    missing = set(chosen(Endpoints.from_env(), names)) - {report.name for report in status()}
    if missing:
        raise SandboxError(f"it was started without {', '.join(sorted(missing))}; take it down first")


def _follow(
    home: Home,
    *,
    alive: Callable[[], bool],
    say: Callable[[str], None],
    only: str | None = None,
    old: Mapping[str, int] = MappingProxyType({}),
    settled: bool = False,
) -> None:
    """Tell what happens until all services (or `only` one) are ready.

    Args:
        home: whose status file to read.
        alive: whether there still is somebody to wait for.
        say: where lines go.
        only: the service to wait for.
        old: the lives of services that do not count any more.
        settled: leave out what was ready from the start.
    """
    shown: dict[str, str] = {}
    begun = quiet_since = time.monotonic()
    while True:
        living = alive()
        states = [
            state | {"phase": "waiting"} if state["lives"] <= old.get(state["name"], -1) else state
            for state in _states(home)
            if only in {None, state["name"]}
        ]
        for state in states:
            line = _line(state)
            if line and shown.get(state["name"]) != line and not (settled and state["name"] not in shown):
                say(line)
                quiet_since = time.monotonic()
            shown[state["name"]] = line
        settled = False
        failed = [state for state in states if state["phase"] == "failed"]
        if failed:
            raise SandboxError(_failure(failed[0]))
        open_ones = [state["name"] for state in states if state["phase"] not in {"ready", "done"}]
        if states and not open_ones:
            return
        if not living:
            raise SandboxError(f"the supervisor ended; {home.log('supervisor')} ends:\n{tail(home.log('supervisor'))}")
        if time.monotonic() - quiet_since > _QUIET_SECONDS:
            say(f"  ... {time.monotonic() - begun:.0f} s, waiting for {', '.join(open_ones) or 'the supervisor'}")
            quiet_since = time.monotonic()
        time.sleep(0.1)


def _line(state: dict[str, Any]) -> str:
    name, phase = state["name"], state["phase"]
    if phase in {"ready", "done"}:
        return f"  {name:<14} {phase:<6} {state['seconds']:5.1f} s  {state['url']}".rstrip()
    return f"  {name:<14} {phase}: {state['message']}" if phase == "restarting" else ""


def _failure(state: dict[str, Any]) -> str:
    return (
        f"{state['name']} failed: {state['message']}; {state['log']} ends:\n{tail(Path(state['log']))}\n"
        f"mend that and say `python -m sandbox restart {state['name']}`"
    )


def remains(home: Home) -> list[processes.Process]:
    """Processes that the status file, the mark in their environment or their command gives away as this sandbox's.

    Some programs overwrite their environment, so both are asked. A session's number is not used again while it has
    members: where the recorded leader is gone, they are ours all the same.
    """
    found = {*processes.marked(MARK, str(home.path)), *_shims(home)}
    for state in _states(home):
        leader = processes.look(state["pid"]) if state["pid"] else None
        if state["pid"] and (leader is None or leader.started == state["started"]):
            found |= set(processes.in_session(state["pid"]))
    return [process for process in found if process.pid != os.getpid()]


def _shims(home: Home) -> list[processes.Process]:
    """The parents of the cluster's containers: in sessions of their own and without our mark, so that they outlive it.

    `shim.py` is followed by the directory of its container.
    """
    pods = f"{home.path}/cluster/pods/"
    return [
        process
        for process in processes.everyone()
        if any(word.endswith("/shim.py") and at.startswith(pods) for word, at in pairwise(processes.words(process.pid)))
    ]


def _sweep(home: Home) -> int:
    """End what a killed supervisor left behind; PostgreSQL last, and in its own way. Returns how many there were.

    Raises:
        SandboxError: something will not end.
    """
    try:
        _states(home)
    except SandboxError:
        home.status.unlink()  # nobody writes it any more, and the marks tell almost everything
    left = remains(home)
    states = {state["pid"]: state for state in _states(home) if state["pid"]}
    database = [process for process in left if states.get(process.pid, {}).get("name") == "postgres"]
    leaders = [process for process in left if process.pid in states and process not in database]
    patience = max((state.get("grace_seconds", 0) for state in states.values()), default=0)
    processes.end(leaders, grace_seconds=patience)
    # What the cluster could not end itself: its containers, each by its parent, which kills all of its descendants.
    processes.end(_shims(home), first=signal.SIGUSR1, grace_seconds=_SHIM_SECONDS)
    processes.end((process for process in remains(home) if process not in database), grace_seconds=0)
    processes.end(database, first=signal.SIGINT, grace_seconds=patience)
    if stubborn := remains(home):
        raise SandboxError(f"these processes do not end: {' '.join(str(process.pid) for process in stubborn)}")
    return len(left)


def _states(home: Home) -> list[dict[str, Any]]:
    """What the supervisor wrote about its services; nothing before its first start.

    Raises:
        SandboxError: the file is damaged.
    """
    try:
        return list((read_json(home.status) or {"services": []})["services"])
    except (ValueError, TypeError, KeyError) as error:
        remedy = "`make down` and `make up` write it anew"
        raise SandboxError(f"{home.status} is damaged ({error}); {remedy}") from error
