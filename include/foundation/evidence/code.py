"""Which code is running: the commit, whether the tree has been changed since, and the digest of parts of it."""

import hashlib
import os
import re
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from include.foundation.errors import InvalidInput
from include.foundation.evidence.imports import reachable

ROOT = Path(__file__).parents[3]
_CACHE = re.compile(r"/(__pycache__|\.[^/]*)/")


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
        environ: where `FLIGHTLINE_COMMIT` is looked up: a commit, with `-dirty` after it for a changed tree, as
            `git describe` writes it.

    Raises:
        InvalidInput: there is neither, or the tree is dirty and that is not allowed.
    """
    if stated := environ.get("FLIGHTLINE_COMMIT"):
        commit, dirty = stated.removesuffix("-dirty"), stated.endswith("-dirty")
    else:
        try:
            commit = _git(root, "rev-parse", "HEAD")
            dirty = bool(_git(root, "status", "--porcelain"))
        except (OSError, subprocess.CalledProcessError) as error:
            detail = getattr(error, "stderr", "") or error
            raise InvalidInput(f"which commit is {root}? Set FLIGHTLINE_COMMIT. git says: {detail}") from error
    if dirty and not allow_dirty:
        raise InvalidInput(f"{root} has uncommitted changes: a model from it could not be rebuilt. Commit them")
    return Code(commit=commit, dirty=dirty)


def image(reference: str, *, root: Path = ROOT, environ: Mapping[str, str] = os.environ) -> str:
    """The image with the code that is running: `<reference>:<commit>`, of a changed tree `<reference>@sha256:<tree>`.

    A reference that names a tag or a digest stays as it is.

    Args:
        reference: of an image, as a person wrote it.
        root: the checkout.
        environ: where `FLIGHTLINE_COMMIT` is looked up, and `FLIGHTLINE_ALLOW_DIRTY`: 1 accepts a changed tree.

    Raises:
        InvalidInput: it is not known which code is running, or the tree is changed and may not be.
    """
    if {"@", ":"} & {*reference.rpartition("/")[2]}:
        return reference
    state = running(allow_dirty=environ.get("FLIGHTLINE_ALLOW_DIRTY") == "1", root=root, environ=environ)
    return f"{reference}@sha256:{tree(root)}" if state.dirty else f"{reference}:{state.commit}"


def tree(root: Path) -> str:
    """SHA-256 of all files of `include/` but caches, which tools write beside them: the code in an image."""
    paths = sorted(path for path in (root / "include").rglob("*") if path.is_file())
    return _total(root, (path for path in paths if not _CACHE.search(f"/{path.relative_to(root)}")))


@cache
def digest(*modules: str) -> str:
    """SHA-256 of the code of modules and of all that they import: work that other code has done does not count as done.

    Args:
        modules: dotted names, `include.…`.

    Raises:
        InvalidInput: there is no such module, or a file is not valid Python.
    """
    return _total(ROOT, reachable(ROOT, *modules))


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


def _total(root: Path, paths: Iterable[Path]) -> str:
    total = hashlib.sha256()
    for path in paths:
        total.update(f"{path.relative_to(root)} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return total.hexdigest()


def _git(root: Path, *arguments: str) -> str:
    # the checkout may belong to another user than the pod runs as
    command = ["git", "-c", f"safe.directory={root}", "-C", str(root), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout.strip()
