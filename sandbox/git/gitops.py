"""The bare Git repository that stands for the hosted one: Dags push deployments to it, Argo CD reads them."""

import shutil
import subprocess
from pathlib import Path

from sandbox.supervisor.service import SandboxError

_IDENTITY = {
    "GIT_AUTHOR_NAME": "Flightline sandbox",
    "GIT_AUTHOR_EMAIL": "sandbox@localhost",
    "GIT_COMMITTER_NAME": "Flightline sandbox",
    "GIT_COMMITTER_EMAIL": "sandbox@localhost",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
}


def create(path: Path) -> None:
    """Make the repository with one empty commit on `main`, unless it is there. History on it cannot be rewritten."""
    if path.exists():
        return
    draft = path.with_name(f"{path.name}.new")
    shutil.rmtree(draft, ignore_errors=True)
    _git("init", "--quiet", "--bare", "--initial-branch=main", str(draft))
    _git("-C", str(draft), "config", "receive.denyNonFastForwards", "true")
    tree = _git("-C", str(draft), "hash-object", "-w", "-t", "tree", "/dev/null")
    commit = _git("-C", str(draft), "commit-tree", tree, "-m", "Start with no deployments")
    _git("-C", str(draft), "update-ref", "refs/heads/main", commit)
    draft.rename(path)


def _git(*words: str) -> str:
    git = shutil.which("git")
    if git is None:
        raise SandboxError("git is missing; install it (for example `apt install git`)")
    done = subprocess.run((git, *words), env=_IDENTITY, check=False, capture_output=True, text=True)
    if done.returncode:
        raise SandboxError(f"git {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout.strip()
