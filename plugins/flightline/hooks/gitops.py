"""The GitOps repository: commits that are made once, whoever else pushes at the same time."""

import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from airflow.providers.git.hooks.git import GitHook

from flightline.exceptions import GitOpsConflict, GitOpsInvalid, GitOpsUnavailable

if TYPE_CHECKING:
    from git import Repo
    from git.exc import GitCommandError

Change = dict[str, str | None]

PUSH_ATTEMPTS = 10
RETRY_SECONDS = 0.2  # times the number of pushes that lost
GIT_SECONDS = 120
HISTORY = 50  # commits fetched: enough to find the one that an earlier try pushed
TRAILER = "Flightline-Key"
# The home's Git configuration may name proxies, certificates and credentials; but these of its settings would change
# what is committed, ask a person for a key, or run programs.
OURS = {
    "commit.gpgSign": "false",
    "push.gpgSign": "false",
    "log.showSignature": "false",
    "core.autocrlf": "false",
    "core.hooksPath": "/dev/null",
}


@dataclass(frozen=True, kw_only=True)
class Restore:
    """A file or folder as it was at an earlier commit (None: as if it had never been).

    With `owner`, only if all commits since then that changed the path have keys that start with it.
    """

    path: str
    commit: str | None
    owner: str | None = None


@dataclass(frozen=True, kw_only=True)
class Commit:
    """What a call of `commit` left on the branch.

    `previous` is the commit before ours, None for the first commit of a branch. Nothing to change: `changed` is empty
    and both are the head, unless the head's content is of an earlier try of ours. `head` is the branch's newest commit.
    """

    commit: str
    head: str
    previous: str | None
    changed: tuple[str, ...]


