"""Images: a JSON file says which environment of this machine stands for which repository.

An entry with `code` holds this project's code as well, of the version that a reference names (`snapshots.Snapshots`).
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.cluster.snapshots import Snapshots, UnknownCodeError


class UnknownImageError(Exception):
    """No environment stands for the image."""


@dataclass(frozen=True)
class Image:
    """An environment: `path` goes in front of PATH; `entrypoint` and `cmd` are what a pod may leave to the image."""

    path: str = ""
    workdir: str = "/"
    env: dict[str, str] = field(default_factory=dict)
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()


def repository(reference: str) -> str:
    """An image reference without tag and digest: `reg:5000/team/app:1@sha256:…` is `reg:5000/team/app`."""
    name = reference.partition("@")[0]
    head, slash, tail = name.rpartition("/")
    return head + slash + tail.partition(":")[0]


def version(reference: str) -> str:
    """The digest of an image reference, else its tag, else nothing."""
    name, _, digest = reference.partition("@")
    return digest or name.rpartition("/")[2].partition(":")[2]


def _snapshots(code: Mapping[str, str]) -> Snapshots:
    return Snapshots(Path(code["repository"]), Path(code["snapshots"]))


class Images:
    """The file, read at every look-up so that it may change while the cluster runs."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def collect(self, references: Iterable[str]) -> None:
        """Delete code that none of the images in use needs and that can be had again."""
        needed = {version(reference) for reference in references}
        try:
            entries = json.loads(self._path.read_text())
        except (OSError, ValueError):
            return  # find says so
        for entry in entries.values():
            if "code" in entry:
                _snapshots(entry["code"]).collect(needed)

    def find(self, reference: str) -> Image:
        """The environment of an image.

        Raises:
            UnknownImageError: the file does not name the repository, or cannot be read, or there is no such code.
        """
        name = repository(reference)
        try:
            entries = json.loads(self._path.read_text())
        except (OSError, ValueError) as error:
            raise UnknownImageError(f'failed to pull image "{reference}": {self._path}: {error}') from error
        if name not in entries:
            message = f'failed to pull and unpack image "{reference}": {name}: not found'
            raise UnknownImageError(f"rpc error: code = NotFound desc = {message} (not in {self._path})")
        entry = entries[name]
        workdir, env = entry.get("workdir", "/"), entry.get("env", {})
        if code := entry.get("code"):
            if not Path(entry["path"]).is_dir():
                remedy = f"run make .venv/{Path(entry['path']).parent.name}/ready"
                raise UnknownImageError(f'failed to pull image "{reference}": there is no {entry["path"]}: {remedy}')
            try:
                root = _snapshots(code).find(version(reference))
            except UnknownCodeError as error:
                raise UnknownImageError(f'failed to pull image "{reference}": {error}') from error
            workdir = str(root)
            env = env | {"PYTHONPATH": workdir, "FLIGHTLINE_COMMIT": (root / "commit").read_text()}
        return Image(
            path=entry.get("path", ""),
            workdir=workdir,
            env=env,
            entrypoint=tuple(entry.get("entrypoint", ())),
            cmd=tuple(entry.get("cmd", ())),
        )
