"""What the Makefile's recipes leave and say when a step of theirs fails."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.supervisor.service import REPO


@pytest.fixture
def make(tmp_path):
    """Run make in a copy, without the environments."""
    shutil.copy(REPO / "Makefile", tmp_path)

    # A make above the tests would hand its flags down, and have this one announce its folders.
    env = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(("make", *words), cwd=tmp_path, env=env, check=False, capture_output=True, text=True)

    return run


def test_secrets_that_could_not_be_made_leave_no_file(make, tmp_path) -> None:
    assert make(".env", "PYTHON=/nowhere/python").returncode != 0
    assert not (tmp_path / ".env").exists()
    assert make(".env", f"PYTHON={sys.executable}").returncode == 0
    assert (tmp_path / ".env").read_text().startswith("FLIGHTLINE_FERNET_KEY=")


def test_a_bench_that_fails_is_not_hidden_by_the_next(make, tmp_path) -> None:
    folder = tmp_path / "tests/bench"
    folder.mkdir(parents=True)
    (folder / "a.py").write_text("print('a')")
    (folder / "b.py").write_text("raise SystemExit(1)")
    (folder / "c.py").write_text("print('c')")
    done = make("bench", "--old-file=setup-dev", "--old-file=.venv/optuna/ready", f"DEV={Path(sys.executable).parent}")
    assert (done.returncode != 0, done.stdout.splitlines()[0]) == (True, "a")


@pytest.fixture
def bare(make, tmp_path, monkeypatch):
    """The same with the sandbox's commands, and an installation that would show itself."""
    (tmp_path / "sandbox").symlink_to(REPO / "sandbox")
    (tmp_path / "include").symlink_to(REPO / "include")
    return lambda *words: make(*words, f"PYTHON={sys.executable}", "UV=/bin/false")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("up", "FLIGHTLINE_PORT=abc"), "FLIGHTLINE_PORT is 'abc', which is not a port from 1 to"),
        (("demo", "FLIGHTLINE_PORT=99999"), "FLIGHTLINE_PORT is '99999'"),
        (("up", "FLIGHTLINE_HOME=/dev/null/x"), "/dev/null is not a directory to write to; set FLIGHTLINE_HOME"),
        (("play", "DAYS=x"), "DAYS=x is not a number of days from 1 to 999; say: make play DAYS=7"),
        (("play", "DAYS=0"), "DAYS=0 is not a number of days"),
        (("play", "DAYS=-1"), "DAYS=-1 is not a number of days"),
        (("play", "DAYS=100000"), "DAYS=100000 is not a number of days"),
        (("logs", "FLIGHTLINE_HOME=/nonexistent"), "say which: make logs SERVICE=name; there are: none yet"),
    ],
)
def test_what_makes_no_sense_is_told_before_anything_is_installed(bare, words, told) -> None:
    done = bare(*words)
    assert done.returncode != 0
    assert told in done.stderr
    assert "environment" not in done.stdout