class GitOpsHook(GitHook):
    """Commits to the repository of a Connection of type `git` (URL and credentials as in `GitHook`).

    Extra besides GitHook's: `author_name`, `author_email`. Credentials reach git by its environment, never by the URL,
    and no message shows a URL's (`public`).
    """

    def __init__(self, conn_id: str = "gitops") -> None:
        super().__init__(git_conn_id=conn_id)
        extra = self.get_connection(conn_id).extra_dejson
        self.author = extra.get("author_name") or "Flightline"
        self.email = extra.get("author_email") or "flightline@localhost"

    def read(self, path: str, *, branch: str = "main") -> dict[str, str]:
        """The text files under a path at the branch's newest commit: path in the repository -> content.

        Raises:
            GitOpsUnavailable: git failed.
            GitOpsInvalid: the path leaves the repository, or a file is not UTF-8 text.
        """
        from git.exc import GitCommandError

        try:
            with self._clone() as repo:
                if self._check_out(repo, branch) is None:
                    return {}
                root = Path(str(repo.working_tree_dir)).resolve()
                _inside(root, path)
                names = repo.git.ls_files("-z", "--", path).split("\0")[:-1]
                return {name: _inside(root, name).read_text(encoding="utf-8") for name in names}
        except (UnicodeDecodeError, OSError) as error:
            raise GitOpsInvalid(
                f"{public(str(self.repo_url))}: a file of {path} is not readable text: {error}"
            ) from None
        except GitCommandError as error:
            raise self._unavailable(error) from None

    def history(self, path: str, line: str, *, branch: str = "main") -> str:
        """`git log` of all commits that changed a path, the newest first.

        Args:
            path: in the repository.
            line: `--format=...` of each commit's line.
            branch: its name.

        Raises:
            GitOpsUnavailable: git failed.
        """
        from git.exc import GitCommandError

        try:
            with self._clone() as repo:
                if self._check_out(repo, branch) is None:
                    return ""
                self._deepen(repo)
                return str(repo.git.log(line, "--", path))
        except GitCommandError as error:
            raise self._unavailable(error) from None

    def commit(
        self,
        change: Change | Restore,
        *,
        message: str,
        key: str,
        branch: str = "main",
        folder: str | None = None,
    ) -> Commit:
        """Bring the branch's files to a state, in at most one commit.

        Args:
            change: path in the repository -> content (None deletes), or a path to restore.
            message: of the commit.
            key: names the caller in all its tries; it becomes a trailer of the message.
            branch: made if it does not exist.
            folder: refuse to commit if this folder would hold other files than `change` names.

        Raises:
            GitOpsConflict: others pushed first, PUSH_ATTEMPTS times.
            GitOpsUnavailable: git failed otherwise.
            GitOpsInvalid: a path leaves the repository, the commit to restore is not there, others changed what an
                owner restores, or the folder holds other files.
        """
        from git.exc import GitCommandError

        try:
            with self._clone() as repo:
                for attempt in range(1, PUSH_ATTEMPTS + 1):
                    head = self._check_out(repo, branch)
                    paths = self._apply(repo, change)
                    repo.git.add("--all", "--force", ".")
                    if folder is not None:
                        _refuse_more(repo.git.ls_files("-z", "--", folder).split("\0")[:-1], paths, folder)
                    changed = tuple(
                        repo.git.diff("--cached", "--no-renames", "--name-only", "-z", *([head] if head else [])).split(
                            "\0"
                        )[:-1]
                    )
                    if not changed:
                        return self._unchanged(repo, head, paths, key)
                    repo.git.commit("--quiet", "--no-verify", "-m", message, "--trailer", f"{TRAILER}: {key}")
                    try:
                        repo.git.push(
                            "--quiet",
                            "--no-verify",
                            "origin",
                            f"HEAD:refs/heads/{branch}",
                            kill_after_timeout=GIT_SECONDS,
                        )
                    except GitCommandError as error:
                        if not _lost_the_race(str(error)):
                            raise
                        self.log.info("others pushed to %s first (attempt %d of %d)", branch, attempt, PUSH_ATTEMPTS)
                        time.sleep(RETRY_SECONDS * attempt)
                    else:
                        commit = repo.head.commit.hexsha
                        return Commit(commit=commit, head=commit, previous=head, changed=changed)
        except GitCommandError as error:
            raise self._unavailable(error) from None
        raise GitOpsConflict(f"{public(str(self.repo_url))}: others pushed to {branch} first, {PUSH_ATTEMPTS} times")

    def _unavailable(self, error: "GitCommandError") -> GitOpsUnavailable:
        return GitOpsUnavailable(f"{public(str(self.repo_url))}: {public(str(error.stderr or error).strip())}")

    @contextmanager
    def _clone(self) -> Iterator["Repo"]:
        """An empty clone that knows where to fetch from and who commits."""
        from git import Repo

        with self.configure_hook_env(), tempfile.TemporaryDirectory(prefix="gitops-") as folder:
            repo = Repo.init(folder)
            ours = {
                "GIT_TERMINAL_PROMPT": "0",
                "GIT_LITERAL_PATHSPECS": "1",
                "GIT_AUTHOR_NAME": self.author,
                "GIT_AUTHOR_EMAIL": self.email,
                "GIT_COMMITTER_NAME": self.author,
                "GIT_COMMITTER_EMAIL": self.email,
                "LC_ALL": "C.UTF-8",  # messages of git are read below
            }
            repo.git.update_environment(**{**self.env, **ours})
            with repo.config_writer() as config:
                for name, value in OURS.items():
                    config.set_value(*name.split("."), value)
            repo.create_remote("origin", str(self.repo_url))
            try:
                yield repo
            finally:
                repo.close()

    def _check_out(self, repo: "Repo", branch: str) -> str | None:
        """The working tree at the branch's newest commit; returns that commit, or None if there is no such branch."""
        from git.exc import GitCommandError

        try:
            repo.git.fetch(
                "--quiet", "--depth", HISTORY, "origin", f"refs/heads/{branch}", kill_after_timeout=GIT_SECONDS
            )
        except GitCommandError as error:
            if "couldn't find remote ref" not in str(error):
                raise
            repo.git.checkout("--quiet", "--orphan", "unborn")
            return None
        repo.git.checkout("--quiet", "--force", "--detach", "FETCH_HEAD")
        return str(repo.head.commit.hexsha)

    def _apply(self, repo: "Repo", change: Change | Restore) -> list[str]:
        """Change the working tree; returns the paths that this was about."""
        root = Path(str(repo.working_tree_dir)).resolve()
        if isinstance(change, Restore):
            _inside(root, change.path)
            there = change.commit and self._has(repo, change.commit, change.path)
            self._refuse_others(repo, change)
            repo.git.rm("-r", "--quiet", "--force", "--ignore-unmatch", "--", change.path)
            if there:
                repo.git.checkout("--quiet", change.commit, "--", change.path)
            return [change.path]
        for path, content in change.items():
            target = _inside(root, path)
            if content is None:
                target.unlink(missing_ok=True)
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(content, encoding="utf-8")
        return list(change)

    def _has(self, repo: "Repo", commit: str, path: str) -> bool:
        """Whether the commit holds the path; the commit is fetched if need be."""
        from git.exc import GitCommandError

        try:
            try:
                repo.git.cat_file("-e", f"{commit}^{{commit}}")
            except GitCommandError:
                repo.git.fetch("--quiet", "--depth", 1, "origin", commit, kill_after_timeout=GIT_SECONDS)
        except GitCommandError as error:
            raise GitOpsInvalid(
                f"commit {commit} is not in {public(str(self.repo_url))}: {public(str(error.stderr))}"
            ) from None
        return bool(repo.git.ls_tree("--name-only", commit, "--", path))

    @staticmethod
    def _deepen(repo: "Repo") -> None:
        """Fetch the whole history."""
        if repo.git.rev_parse("--is-shallow-repository") == "true":
            repo.git.fetch("--quiet", "--unshallow", "origin", kill_after_timeout=GIT_SECONDS)

    def _refuse_others(self, repo: "Repo", change: Restore) -> None:
        """Raise GitOpsInvalid if others than the owner changed the path since the commit to restore."""
        if change.owner is None:
            return
        self._deepen(repo)  # else their commits may lie beyond what we fetched
        since = f"{change.commit}..HEAD" if change.commit else "HEAD"
        shown = f"--format=%H %(trailers:key={TRAILER},valueonly,separator=%x20)"
        for line in repo.git.log(shown, since, "--", change.path).splitlines():
            commit, _, key = line.partition(" ")
            if not key.startswith(change.owner):
                raise GitOpsInvalid(
                    f"{change.path} is not restored, for that would undo commit {commit[:12]} of {key or 'a person'}: "
                    f"revert by hand what is left of {change.owner}"
                )

    def _unchanged(self, repo: "Repo", head: str | None, paths: list[str], key: str) -> Commit:
        """The files are as wanted: by an earlier try of ours, or by others."""
        if head is None:
            raise GitOpsInvalid("nothing to commit to an empty branch")
        found = repo.git.log("-1", "--format=%H %P%x00%B", "--", *paths)
        commits, _, text = found.partition("\0")
        if f"{TRAILER}: {key}" in text.splitlines():
            commit, previous = (*commits.split(), None)[:2]
            changed = tuple(
                repo.git.diff_tree("-r", "--root", "--no-commit-id", "--name-only", "-z", commit).split("\0")[:-1]
            )
            self.log.info("commit %s was pushed by an earlier try", commit)
            return Commit(commit=commit, head=head, previous=previous, changed=changed)
        self.log.info("nothing to change: the files are so at %s", head)
        return Commit(commit=head, head=head, previous=head, changed=())


