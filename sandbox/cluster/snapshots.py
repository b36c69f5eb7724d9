"""The code in an image: what `include/` held at a commit, or in a working tree, kept read-only under the home.

An image's tag is a commit of the repository, its digest (`@sha256:…`) that of the files in `include/`.
"""

import compileall
import io
import py_compile
import re
import shutil
import subprocess
import tarfile
import tempfile
import threading
from collections.abc import Collection
from pathlib import Path

from include.foundation.evidence.code import tree

# Which libraries train is part of a training run's key: images hold the locks beside the code (Dockerfile).
_LOCKS = ("requirements/trainer.txt", "requirements/torch.txt")
_COMMIT, _DIGEST = re.compile("[0-9a-f]{40}"), re.compile("sha256:[0-9a-f]{64}")


class UnknownCodeError(Exception):
    """There is no such code, or it was not kept."""


class Snapshots:
    """Directories named by what they hold: `include/`, locks, and `commit`, the words of FLIGHTLINE_COMMIT.

    Args:
        repository: a checkout with its history.
        directory: where snapshots are kept.
    """

    _lock = threading.Lock()

    def __init__(self, repository: Path, directory: Path) -> None:
        self._repository, self._directory = repository, directory

    def find(self, version: str) -> Path:
        """The directory of a commit (40 hex digits) or of a tree (`sha256:…`); it is made if it can be.

        Raises:
            UnknownCodeError: it cannot, and why.
        """
        if not (_COMMIT.fullmatch(version) or _DIGEST.fullmatch(version)):
            raise UnknownCodeError(
                f"{version[:80] or 'no tag'} is neither a commit of {self._repository} nor the digest of a tree: "
                "promote the version again, or train anew"
            )
        target = self._directory / version.replace(":", "-")
        with self._lock:
            if not target.is_dir():
                self._make(version, target)
        return target

    def collect(self, needed: Collection[str]) -> None:
        """Delete the commits that are not needed now: Git has them for whoever asks again. Changed trees stay."""
        for path in self._directory.glob("*"):
            if _COMMIT.fullmatch(path.name) and path.name not in needed:
                with self._lock:
                    shutil.rmtree(path, ignore_errors=True)

    def _make(self, version: str, target: Path) -> None:
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryDirectory(dir=self._directory, prefix=".", ignore_cleanup_errors=True) as name:
            draft = Path(name) / "draft"
            if version.startswith("sha256:"):
                self._copy(version, draft)
            else:
                self._extract(version, draft)
            # Source and bytecode change together or not at all: nobody writes here again.
            compileall.compile_dir(draft, quiet=2, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
            for path in (*draft.rglob("*"), draft):
                if path.is_file():
                    path.chmod(0o444)
            draft.rename(target)

    def _extract(self, commit: str, draft: Path) -> None:
        archive = self._git("archive", "--format=tar", commit, "include")
        with tarfile.open(fileobj=io.BytesIO(archive)) as files:
            files.extractall(draft, filter="data")
        (draft / "requirements").mkdir()
        for lock in self._git("ls-tree", "--name-only", commit, *_LOCKS).decode().split():
            (draft / lock).write_bytes(self._git("show", f"{commit}:{lock}"))
        (draft / "commit").write_text(commit)

    def _copy(self, digest: str, draft: Path) -> None:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(self._repository / "include", draft / "include", ignore=ignored)
        (draft / "requirements").mkdir()
        for lock in filter(Path.is_file, map(self._repository.joinpath, _LOCKS)):
            shutil.copy(lock, draft / "requirements")
        if (found := f"sha256:{tree(draft)}") != digest:
            raise UnknownCodeError(
                f"the code in {self._repository} has changed since {digest[:19]} was named (it is {found[:19]} now), "
                "and no snapshot was taken: train anew"
            )
        (draft / "commit").write_text(self._git("rev-parse", "HEAD").decode().strip() + "-dirty")

    def _git(self, *arguments: str) -> bytes:
        command = ("git", "-c", f"safe.directory={self._repository}", "-C", str(self._repository), *arguments)
        done = subprocess.run(command, check=False, capture_output=True, timeout=60)
        if done.returncode:
            reason = done.stderr.decode(errors="replace").strip()[-300:]
            raise UnknownCodeError(f"git {' '.join(arguments)}: {reason}")
        return done.stdout
