"""The real hook against a real bare repository."""

import json
import logging
import subprocess
import threading
from dataclasses import replace

import pytest

from flightline.exceptions import GitOpsInvalid, GitOpsUnavailable
from flightline.hooks import gitops
from flightline.hooks.gitops import GitOpsHook, Restore, public


def git(*arguments, cwd):
    return subprocess.run(["git", *arguments], cwd=cwd, check=True, capture_output=True, text=True).stdout.strip()


def connect(monkeypatch, host, **fields):
    monkeypatch.setenv("AIRFLOW_CONN_GITOPS", json.dumps({"conn_type": "git", "host": host, **fields}))


def shown(bare, path, revision="main"):
    return git("show", f"{revision}:{path}", cwd=bare)


def commits(bare):
    return git("log", "--format=%H", "main", cwd=bare).split()


def test_the_home_decides_nothing_about_a_commit(gitops_origin, tmp_path, monkeypatch):
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for hook in ("prepare-commit-msg", "post-commit", "pre-push"):
        (hooks / hook).write_text("#!/bin/sh\nexit 1\n")
        (hooks / hook).chmod(0o755)
    (tmp_path / ".gitconfig").write_text(
        "[commit]\n\tgpgSign = true\n[push]\n\tgpgSign = if-asked\n[user]\n\tsigningKey = 0123456789ABCDEF\n"
        f"[core]\n\tautocrlf = true\n\thooksPath = {hooks}\n[log]\n\tshowSignature = true\n"
    )
    monkeypatch.setenv("HOME", str(tmp_path))
    done = GitOpsHook().commit({"rain/a.txt": "one\r\ntwo\n"}, message="Begin", key="k")
    assert done.changed == ("rain/a.txt",)
    command = ["git", "show", "main:rain/a.txt"]
    assert subprocess.run(command, cwd=gitops_origin, check=True, capture_output=True).stdout == b"one\r\ntwo\n"
    assert GitOpsHook().commit({"rain/a.txt": "one\r\ntwo\n"}, message="Begin", key="k") == done


@pytest.mark.parametrize(
    ("said", "race"),
    [
        ("! [rejected] HEAD -> main (fetch first)", True),
        ("! [remote rejected] HEAD -> main (cannot lock ref 'refs/heads/main': is at 1 but expected 2)", True),
        ("! [remote rejected] HEAD -> main (incorrect old value provided)", True),
        ("! [rejected] HEAD -> main (stale info)", True),
        ("! [remote rejected] HEAD -> main (reference already exists)", True),
        ("! [remote rejected] HEAD -> main (pre-receive hook declined)", False),
    ],
)
def test_a_lost_race_in_the_words_of_each_server(said, race):
    assert gitops._lost_the_race(said) is race


def test_first_commit_makes_the_branch(gitops_origin):
    done = GitOpsHook().commit({"README.md": "hello\n"}, message="Begin", key="seed", branch="fresh")
    assert done.previous is None
    assert done.changed == ("README.md",)
    assert shown(gitops_origin, "README.md", "fresh") == "hello"
    assert git("log", "--format=%an <%ae>|%cn|%B", "fresh", cwd=gitops_origin).split("|") == [
        "Flightline <flightline@localhost>",
        "Flightline",
        "Begin\n\nFlightline-Key: seed",
    ]


def test_commit_writes_deletes_and_tells(gitops_origin):
    (first,) = commits(gitops_origin)
    done = GitOpsHook().commit({"a/b.yaml": "x: 1\n", "README.md": None, "a/ü.txt": "ü"}, message="Change", key="k")
    assert done.previous == first
    assert done.commit == commits(gitops_origin)[0]
    assert sorted(done.changed) == ["README.md", "a/b.yaml", "a/ü.txt"]
    assert git("ls-tree", "-r", "-z", "--name-only", "main", cwd=gitops_origin).strip("\0").split("\0") == [
        "a/b.yaml",
        "a/ü.txt",
    ]


