"""What a person asks of a sandbox, answered by supervisors of small processes of the test's own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.supervisor import control, preflight
from sandbox.supervisor.home import Home, Lock
from sandbox.supervisor.service import REPO, SandboxError

# As `up`, which looks after a few things between taking the lock and starting the supervisor.
STARTING = """
import sys, time
from pathlib import Path
from sandbox.supervisor.home import Home, Lock
from sandbox.supervisor.supervisor import Supervisor
home = Home(Path(sys.argv[1]))
lock = Lock(home).take()
print("held", flush=True)
time.sleep(1)
Supervisor(home, {}).run()
"""


def sandbox(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = (sys.executable, "-m", "sandbox", *words)
    env = {**os.environ, "FLIGHTLINE_HOME": str(home)}
    return subprocess.run(command, cwd=REPO, env=env, check=False, capture_output=True, text=True, timeout=20)


def test_down_ends_a_supervisor_that_is_only_just_starting(tmp_path) -> None:
    process = subprocess.Popen((sys.executable, "-c", STARTING, str(tmp_path)), stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "held\n"
        done = sandbox(tmp_path, "down")
        assert (done.returncode, done.stdout) == (0, f"down; the data stay in {tmp_path}\n")
        assert process.wait(5) == 0
        assert not Lock(Home(tmp_path)).held()
    finally:
        process.kill()
        process.communicate()


def test_a_full_disk_is_said_before_anything_is_written(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(preflight, "NEEDED_DISK_BYTES", 1 << 60)
    monkeypatch.setenv("FLIGHTLINE_HOME", str(tmp_path))
    with pytest.raises(SandboxError, match="MB free and the sandbox needs"):
        control.up(["seaweedfs"], say=[].append)
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == [tmp_path / "lock"]


def test_a_command_before_the_first_up_says_so(tmp_path) -> None:
    done = sandbox(tmp_path / "none", "env")
    assert (done.returncode, done.stderr.partition(";")[0]) == (
        1,
        f"sandbox: there is no sandbox in {tmp_path}/none yet",
    )


def test_a_damaged_status_is_named_and_down_removes_it(tmp_path) -> None:
    (tmp_path / "status.json").write_text('{"superv')
    done = sandbox(tmp_path, "status")
    assert done.returncode == 1
    assert done.stderr.startswith(f"sandbox: {tmp_path}/status.json is damaged")
    assert "`make down`" in done.stderr
    assert sandbox(tmp_path, "down").stdout == "nothing runs\n"
    assert not (tmp_path / "status.json").exists()
