import subprocess

import pytest

from include.foundation.errors import InvalidInput
from include.foundation.evidence.code import Code, environment, image, running


@pytest.fixture
def checkout(tmp_path):
    def git(*arguments):
        command = ["git", "-C", str(tmp_path), "-c", "user.name=t", "-c", "user.email=t@t", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "-q")
    (tmp_path / "file").write_text("1")
    git("add", "file")
    git("commit", "-qm", "one")
    return tmp_path, git("rev-parse", "HEAD")


def test_a_clean_checkout_is_its_commit(checkout):
    root, commit = checkout
    assert running(allow_dirty=False, root=root, environ={}) == Code(commit=commit, dirty=False)


@pytest.mark.parametrize("name", ["file", "new"])
def test_a_dirty_checkout_is_refused_unless_allowed(checkout, name):
    root, commit = checkout
    (root / name).write_text("2")
    with pytest.raises(InvalidInput, match="uncommitted"):
        running(allow_dirty=False, root=root, environ={})
    assert running(allow_dirty=True, root=root, environ={}) == Code(commit=commit, dirty=True)


def test_an_image_states_its_commit(tmp_path):
    stated = running(allow_dirty=False, root=tmp_path, environ={"FLIGHTLINE_COMMIT": "abc"})
    assert stated == Code(commit="abc", dirty=False)


def test_neither_is_an_error_that_says_what_to_do(tmp_path):
    with pytest.raises(InvalidInput, match="Set FLIGHTLINE_COMMIT"):
        running(allow_dirty=True, root=tmp_path, environ={})


def test_an_environment_is_its_lock(tmp_path, monkeypatch):
    monkeypatch.setattr("include.foundation.evidence.code.ROOT", tmp_path)
    with pytest.raises(InvalidInput, match=r"requirements/trainer\.txt cannot be read"):
        environment("trainer")
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements/trainer.txt").write_text("lightgbm==4.7\n")
    assert len(environment("trainer")) == 64


def test_an_image_is_named_by_the_code_in_it(checkout):
    root, commit = checkout
    (root / "include").mkdir()
    assert image("registry:5000/team/a", root=root, environ={}) == f"registry:5000/team/a:{commit}"
    (root / "include/new.py").write_text("")
    with pytest.raises(InvalidInput, match="uncommitted"):
        image("team/a", root=root, environ={})
    named = image("team/a", root=root, environ={"FLIGHTLINE_ALLOW_DIRTY": "1"})
    assert named.startswith("team/a@sha256:")
    (root / "include/new.py").write_text("1")
    changed = image("team/a", root=root, environ={"FLIGHTLINE_ALLOW_DIRTY": "1"})
    assert changed != named
    for cache in ("include/.ruff_cache/0.17.6/5908", "include/a/__pycache__/new.cpython-311.pyc.140"):
        (root / cache).parent.mkdir(parents=True)
        (root / cache).write_text("1")
    assert image("team/a", root=root, environ={"FLIGHTLINE_ALLOW_DIRTY": "1"}) == changed, "a tool's cache is no code"


@pytest.mark.parametrize("pinned", ["team/a:1", "team/a@sha256:00", "registry:5000/a:1"])
def test_an_image_that_a_person_pinned_stays(tmp_path, pinned):
    assert image(pinned, root=tmp_path, environ={}) == pinned


def test_an_image_of_a_changed_tree_says_so(tmp_path):
    environ = {"FLIGHTLINE_COMMIT": "c0ffee-dirty"}
    assert running(allow_dirty=True, root=tmp_path, environ=environ) == Code(commit="c0ffee", dirty=True)
    with pytest.raises(InvalidInput, match="uncommitted"):
        running(allow_dirty=False, root=tmp_path, environ=environ)
