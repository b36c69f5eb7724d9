"""The state directory of one sandbox: what lies where, its secrets, its lock."""

import base64
import fcntl
import hmac
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sandbox.supervisor import processes
from sandbox.supervisor.service import REPO, SandboxError

DEFAULT_PORT = 8080
_HIGHEST_PORT = 55_000  # others are counted from it, some 10,000 above


@dataclass(frozen=True, kw_only=True)
class Secrets:
    """Made once per sandbox, kept in a file that only its owner may read."""

    s3_secret_key: str = field(repr=False)
    seaweedfs_signing_key: str = field(repr=False)
    sigopt_token: str = field(repr=False)
    cluster_token: str = field(repr=False)
    argocd_token: str = field(repr=False)
    argocd_password: str = field(repr=False)
    airflow_password: str = field(repr=False)
    airflow_fernet_key: str = field(repr=False)
    airflow_jwt_secret: str = field(repr=False)
    airflow_api_secret: str = field(repr=False)

    @classmethod
    def new(cls) -> "Secrets":
        """Fresh random ones."""
        return cls(
            s3_secret_key=secrets.token_hex(20),
            seaweedfs_signing_key=secrets.token_hex(24),
            sigopt_token=secrets.token_hex(24),
            cluster_token=secrets.token_hex(24),
            argocd_token=secrets.token_hex(24),
            argocd_password=secrets.token_urlsafe(12),
            airflow_password=secrets.token_urlsafe(12),
            airflow_fernet_key=base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            airflow_jwt_secret=secrets.token_urlsafe(48),
            airflow_api_secret=secrets.token_urlsafe(32),
        )

    def derived(self, name: str) -> str:
        """The secret of an optional service: the same for as long as the sandbox lives."""
        return hmac.digest(self.airflow_api_secret.encode(), name.encode(), "sha256").hex()


@dataclass(frozen=True)
class Home:
    """Paths under a sandbox's directory. Everything in it is its owner's alone."""

    path: Path

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> "Home":
        """`$FLIGHTLINE_HOME`, or `.sandbox` in the repository."""
        return cls(Path(environ.get("FLIGHTLINE_HOME") or REPO / ".sandbox").expanduser().resolve())

    @property
    def status(self) -> Path:
        """What the supervisor says about its services."""
        return self.path / "status.json"

    @property
    def kubeconfig(self) -> Path:
        """For `kubectl --kubeconfig`."""
        return self.path / "kubeconfig"

    @property
    def gitops(self) -> Path:
        """The bare Git repository of the deployments."""
        return self.path / "gitops.git"

    @property
    def airflow(self) -> Path:
        """`$AIRFLOW_HOME`."""
        return self.path / "airflow"

    def log(self, service: str) -> Path:
        """Where a service's output goes."""
        return self.path / "logs" / f"{service}.log"

    def token(self, service: str) -> Path:
        """The file with a service's access token."""
        return self.path / "tokens" / service

    def restart(self, service: str) -> Path:
        """The file that, with a SIGHUP, asks the supervisor to restart a service."""
        return self.path / f"restart.{service}"

    def make(self) -> None:
        """Make the directory and those that any service may write to."""
        for path in (self.path, self.path / "logs", self.path / "tokens", self.airflow):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path.chmod(0o700)  # it may have been there, open to others

    def secrets(self) -> Secrets:
        """The sandbox's secrets, made when first asked for.

        Raises:
            SandboxError: there is no sandbox yet, or the file is damaged.
        """
        file = self.path / "secrets.json"
        if not self.path.exists():
            raise SandboxError(f"there is no sandbox in {self.path} yet; `make up` makes it")
        if not file.exists():
            write(file, json.dumps(asdict(Secrets.new()), indent=1))
        try:
            return Secrets(**json.loads(file.read_text(encoding="utf-8")))
        except (ValueError, TypeError) as error:
            why = "restore it, or `make clean` to begin anew without the data"
            raise SandboxError(f"{file} is damaged ({error}); {why}") from error

    def port(self, environ: Mapping[str, str] = os.environ) -> int:
        """The base port: `$FLIGHTLINE_PORT`, else the one used last, else 8080.

        Raises:
            SandboxError: it is none.
        """
        file, asked = self.path / "port", environ.get("FLIGHTLINE_PORT")
        text = asked or (file.read_text(encoding="utf-8", errors="replace") if file.exists() else str(DEFAULT_PORT))
        if not text.strip().isdecimal() or not 0 < int(text) <= _HIGHEST_PORT:
            remedy = "set another" if asked else "remove the file, or set FLIGHTLINE_PORT"
            where = "FLIGHTLINE_PORT" if asked else file
            raise SandboxError(f"{where} is {text!r}, which is not a port from 1 to {_HIGHEST_PORT}; {remedy}")
        return int(text)


class Lock:
    """Held by the supervisor for as long as it lives; `up` takes it and hands it on, so there is no moment without.

    The kernel frees it when its last holder dies, however that happens.
    """

    def __init__(self, home: Home) -> None:
        self._path = home.path / "lock"

    def take(self) -> int | None:
        """The descriptor that holds the lock (pass it on to a child to keep it), None if somebody else holds it."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return descriptor

    def sign(self) -> None:
        """Leave word who holds the lock, for `holder`."""
        me = processes.look(os.getpid())
        self._path.write_text(f"{os.getpid()} {me.started if me else 0}", encoding="ascii")

    def holder(self) -> int | None:
        """The pid of who has signed and still lives."""
        try:
            pid, started = map(int, self._path.read_text(encoding="ascii").split())
        except (FileNotFoundError, ValueError):
            return None
        return pid if processes.alive(pid, started) else None

    def held(self) -> bool:
        """Whether somebody holds it."""
        descriptor = self.take()
        if descriptor is not None:
            os.close(descriptor)
        return descriptor is None


def write(path: Path, text: str) -> None:
    """Replace a file at once with one that only its owner may read."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


def read_json(path: Path) -> Any:
    """The JSON in a file, None if there is no such file."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