def test_read_gives_the_files_of_a_folder_at_the_head(gitops_origin):
    assert GitOpsHook().read("app") == {}
    GitOpsHook().commit({"app/a.yaml": "x: 1\n", "app/b/ü.txt": "ü", "other": "o"}, message="Begin", key="k")
    assert GitOpsHook().read("app") == {"app/a.yaml": "x: 1\n", "app/b/ü.txt": "ü"}
    assert GitOpsHook().read("app", branch="unborn") == {}
    with pytest.raises(GitOpsInvalid, match="not a path inside"):
        GitOpsHook().read("../etc")


def test_a_commit_does_not_carry_what_it_does_not_own(gitops_origin):
    GitOpsHook().commit({"app/extra.yaml": "x"}, message="Somebody", key="other")
    before = commits(gitops_origin)
    with pytest.raises(GitOpsInvalid, match=r"app holds app/extra\.yaml, which this commit does not own"):
        GitOpsHook().commit({"app/a.yaml": "1"}, message="Deploy", key="k", folder="app")
    assert commits(gitops_origin) == before
    done = GitOpsHook().commit({"app/a.yaml": "1", "app/extra.yaml": None}, message="Deploy", key="k", folder="app")
    assert sorted(done.changed) == ["app/a.yaml", "app/extra.yaml"]
    again = GitOpsHook().commit({"app/a.yaml": "1"}, message="Deploy", key="later", folder="app")
    assert again.changed == (), "files outside the folder do not matter"


def test_both_ends_of_a_move_are_changed(gitops_origin):
    done = GitOpsHook().commit({"README.md": None, "moved.md": "hello\n"}, message="Move", key="k")
    assert done.changed == ("README.md", "moved.md")


def test_author_comes_from_the_connection(gitops_origin, monkeypatch):
    connect(monkeypatch, gitops_origin.as_uri(), extra={"author_name": "Ada", "author_email": "ada@agency.gov"})
    done = GitOpsHook().commit({"x": "1"}, message="m", key="k")
    assert git("log", "-1", "--format=%an <%ae>", done.commit, cwd=gitops_origin) == "Ada <ada@agency.gov>"


def test_trailers_of_the_message_stay_trailers(gitops_origin):
    done = GitOpsHook().commit({"x": "1"}, message="Deploy\n\nModel-Digest: sha256:0\n", key="d/r/t/-1")
    trailers = git("log", "-1", "--format=%(trailers:only)", done.commit, cwd=gitops_origin).splitlines()
    assert trailers == ["Model-Digest: sha256:0", "Flightline-Key: d/r/t/-1"]


def test_nothing_to_change_is_the_head(gitops_origin):
    (head,) = commits(gitops_origin)
    done = GitOpsHook().commit({"README.md": "hello\n"}, message="again", key="other")
    assert (done.commit, done.head, done.previous, done.changed) == (head, head, head, ())
    assert commits(gitops_origin) == [head]


def test_retry_returns_the_commit_of_the_try_before(gitops_origin):
    """A worker that died after the push must not lose which commit to go back to."""
    first = GitOpsHook().commit({"x": "1"}, message="m", key="task/1")
    GitOpsHook().commit({"y": "1"}, message="by others", key="other")
    again = GitOpsHook().commit({"x": "1"}, message="m", key="task/1")
    assert again == replace(first, head=commits(gitops_origin)[0])
    assert len(commits(gitops_origin)) == 3
    of_another_task = GitOpsHook().commit({"x": "1"}, message="m", key="task/11")
    assert of_another_task.changed == ()


