"""The code of a commit or of a tree, as a pod gets it."""

import subprocess
import threading

import pytest

from include.foundation.evidence import code
from sandbox.cluster.snapshots import Snapshots, UnknownCodeError


def git(root, *arguments):
    command = ["git", "-C", str(root), "-c", "user.name=t", "-c", "user.email=t@t", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path):
    root = tmp_path / "checkout"
    (root / "include").mkdir(parents=True)
    (root / "include/answer.py").write_text("ANSWER = 1\n")
    (root / "README.md").write_text("not in an image\n")
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "commit", "-qm", "one")
    return root


@pytest.fixture
def snapshots(repository, tmp_path):
    return Snapshots(repository, tmp_path / "home/code")


def image(repository):
    return code.image("team/a", root=repository, environ={"FLIGHTLINE_ALLOW_DIRTY": "1"})


def test_a_commit_is_what_it_was_whatever_the_checkout_holds_now(repository, snapshots):
    first = git(repository, "rev-parse", "HEAD")
    assert image(repository) == f"team/a:{first}"
    (repository / "include/answer.py").write_text("ANSWER = 2\n")
    git(repository, "commit", "-qam", "two")
    found = snapshots.find(first)
    assert (found / "include/answer.py").read_text() == "ANSWER = 1\n"
    assert (found / "commit").read_text() == first
    assert not (found / "README.md").exists()
    assert snapshots.find(git(repository, "rev-parse", "HEAD")) != found


def test_a_changed_tree_is_kept_by_its_content(repository, snapshots):
    (repository / "include/answer.py").write_text("ANSWER = 2\n")
    (repository / "include/new.py").write_text("")
    version = image(repository).partition("@")[2]
    assert version == f"sha256:{code.tree(repository)}"
    found = snapshots.find(version)
    (repository / "include/answer.py").write_text("ANSWER = 3\n")
    assert snapshots.find(version) == found
    assert (found / "include/answer.py").read_text() == "ANSWER = 2\n"
    assert (found / "include/answer.py").stat().st_mode & 0o222 == 0
    assert list(found.glob("include/__pycache__/answer.*.pyc")), "pods need not compile it"
    assert code.tree(found) == version.removeprefix("sha256:")
    stated = code.running(allow_dirty=True, environ={"FLIGHTLINE_COMMIT": (found / "commit").read_text()})
    assert stated == code.Code(commit=git(repository, "rev-parse", "HEAD"), dirty=True)


def test_many_pods_that_start_at_once_make_one_snapshot(repository, snapshots, tmp_path):
    found = []
    commit = git(repository, "rev-parse", "HEAD")
    threads = [threading.Thread(target=lambda: found.append(snapshots.find(commit))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert [path.name for path in (tmp_path / "home/code").iterdir()] == [commit]


def test_what_git_has_is_deleted_when_nobody_needs_it(repository, snapshots, tmp_path):
    first = git(repository, "rev-parse", "HEAD")
    snapshots.find(first)
    (repository / "include/answer.py").write_text("ANSWER = 2\n")
    tree = image(repository).partition("@")[2]
    snapshots.find(tree)
    git(repository, "commit", "-qam", "two")
    second = git(repository, "rev-parse", "HEAD")
    snapshots.find(second)
    snapshots.collect({second})
    kept = {path.name for path in (tmp_path / "home/code").iterdir()}
    assert kept == {second, tree.replace(":", "-")}, "a changed tree could not be made again"
    assert (snapshots.find(first) / "commit").read_text() == first


@pytest.mark.parametrize(
    ("version", "says"),
    [
        ("", "no tag is neither a commit"),
        ("0.1.0", r"0\.1\.0 is neither a commit"),
        ("../../etc", "neither a commit"),
        ("0" * 40, "git archive .*0000"),
        ("sha256:" + "0" * 64, "has changed since sha256:0000"),
    ],
)
def test_what_is_not_there_is_named(snapshots, version, says, tmp_path):
    with pytest.raises(UnknownCodeError, match=says):
        snapshots.find(version)
    assert not list(tmp_path.glob("home/code/*"))


def test_locks_are_beside_the_code_of_both_kinds(repository, snapshots):
    (repository / "requirements").mkdir()
    (repository / "requirements/trainer.txt").write_text("numpy==1\n")
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "lock")
    found = snapshots.find(git(repository, "rev-parse", "HEAD"))
    assert (found / "requirements/trainer.txt").read_text() == "numpy==1\n"
    (repository / "include/answer.py").write_text("ANSWER = 9\n")
    changed = snapshots.find(image(repository).partition("@")[2])
    assert (changed / "requirements/trainer.txt").read_text() == "numpy==1\n"
