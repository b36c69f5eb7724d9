"""Which code is running: the commit, whether the tree has been changed since, and the digest of parts of it."""

import hashlib
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from include.foundation.errors import InvalidInput

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
def digest(*parts: str) -> str:
    """SHA-256 of Python files: work that other code has done does not count as done.

    Args:
        parts: files, or folders with all that is in them, relative to `include/`.
    """
    total = hashlib.sha256()
    for part in parts:
        top = ROOT / "include" / part
        for path in sorted(top.rglob("*.py")) if top.is_dir() else [top]:
            total.update(f"{path.relative_to(ROOT)}\n".encode())
            total.update(path.read_bytes())
    return total.hexdigest()


def _git(root: Path, *arguments: str) -> str:
    # the checkout may belong to another user than the pod runs as
    command = ["git", "-c", f"safe.directory={root}", "-C", str(root), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout.strip()