def test_restore_brings_a_folder_back(gitops_origin):
    before = GitOpsHook().commit({"app/a": "1", "app/b": "1", "other": "1"}, message="v1", key="1")
    GitOpsHook().commit({"app/a": "2", "app/b": None, "app/c": "2", "other": "2"}, message="v2", key="2")
    done = GitOpsHook().commit(Restore(path="app", commit=before.commit), message="Revert", key="3")
    assert sorted(done.changed) == ["app/a", "app/b", "app/c"]
    assert git("rev-parse", f"{done.commit}:app", cwd=gitops_origin) == git(
        "rev-parse", f"{before.commit}:app", cwd=gitops_origin
    )
    assert shown(gitops_origin, "other") == "2"
    assert GitOpsHook().commit(Restore(path="app", commit=before.commit), message="Revert", key="3") == done


@pytest.mark.parametrize("commit", [None, "first"])
def test_restore_of_what_was_not_there_removes_it(gitops_origin, commit):
    (first,) = commits(gitops_origin)
    GitOpsHook().commit({"app/a": "2"}, message="v2", key="2")
    GitOpsHook().commit(Restore(path="app", commit=commit and first), message="Revert", key="3")
    assert git("ls-tree", "-r", "--name-only", "main", cwd=gitops_origin) == "README.md"


def test_restore_reaches_further_than_the_fetched_history(gitops_origin):
    before = GitOpsHook().commit({"app/a": "old"}, message="old", key="0")
    work = gitops_origin.parent / "work"
    git("clone", "--quiet", str(gitops_origin), str(work), cwd=gitops_origin.parent)
    for number in range(60):
        (work / "app/a").write_text(str(number))
        git("-c", "user.name=o", "-c", "user.email=o@o", "commit", "-aqm", str(number), cwd=work)
    git("push", "--quiet", "origin", "main", cwd=work)
    GitOpsHook().commit(Restore(path="app", commit=before.commit), message="Revert", key="3")
    assert shown(gitops_origin, "app/a") == "old"


def test_restore_of_an_unknown_commit_is_refused(gitops_origin):
    with pytest.raises(GitOpsInvalid, match="commit 0123456789012345678901234567890123456789 is not in"):
        GitOpsHook().commit(Restore(path="app", commit="0123456789" * 4), message="m", key="k")


def test_owner_takes_back_only_its_own(gitops_origin):
    before = GitOpsHook().commit({"app/a": "1", "app/b": "1"}, message="v1", key="d/old/t/-1")
    ours = Restore(path="app", commit=before.commit, owner="d/new/")
    GitOpsHook().commit({"app/a": "2"}, message="v2", key="d/new/t/-1")
    GitOpsHook().commit({"elsewhere/a": "2"}, message="v2", key="d/newest/t/-1")
    done = GitOpsHook().commit(ours, message="Revert", key="d/new/r/-1")
    assert done.changed == ("app/a",)
    assert GitOpsHook().commit(ours, message="Revert", key="d/new/r/-1") == done
    GitOpsHook().commit({"app/b": "3"}, message="v3", key="d/newer/t/-1")
    work = gitops_origin.parent / "work"
    git("clone", "--quiet", str(gitops_origin), str(work), cwd=gitops_origin.parent)
    for number in range(60):  # more than are fetched at first
        (work / "app/a").write_text(str(number))
        message = "ours\n\nFlightline-Key: d/new/t/-1"
        git("-c", "user.name=o", "-c", "user.email=o@o", "commit", "-aqm", message, cwd=work)
    git("push", "--quiet", "origin", "main", cwd=work)
    with pytest.raises(GitOpsInvalid, match=r"would undo commit \w{12} of d/newer/t/-1: .* what is left of d/new/"):
        GitOpsHook().commit(ours, message="Revert", key="d/new/r/-1")
    assert shown(gitops_origin, "app/b") == "3"


def test_owner_does_not_take_back_what_a_person_did(gitops_origin):
    (first,) = commits(gitops_origin)
    work = gitops_origin.parent / "work"
    git("clone", "--quiet", str(gitops_origin), str(work), cwd=gitops_origin.parent)
    (work / "README.md").write_text("mended")
    git("-c", "user.name=o", "-c", "user.email=o@o", "commit", "-aqm", "Mend", cwd=work)
    git("push", "--quiet", "origin", "main", cwd=work)
    with pytest.raises(GitOpsInvalid, match="of a person"):
        GitOpsHook().commit(Restore(path="README.md", commit=first, owner="d/r/"), message="Revert", key="d/r/t/-1")


