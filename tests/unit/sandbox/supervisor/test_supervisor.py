"""The supervisor on small processes of the test's own: order, restarts, giving up, stopping without a trace."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sandbox.supervisor import control, processes, supervisor
from sandbox.supervisor.service import SandboxError, Service, never
from sandbox.supervisor.supervisor import MARK

# A supervisor whose services are Python snippets; each is ready when it has made the file that is named after it.
DRIVER = """
import json, sys
from pathlib import Path
from sandbox.supervisor import supervisor
from sandbox.supervisor.home import Home, Lock
from sandbox.supervisor.service import Service
supervisor._BACK_OFF_SECONDS = (0.0, 0.1, 0.1, 0.1)
supervisor._LISTEN_SECONDS = 0.1
home = Home(Path(sys.argv[1]))
home.make()
lock = Lock(home).take()
services = {}
for spec in json.loads(sys.argv[2]):
    name, code = spec.pop("name"), "from pathlib import Path\\n" + spec.pop("code")
    mark = home.path / f"{name}.up"
    spec = {key: tuple(value) if isinstance(value, list) else value for key, value in spec.items()}
    def prepare(mark=mark):
        mark.unlink(missing_ok=True)
    def ready(_since, mark=mark):
        return mark.exists()
    command = (sys.executable, "-c", code.replace("UP()", f"Path({str(mark)!r}).touch()"))
    services[name] = Service(name=name, command=command, ready=ready, prepare=prepare, **spec)
