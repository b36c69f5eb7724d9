"""Images: a JSON file says which environment of this machine stands for which repository."""

import json
from dataclasses import dataclass, field
from pathlib import Path


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


class Images:
    """The file, read at every look-up so that it may change while the cluster runs."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def find(self, reference: str) -> Image:
        """The environment of an image.

        Raises:
            UnknownImageError: the file does not name the repository, or cannot be read.
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
        return Image(
            path=entry.get("path", ""),
            workdir=entry.get("workdir", "/"),
            env=entry.get("env", {}),
            entrypoint=tuple(entry.get("entrypoint", ())),
            cmd=tuple(entry.get("cmd", ())),
        )
