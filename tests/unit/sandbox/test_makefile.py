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
    done = make("bench", "--old-file=setup-dev", f"DEV={Path(sys.executable).parent}")
    assert (done.returncode != 0, done.stdout.splitlines()[0]) == (True, "a")
