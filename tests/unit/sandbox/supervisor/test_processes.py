"""What /proc tells, on processes that the test starts."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from sandbox.supervisor import processes

IGNORES_TERM = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"
)
PARENT = "import subprocess, sys, time; p = subprocess.Popen(['sleep', '60']); print(p.pid, flush=True); time.sleep(60)"


@contextmanager
def python(code: str, **env: str) -> Iterator[subprocess.Popen[str]]:
    """A process in its own session that has printed its first line; killed with its session at the end."""
    process = subprocess.Popen(
        (sys.executable, "-c", code),
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, **env},
    )
    try:
        yield process
    finally:
        for one in processes.in_session(process.pid):
            os.kill(one.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()


def test_a_process_is_found_with_its_descendants_session_and_mark() -> None:
    with python(PARENT, FLIGHTLINE_TEST="a b") as parent:
        child = int(parent.stdout.readline())
        assert processes.look(child).parent == parent.pid
        assert {one.pid for one in processes.descendants(os.getpid())} >= {parent.pid, child}
        assert {one.pid for one in processes.in_session(parent.pid)} == {parent.pid, child}
        deadline = time.monotonic() + 10  # a program that has just begun has no environment for a moment
        while (found := {one.pid for one in processes.marked("FLIGHTLINE_TEST", "a b")}) != {parent.pid, child}:
            assert time.monotonic() < deadline, found
        assert processes.marked("FLIGHTLINE_TEST", "a") == []


def test_a_reused_pid_is_another_process() -> None:
    me = processes.look(os.getpid())
    assert processes.alive(me.pid, me.started)
    assert not processes.alive(me.pid, me.started + 1)


def test_a_zombie_is_not_alive() -> None:
    process = subprocess.Popen(["true"])
    deadline = time.monotonic() + 5
    while not (seen := processes.look(process.pid)).zombie and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not processes.alive(seen.pid, seen.started)
    process.wait()
    assert processes.look(process.pid) is None


@pytest.mark.parametrize(
    ("code", "expected"), [("import time; print(1, flush=True); time.sleep(60)", -15), (IGNORES_TERM, -9)]
)
def test_end_asks_first_and_kills_then(code, expected) -> None:
    with python(code) as process:
        process.stdout.readline()
        processes.end([processes.look(process.pid)], grace_seconds=0.3)
        assert process.wait(5) == expected


def test_the_listener_of_a_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert ("0100007F", port) in processes.listeners().values()
        assert f"pid {os.getpid()} " in processes.listener(port)


ADOPTING = """
import os, subprocess, sys, time
from sandbox.supervisor import processes
processes.adopt_orphans()
helper = subprocess.Popen(["true"])
service = subprocess.Popen(["true"], start_new_session=True)
orphan = "import os; print(os.posix_spawnp('true', ['true'], os.environ, setsid=True))"
pid = int(subprocess.run([sys.executable, "-c", orphan], capture_output=True, check=True).stdout)
while not all(processes.look(one).zombie for one in (helper.pid, service.pid, pid)):
    time.sleep(0.01)
dead = processes.dead_orphans([service.pid])
print([one.pid == pid for one in dead])
processes.reap(dead)
print(processes.look(pid), helper.wait(), service.wait())
"""


def test_only_adopted_zombies_are_reaped() -> None:
    done = subprocess.run((sys.executable, "-c", ADOPTING), capture_output=True, text=True, timeout=20, check=True)
    assert done.stdout == "[True]\nNone 0 0\n"