supervisor.Supervisor(home, services).run()
"""
SERVE = "UP()\nimport time\ntime.sleep(600)"


class Running:
    """A supervisor in another process, seen through its status file."""

    def __init__(self, home: Path, process: subprocess.Popen[bytes]) -> None:
        self.home, self.process = home, process

    def services(self) -> dict[str, dict[str, Any]]:
        file = self.home / "status.json"
        return {one["name"]: one for one in json.loads(file.read_text())["services"]} if file.exists() else {}

    def wait(self, condition: Callable[[dict[str, dict[str, Any]]], bool], *, seconds: float = 20) -> dict[str, Any]:
        deadline = time.monotonic() + seconds
        while not ((services := self.services()) and condition(services)):
            assert time.monotonic() < deadline, services
            time.sleep(0.02)
        return services


@contextmanager
def supervised(home: Path, *services: dict[str, Any]) -> Iterator[Running]:
    process = subprocess.Popen((sys.executable, "-c", DRIVER, str(home), json.dumps(services)), start_new_session=True)
    try:
        yield Running(home, process)
        process.terminate()
        assert process.wait(20) == 0
        assert processes.marked(MARK, str(home)) == []
    finally:
        for one in processes.marked(MARK, str(home)):
            os.kill(one.pid, signal.SIGKILL)
        process.kill()
        process.wait()


def phases(services: dict[str, Any]) -> list[str]:
    return [one["phase"] for one in services.values()]


def test_a_service_starts_after_those_it_needs(tmp_path) -> None:
    slow = {"name": "first", "code": "import time\ntime.sleep(0.5)\n" + SERVE}
    once = {"name": "once", "code": "print('ran')", "needs": ["first"], "once": True}
    with supervised(tmp_path, {"name": "last", "code": SERVE, "needs": ["once"]}, slow, once) as running:
        early = running.wait(lambda s: s["first"]["phase"] == "starting")
        assert (early["once"]["phase"], early["last"]["phase"]) == ("waiting", "waiting")
        services = running.wait(lambda s: phases(s) == ["ready", "ready", "done"])
        assert services["first"]["seconds"] > 0.5
        assert (tmp_path / "logs/once.log").read_text() == "ran\n"


def test_services_stop_before_those_they_need_or_are_outlived_by(tmp_path) -> None:
    code = (
        "import signal, sys, time\n"
        "def stop(*_):\n    time.sleep(0.2)\n    print(time.monotonic(), flush=True)\n    sys.exit()\n"
        "signal.signal(signal.SIGTERM, stop)\n" + SERVE
    )
    with supervised(
        tmp_path,
        {"name": "a", "code": code},
        {"name": "b", "code": code, "needs": ["a"]},
        {"name": "c", "code": code, "outlived_by": ["b"]},
    ) as running:
        running.wait(lambda s: phases(s) == ["ready"] * 3)
    stopped = [float((tmp_path / f"logs/{name}.log").read_text()) for name in "cba"]
    assert stopped == sorted(stopped)
    assert phases(running.services()) == ["stopped"] * 3


def test_a_killed_service_is_restarted_and_nothing_of_its_session_is_left(tmp_path) -> None:
    code = "import subprocess\nsubprocess.Popen(['sleep', '600'])\n" + SERVE
    with supervised(tmp_path, {"name": "a", "code": code}, {"name": "b", "code": SERVE}) as running:
        before = running.wait(lambda s: phases(s) == ["ready"] * 2)
        os.kill(before["a"]["pid"], signal.SIGKILL)
        after = running.wait(lambda s: s["a"]["restarts"] == 1 and s["a"]["phase"] == "ready")
        assert after["a"]["pid"] != before["a"]["pid"]
        assert after["b"]["pid"] == before["b"]["pid"]
        assert processes.in_session(before["a"]["pid"]) == []


def test_a_service_that_lives_but_shows_no_sign_of_life_is_restarted(tmp_path) -> None:
    hung = {"name": "a", "code": SERVE, "silent_seconds": 0.5}
    with supervised(tmp_path, hung, {"name": "b", "code": SERVE}) as running:
        before = running.wait(lambda s: phases(s) == ["ready"] * 2)
        for name in "ab":
            (tmp_path / f"{name}.up").unlink()  # what tells that it answers
        after = running.wait(lambda s: s["a"]["restarts"] == 1 and s["a"]["phase"] == "ready")
        assert after["a"]["pid"] != before["a"]["pid"]
        assert processes.look(before["a"]["pid"]) is None
        assert after["b"]["pid"] == before["b"]["pid"], "it has a minute"


def test_a_silence_ends_where_it_cannot_be_told(monkeypatch) -> None:
    monkeypatch.setattr(supervisor, "_LISTEN_SECONDS", 0.0)
    signs = iter([False, None, False, True, False, False])
    service = Service(name="a", command=(), ready=never, beats=lambda: next(signs), silent_seconds=0.05)
    silence = supervisor.Silence(service, os.getpid())
    for _ in range(5):
        silence.listen()
        time.sleep(0.06)
    with pytest.raises(SandboxError, match="its process lives, but showed no sign of life"):
        silence.listen()


@pytest.mark.parametrize(
    ("code", "hangs"), [("time.sleep(600)", True), ("while True: pass", False)], ids=["idle", "busy"]
)
def test_who_is_silent_and_idle_hangs_and_who_is_busy_is_late(monkeypatch, code, hangs) -> None:
    monkeypatch.setattr(supervisor, "_LISTEN_SECONDS", 0.0)
    code = f"import time\nprint(1, flush=True)\n{code}"
    with subprocess.Popen((sys.executable, "-c", code), stdout=subprocess.PIPE) as process:
        try:
            process.stdout.readline()
            time.sleep(0.2)  # until it has come to its loop
            service = Service(name="a", command=(), ready=never, beats=lambda: False, hung_seconds=0.8)
            silence, found = supervisor.Silence(service, process.pid), False
            for _ in range(20):
                try:
                    silence.listen()
                except SandboxError:
                    found = True
                    break
                time.sleep(0.1)
            assert found is hangs
        finally:
            process.kill()


def test_a_service_that_dies_again_and_again_fails_and_can_be_tried_again(tmp_path) -> None:
    code = f"Path('{tmp_path}/mended').exists() or exit(3)\n" + SERVE
    with supervised(tmp_path, {"name": "a", "code": code}) as running:
        services = running.wait(lambda s: s["a"]["phase"] == "failed")
        assert services["a"]["restarts"] == 4
        assert services["a"]["message"] == "it ended with exit code 3"
        (tmp_path / "mended").touch()
        time.sleep(0.3)
        running.process.send_signal(signal.SIGHUP)
        running.wait(lambda s: s["a"]["phase"] == "ready")


@pytest.fixture
def said(tmp_path, monkeypatch) -> list[str]:
    """What the commands that the test calls say."""
    monkeypatch.setenv("FLIGHTLINE_HOME", str(tmp_path))
    monkeypatch.delenv("FLIGHTLINE_PORT", raising=False)
    return []


def test_a_service_that_failed_for_good_is_restarted_by_hand_and_by_up(tmp_path, said) -> None:
    code = f"Path('{tmp_path}/mended').exists() or exit(3)\n" + SERVE
    with supervised(tmp_path, {"name": "seaweedfs", "code": code}) as running:
        running.wait(lambda s: s["seaweedfs"]["phase"] == "failed")
        with pytest.raises(SandboxError, match="seaweedfs failed: it ended with exit code 3"):
            control.restart("seaweedfs", say=said.append)
        with pytest.raises(SandboxError, match="seaweedfs failed: it ended with exit code 3"):
            control.up(["seaweedfs"], say=said.append)
        (tmp_path / "mended").touch()
        control.up(["seaweedfs"], say=said.append)
        assert said[-1].split()[:2] == ["seaweedfs", "ready"]
        assert running.services()["seaweedfs"]["phase"] == "ready"


def test_restarts_by_hand_are_no_deaths(tmp_path, said) -> None:
    with supervised(tmp_path, {"name": "a", "code": SERVE}, {"name": "b", "code": SERVE}) as running:
        before = running.wait(lambda s: phases(s) == ["ready"] * 2)
        for _ in range(6):
            control.restart("a", say=said.append)
        assert [line.split()[:2] for line in said] == [["a", "ready"]] * 6
        after = running.services()
        assert (after["a"]["restarts"], after["a"]["lives"]) == (0, 7)
        assert after["b"] == before["b"]


def test_a_service_that_does_not_listen_is_restarted_all_the_same(tmp_path, said) -> None:
    with supervised(tmp_path, {"name": "a", "code": SERVE, "grace_seconds": 0.5}) as running:
        before = running.wait(lambda s: phases(s) == ["ready"])
        os.kill(before["a"]["pid"], signal.SIGSTOP)
        control.restart("a", say=said.append)
        assert running.services()["a"]["pid"] != before["a"]["pid"]


@pytest.mark.parametrize("text", ['{"superv', "[]"])
def test_down_finds_the_supervisor_without_its_status(tmp_path, said, text) -> None:
    with supervised(tmp_path, {"name": "a", "code": SERVE}) as running:
        running.wait(lambda s: phases(s) == ["ready"])
        (tmp_path / "status.json").write_text(text)
        control.down(say=said.append)
        assert said == [f"down; the data stay in {tmp_path}"]


def test_what_ran_once_runs_again_by_hand(tmp_path, said) -> None:
    with supervised(tmp_path, {"name": "once", "code": "print('ran')", "once": True}) as running:
        running.wait(lambda s: phases(s) == ["done"])
        control.restart("once", say=said.append)
        assert phases(running.services()) == ["done"]
    assert (tmp_path / "logs/once.log").read_text() == "ran\nran\n"


def test_a_descendant_that_left_its_session_does_not_outlive_the_supervisor(tmp_path) -> None:
    code = (
        "import subprocess, time\n"
        "p = subprocess.Popen(['sleep', '600'], start_new_session=True, env={})\n"
        "print(p.pid, flush=True)\n" + SERVE
    )
    with supervised(tmp_path, {"name": "a", "code": code}) as running:
        services = running.wait(lambda s: phases(s) == ["ready"])
        os.kill(services["a"]["pid"], signal.SIGKILL)
        running.wait(lambda s: s["a"]["restarts"] == 1 and phases(s) == ["ready"])
    escaped = [int(line) for line in (tmp_path / "logs/a.log").read_text().split()]
    assert len(escaped) == 2
    assert [processes.look(pid) for pid in escaped] == [None, None]
