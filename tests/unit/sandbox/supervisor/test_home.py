"""The state directory: secrets that stay and stay private, the base port, the lock."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.supervisor.home import Home, Lock, read_json, write
from sandbox.supervisor.service import REPO, SandboxError


def made(path: Path) -> Home:
    home = Home(path / "home")
    home.make()
    return home


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_secrets_are_made_once_and_are_private(tmp_path) -> None:
    home = made(tmp_path)
    secrets = home.secrets()
    assert home.secrets() == secrets
    assert made(tmp_path / "other").secrets() != secrets
    assert mode(home.path / "secrets.json") == 0o600
    assert mode(home.path) == 0o700
    assert secrets.airflow_password not in repr(secrets)


def test_a_home_that_was_open_to_others_is_closed(tmp_path) -> None:
    (tmp_path / "home").mkdir(mode=0o755)
    assert mode(made(tmp_path).path) == 0o700


def test_the_base_port_is_the_environments_else_the_last_else_8080(tmp_path) -> None:
    home = made(tmp_path)
    assert home.port({}) == 8080
    write(home.path / "port", "9100")
    assert home.port({}) == 9100
    assert home.port({"FLIGHTLINE_PORT": "9200"}) == 9200


@pytest.mark.parametrize("text", ["", "{", "[]", '{"a": 1}'])
def test_damaged_secrets_are_named(tmp_path, text) -> None:
    home = made(tmp_path)
    write(home.path / "secrets.json", text)
    with pytest.raises(SandboxError, match=r"secrets\.json is damaged .*make clean"):
        home.secrets()


def test_there_are_no_secrets_before_there_is_a_sandbox(tmp_path) -> None:
    with pytest.raises(SandboxError, match=f"no sandbox in {tmp_path}/none yet; `make up`"):
        Home(tmp_path / "none").secrets()


@pytest.mark.parametrize("text", ["abc", "70000", "0", "-1"])
def test_what_is_no_port_is_named(tmp_path, text) -> None:
    home = made(tmp_path)
    with pytest.raises(SandboxError, match=f"FLIGHTLINE_PORT is '{text}'"):
        home.port({"FLIGHTLINE_PORT": text})
    for kept in (text, ""):
        write(home.path / "port", kept)
        with pytest.raises(SandboxError, match=f"{home.path}/port is '{kept}'.*remove the file"):
            home.port({})


def test_the_home_is_the_environments_else_in_the_repository() -> None:
    assert Home.from_env({}).path == REPO / ".sandbox"
    assert Home.from_env({"FLIGHTLINE_HOME": "/x/../y"}).path == Path("/y")


def test_write_replaces_and_is_private(tmp_path) -> None:
    file = tmp_path / "f.json"
    assert read_json(file) is None
    for text in ("[1]", "[2]"):
        write(file, text)
    assert read_json(file) == [2]
    assert mode(file) == 0o600
    assert list(tmp_path.iterdir()) == [file]


FULL = """
import resource, sys
from pathlib import Path
from sandbox.supervisor.home import write
resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))  # the next best thing to a full disk
write(Path(sys.argv[1]), "more than ten bytes")
"""


def test_a_write_that_fails_leaves_what_was_there_and_nothing_else(tmp_path) -> None:
    file = tmp_path / "f"
    write(file, "old")
    done = subprocess.run((sys.executable, "-c", FULL, str(file)), capture_output=True, text=True, check=False)
    assert "OSError" in done.stderr
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_the_lock_passes_to_a_child_and_goes_with_it(tmp_path) -> None:
    lock = Lock(made(tmp_path))
    assert not lock.held()
    descriptor = lock.take()
    assert lock.take() is None
    child = subprocess.Popen((sys.executable, "-c", "input()"), stdin=subprocess.PIPE, pass_fds=(descriptor,))
    os.close(descriptor)
    assert lock.held()
    child.kill()
    child.communicate()
    assert not lock.held()


def test_who_signed_the_lock_is_known_for_as_long_as_it_lives(tmp_path) -> None:
    lock = Lock(made(tmp_path))
    assert lock.holder() is None
    lock.sign()
    assert lock.holder() == os.getpid()
    (tmp_path / "home/lock").write_text(f"{os.getpid()} 1")  # another process that once had our pid
    assert lock.holder() is None
