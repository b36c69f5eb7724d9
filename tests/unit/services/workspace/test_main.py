"""How a workspace starts: what it needs, what it says of what is missing, with which words."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from include.foundation.errors import InvalidInput
from include.services.workspace import __main__ as start

TOKEN = "x" * 43
ENV = {"JUPYTER_TOKEN": TOKEN, "HOST": "127.0.0.1", "PORT": "4711", "WORKSPACE_HOST": "ada-1.desks.example.com"}


def test_missing_programs_are_named_by_debians_packages_and_the_line_that_installs_them():
    with pytest.raises(InvalidInput) as refused:
        start.require_programs(lambda name: None if name in {"vncserver", "xfdesktop"} else f"/usr/bin/{name}")
    assert "apt-get install --no-install-recommends tigervnc-standalone-server xfdesktop4" in str(refused.value)
    start.require_programs(lambda name: f"/usr/bin/{name}")


def test_the_same_packages_are_installed_by_make_and_into_the_image():
    makefile = Path("Makefile").read_text()
    programs = next(line for line in makefile.splitlines() if line.startswith("DESKTOP :=")).split()[2:]
    assert {*programs, "git"} == {*start.PROGRAMS}
    dockerfile = Path("Dockerfile").read_text()
    assert [package for package in start.PROGRAMS.values() if package not in dockerfile] == []


def test_the_token_is_no_word_that_others_on_the_machine_see(tmp_path):
    words = start.command(ENV, tmp_path)
    assert TOKEN not in " ".join(words)
    for word in (
        "--ServerApp.ip=127.0.0.1",
        "--ServerApp.port=4711",
        "--ServerApp.allow_remote_access=False",
        "--ServerApp.local_hostnames=['localhost', 'ada-1.desks.example.com']",
        "--ServerApp.shutdown_no_activity_timeout=3600",
        f"--LabApp.default_url=/lab/tree/{start.NOTEBOOK.name}",
    ):
        assert word in words


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"JUPYTER_TOKEN": ""}, "nobody is let in without"),
        ({"JUPYTER_TOKEN": "short"}, "32 random characters"),
        ({"WORKSPACE_IDLE_MINUTES": "0"}, "number of minutes"),
        ({"WORKSPACE_IDLE_MINUTES": "for ever"}, "number of minutes"),
    ],
)
def test_nothing_starts_open_or_for_ever(tmp_path, change, said):
    with pytest.raises(InvalidInput, match=said):
        start.command({**ENV, **change}, tmp_path)


def test_a_notebook_that_was_changed_stays(tmp_path):
    home = start.prepare_home({"VOLUME_HOME": str(tmp_path), "HOME": "/nowhere"})
    notebook = tmp_path / start.NOTEBOOK.name
    assert (home, notebook.read_bytes()) == (tmp_path, start.NOTEBOOK.read_bytes())
    notebook.write_text("mine")
    start.prepare_home({"HOME": str(tmp_path)})
    assert notebook.read_text() == "mine"


def test_repositories_are_cloned_once_and_one_that_is_not_there_stops_nothing(tmp_path, capsys):
    origin = tmp_path / "origin" / "gitops.git"
    subprocess.run(["git", "init", "-q", "--bare", str(origin)], check=True)
    home = tmp_path / "home"
    home.mkdir()
    for _ in range(2):
        start.clone({"WORKSPACE_GIT": f"{origin.as_uri()} file:///nowhere/else"}, home)
    assert (home / "gitops" / ".git").is_dir()
    assert "else is not cloned" in capsys.readouterr().err


def test_a_clone_that_hangs_stops_nothing_and_is_begun_again_the_next_time(tmp_path, capsys, monkeypatch):
    def hang(words, **options):
        Path(words[-1]).mkdir()
        raise subprocess.TimeoutExpired(words, options["timeout"])

    monkeypatch.setattr(start.subprocess, "run", hang)
    start.clone({"WORKSPACE_GIT": "https://git.example/slow.git"}, tmp_path)
    assert capsys.readouterr().err == "slow is not cloned: no end after 120 s\n"
    assert not (tmp_path / "slow").exists()


def test_what_cannot_start_says_so_in_one_line(tmp_path):
    bare = {"PATH": str(tmp_path), "HOME": str(tmp_path), "PYTHONPATH": str(Path.cwd())}
    command = [sys.executable, "-m", "include.services.workspace"]
    done = subprocess.run(command, check=False, env=bare, capture_output=True, text=True, timeout=60)
    assert done.returncode == 65
    assert done.stderr.startswith("InvalidInput: this machine lacks programs")
    assert len(done.stderr.splitlines()) == 1


def test_the_notebook_is_small_without_outputs_and_calls_what_exists():
    notebook = json.loads(start.NOTEBOOK.read_text())
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert [cell for cell in code if cell["outputs"] or cell["execution_count"]] == []
    assert start.NOTEBOOK.stat().st_size < 8_000
    for cell in code:
        for node in ast.walk(ast.parse("".join(cell["source"]))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("include."):
                module = __import__(node.module, fromlist=[each.name for each in node.names])
                assert [each.name for each in node.names if not hasattr(module, each.name)] == []