def _inside(root: Path, path: str) -> Path:
    """The path under the root. Raises GitOpsInvalid if it leaves it (also through a link) or is Git's own."""
    parts = PurePosixPath(path).parts
    target = (root / path).resolve()
    if not parts or ".git" in parts or target == root or not target.is_relative_to(root):
        raise GitOpsInvalid(f"{path!r} is not a path inside the repository")
    return target


def _refuse_more(found: list[str], paths: list[str], folder: str) -> None:
    """Raise GitOpsInvalid if a folder holds what a change does not name: whoever deploys the commit deploys it too."""
    if more := sorted({*found} - {*paths}):
        shown = ", ".join(more[:5]) + (f" and {len(more) - 5} more" if len(more) > 5 else "")
        raise GitOpsInvalid(
            f"{folder} holds {shown}, which this commit does not own and would deploy: take it out first"
        )


def _lost_the_race(message: str) -> bool:
    """Whether a push failed because others pushed first, in the words of git and of the servers that are known."""
    signs = (
        "non-fast-forward",
        "fetch first",
        "stale info",
        "cannot lock ref",
        "failed to update ref",
        "incorrect old value provided",
        "reference already exists",
    )
    return any(sign in message for sign in signs)


def public(text: str) -> str:
    """Text without the credentials of URLs. The user of an SSH URL stays: it is part of the address and no secret."""
    text = re.sub(r"(?<!ssh)://[^/\s]+@", "://", text)
    return re.sub(r"(ssh://[^/:@\s]*):[^/\s]*@", r"\1@", text)
