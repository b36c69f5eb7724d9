"""Plain manifests of a path at a revision of a Git repository, through a local mirror clone and the git program."""

import hashlib
import os
import re
import subprocess
import threading
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from sandbox.argocd.errors import SourceError

Manifest = dict[str, Any]

GIT_SECONDS = 60
CACHED_RENDERINGS = 256
DIFF_CHARACTERS = 20_000
_SHA = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_TOOLS = {"kustomization.yaml": "Kustomize", "kustomization.yml": "Kustomize", "Chart.yaml": "Helm"}


class Sources:
    """Repositories by URL; renderings are kept until a hard refresh. Every method may raise SourceError."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._rendered: dict[tuple[str, str, str, bool], list[Manifest]] = {}

    def resolve(self, url: str, revision: str) -> str:
        """The commit of a branch, tag, commit or `HEAD` as the repository has it now."""
        if not _SHA.fullmatch(revision) or not self._has(url, revision):
            self._fetch(url)
        try:
            return self._git(url, "rev-parse", "--verify", "--quiet", f"{revision or 'HEAD'}^{{commit}}").strip()
        except SourceError:
            raise SourceError(f"unable to resolve '{revision}' to a commit SHA") from None

    def manifests(self, source: dict[str, Any], commit: str) -> list[Manifest]:
        """All objects in the YAML and JSON files of the source's path at a commit."""
        url, path = source["repoURL"], source.get("path") or "."
        recurse = bool((source.get("directory") or {}).get("recurse"))
        key = (url, commit, path, recurse)
        if key not in self._rendered:
            if not self._has(url, commit):
                self._fetch(url)
            if len(self._rendered) >= CACHED_RENDERINGS:
                self._rendered.clear()
            self._rendered[key] = self._render(url, commit, path, recurse)
        return self._rendered[key]

    def forget(self) -> None:
        """Drop the renderings (hard refresh)."""
        self._rendered.clear()

    def metadata(self, url: str, commit: str) -> dict[str, Any]:
        """Author, date, message and tags of a commit, which is named by its full SHA."""
        if not _SHA.fullmatch(commit):
            raise SourceError(f"revision {commit[:100]!r} is no full commit SHA")
        if not self._has(url, commit):
            self._fetch(url)
        shown = self._git(
            url, "show", "--no-patch", "--format=%an <%ae>%n%cd%n%B", "--date=format-local:%FT%TZ", commit
        )
        author, date, message = shown.split("\n", 2)
        tags = self._git(url, "tag", "--points-at", commit).split()
        return {"author": author, "date": date, "message": message.strip(), **({"tags": tags} if tags else {})}

    def diff(self, url: str, commit: str, path: str) -> str:
        """What a commit changed under a path, `DIFF_CHARACTERS` of it at most."""
        self.metadata(url, commit)  # a full SHA, and here
        shown = self._git(url, "show", "--format=", "--no-ext-diff", "--no-textconv", commit, "--", path)
        return shown if len(shown) <= DIFF_CHARACTERS else f"{shown[:DIFF_CHARACTERS]}\n[the rest is left out]"

    def _render(self, url: str, commit: str, path: str, recurse: bool) -> list[Manifest]:
        folder = "" if path == "." else f"{PurePosixPath(path)}/"
        listing = self._git(
            url, "ls-tree", "-z", "--name-only", *(["-r"] if recurse else []), commit, "--", folder or "."
        )
        names = [name for name in listing.split("\0") if name.startswith(folder)]
        if not names:
            raise SourceError(f"{path}: app path does not exist")
        for name in names:
            if tool := _TOOLS.get(PurePosixPath(name).name):
                raise SourceError(f"{name}: {tool} is left out of this stand-in, plain manifests only")
        files = [name for name in names if name.endswith((".yaml", ".yml", ".json"))]
        return [found for name in files for found in _objects(name, self._git(url, "show", f"{commit}:{name}"))]

    def _mirror(self, url: str) -> Path:
        return self._folder / hashlib.sha256(url.encode()).hexdigest()[:32]

    def _has(self, url: str, commit: str) -> bool:
        try:
            self._git(url, "cat-file", "-e", f"{commit}^{{commit}}")
        except SourceError:
            return False
        return True

    def _fetch(self, url: str) -> None:
        with self._lock:
            mirror = self._mirror(url)
            if not (mirror / "HEAD").exists():
                self._run("init", "--quiet", "--bare", str(mirror))
            head = self._run("ls-remote", "--symref", "--", url, "HEAD")
            self._git(url, "fetch", "--quiet", "--prune", "--force", "--", url, "+refs/*:refs/*")
            if match := re.search(r"^ref: (\S+)\tHEAD", head, re.MULTILINE):
                self._git(url, "symbolic-ref", "HEAD", match[1])

    def _git(self, url: str, *arguments: str) -> str:
        return self._run("--git-dir", str(self._mirror(url)), *arguments)

    def _run(self, *arguments: str) -> str:
        environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
        try:
            done = subprocess.run(
                ["git", *arguments], env=environment, capture_output=True, timeout=GIT_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            raise SourceError(f"git did not answer in {GIT_SECONDS} s") from None
        except ValueError as error:  # a NUL in a name
            raise SourceError(f"git cannot be asked: {error}") from error
        if done.returncode:
            raise SourceError(done.stderr.decode(errors="replace").strip() or f"git failed with {done.returncode}")
        return done.stdout.decode(errors="replace")


def _objects(name: str, text: str) -> list[Manifest]:
    try:
        documents = [document for document in yaml.safe_load_all(text) if document is not None]
    except yaml.YAMLError as error:
        raise SourceError(f"Failed to unmarshal {name!r}: {error}") from error
    found = []
    for document in documents:
        if not isinstance(document, dict) or not isinstance(document.get("kind"), str):
            raise SourceError(f"Failed to unmarshal {name!r}: Object 'Kind' is missing")
        items = document["items"] if document["kind"] == "List" else [document]
        for item in items:
            if not item.get("apiVersion") or not (item.get("metadata") or {}).get("name"):
                raise SourceError(f"Failed to unmarshal {name!r}: {item['kind']} has no apiVersion or metadata.name")
            found.append(item)
    return found