def test_writers_at_the_same_time_all_get_in(gitops_origin):
    """Six writers of one folder, two files each: nobody's content is lost and the history is one line."""
    results, failures = {}, []

    def write(number):
        try:
            files = {f"app/{number}-{each}": str(number) for each in range(2)}
            results[number] = GitOpsHook().commit(files, message=f"writer {number}", key=str(number))
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    history = commits(gitops_origin)
    assert len(history) == 7
    assert {done.commit for done in results.values()} == set(history[:6])
    for done in results.values():
        assert history[history.index(done.commit) + 1] == done.previous
    assert len(git("ls-tree", "-r", "--name-only", "main", cwd=gitops_origin).splitlines()) == 13


@pytest.mark.parametrize("path", ["../out", "/etc/x", ".git/config", "a/../../out", "", ".", "link/x"])
def test_paths_out_of_the_repository_are_refused(gitops_origin, path, tmp_path):
    work = tmp_path / "work"
    git("clone", "--quiet", str(gitops_origin), str(work), cwd=tmp_path)
    (work / "link").symlink_to(tmp_path)
    git("add", "link", cwd=work)
    git("-c", "user.name=o", "-c", "user.email=o@o", "commit", "-qm", "link", cwd=work)
    git("push", "--quiet", "origin", "main", cwd=work)
    with pytest.raises(GitOpsInvalid, match="not a path inside the repository"):
        GitOpsHook().commit({path: "x"}, message="m", key="k")
    assert not (tmp_path / "x").exists()
    assert not (tmp_path / "out").exists()


def test_secrets_stay_secret(monkeypatch, caplog, capsys):
    connect(monkeypatch, "http://robot:hunter2@127.0.0.1:9/repo.git", password="s3cr3t-token")
    caplog.set_level(logging.DEBUG)
    with pytest.raises(GitOpsUnavailable) as raised:
        GitOpsHook().commit({"x": "1"}, message="m", key="k")
    said = f"{raised.value} {raised.value.__cause__} {caplog.text} {capsys.readouterr().out}"
    assert "127.0.0.1" in said
    assert "s3cr3t" not in said
    assert "hunter2" not in said


def test_bare_token_in_the_url_is_not_shown(monkeypatch):
    connect(monkeypatch, "http://tok3n@127.0.0.1:9/repo.git")
    with pytest.raises(GitOpsUnavailable) as raised:
        GitOpsHook().commit({"x": "1"}, message="m", key="k")
    assert "tok3n" not in str(raised.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://bot:s3cr3t@git.example/x.git", "https://git.example/x.git"),
        ("https://bot:s3@cr3t@git.example:8443/x@1.git", "https://git.example:8443/x@1.git"),
        ("https://t0k3n@git.example/x.git", "https://git.example/x.git"),
        ("ssh://git:s3cr3t@git.example:22/x.git", "ssh://git@git.example:22/x.git"),
        *((url, url) for url in ("ssh://git@git.example/x.git", "git@git.example:x.git", "https://git.example/a@b")),
    ],
)
def test_public_url_is_still_an_address(url, shown):
    assert public(f"{url} {url}") == f"{shown} {shown}"


def test_the_history_of_a_path_is_whole_however_long(gitops_origin, monkeypatch):
    monkeypatch.setattr(gitops, "HISTORY", 2)
    hook = GitOpsHook()
    assert hook.history("a", "--format=%s") == ""
    for number in range(5):
        hook.commit({f"{'ab'[number % 2]}/x": str(number)}, message=f"m{number}", key=f"k{number}")
    assert hook.history("a", "--format=%s").splitlines() == ["m4", "m2", "m0"]
