"""Which code is running: the commit, whether the tree has been changed since, and the digest of parts of it."""

import hashlib
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from include.foundation.errors import InvalidInput
from include.foundation.evidence.imports import reachable

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True, kw_only=True)
class Code:
    """Attributes: `commit`, full hash; `dirty`, whether files differ from it."""

    commit: str
    dirty: bool


def running(*, allow_dirty: bool, root: Path = ROOT, environ: Mapping[str, str] = os.environ) -> Code:
    """The code that is running: `FLIGHTLINE_COMMIT` where an image states it, else what git says about `root`.

    Args:
        allow_dirty: accept a changed tree (the sandbox does). Elsewhere a model must be rebuildable from a commit.
        root: the checkout.
        environ: where `FLIGHTLINE_COMMIT` is looked up; images are built from clean trees.

    Raises:
        InvalidInput: there is neither, or the tree is dirty and that is not allowed.
    """
    if commit := environ.get("FLIGHTLINE_COMMIT"):
        return Code(commit=commit, dirty=False)
    try:
        commit = _git(root, "rev-parse", "HEAD")
        dirty = bool(_git(root, "status", "--porcelain"))
    except (OSError, subprocess.CalledProcessError) as error:
        detail = getattr(error, "stderr", "") or error
        raise InvalidInput(f"which commit is {root}? Set FLIGHTLINE_COMMIT. git says: {detail}") from error
    if dirty and not allow_dirty:
        raise InvalidInput(f"{root} has uncommitted changes: a model from it could not be rebuilt. Commit them")
    return Code(commit=commit, dirty=dirty)


@cache
def digest(*modules: str) -> str:
    """SHA-256 of the code of modules and of all that they import: work that other code has done does not count as done.

    Args:
        modules: dotted names, `include.…`.

    Raises:
        InvalidInput: there is no such module, or a file is not valid Python.
    """
    total = hashlib.sha256()
    for path in reachable(ROOT, *modules):
        total.update(f"{path.relative_to(ROOT)} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return total.hexdigest()


def environment(name: str) -> str:
    """SHA-256 of the lock that an environment is installed from.

    Raises:
        InvalidInput: there is no such lock here.
    """
    lock = ROOT / "requirements" / f"{name}.txt"
    try:
        return hashlib.sha256(lock.read_bytes()).hexdigest()
    except OSError as error:
        raise InvalidInput(f"which libraries train? {lock} cannot be read: {error.strerror}") from error


def feature_code(use_case: str) -> str:
    """SHA-256 of the code that makes a model's input of a request and of history, and answers of it."""
    parts = (f"include.use_cases.{use_case}.{part}" for part in ("features", "model"))
    return digest("include.foundation.artifact.scoring", "include.foundation.history.join", *parts)


def _git(root: Path, *arguments: str) -> str:
    # the checkout may belong to another user than the pod runs as
    command = ["git", "-c", f"safe.directory={root}", "-C", str(root), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout.strip()
