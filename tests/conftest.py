"""Real services for tests: each starts when a test first asks for it and is gone at the end of the session."""

import json
import os
import random
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sandbox import postgres as postgres_service
from sandbox import s3 as s3_service
from sandbox.airflow_api import AirflowApi
from sandbox.airflow_config import USER
from sandbox.endpoints import Endpoints
from sandbox.service import REPO, free_ports, running

if TYPE_CHECKING:
    from include.lake.connection import Lake


@dataclass(frozen=True, kw_only=True)
class S3:
    """Where the tests' S3 is and who may use it."""

    endpoint: str
    access_key: str
    secret_key: str
    region: str = s3_service.REGION

    def env(self) -> dict[str, str]:
        """The variables by which boto3, pyarrow and `include.lake` find it."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": self.region,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "FLIGHTLINE_LANDING": "s3://landing",
            "FLIGHTLINE_MODELS": "s3://models",
        }

    def catalog(self, dsn: str) -> dict[str, str]:
        """Properties of a pyiceberg catalog with its tables here and its names in a PostgreSQL database."""
        return {
            "type": "sql",
            "uri": dsn.replace("postgresql://", "postgresql+psycopg2://", 1),
            "warehouse": "s3://lake",
            "s3.endpoint": self.endpoint,
            "s3.region": self.region,
            "s3.access-key-id": self.access_key,
            "s3.secret-access-key": self.secret_key,
        }


@pytest.fixture(scope="session")
def service_home() -> Iterator[Path]:
    """A short path (PostgreSQL's socket allows 107 characters) for the state of the session's services."""
    home = Path(tempfile.mkdtemp(prefix="flt-"))
    yield home
    shutil.rmtree(home)


@pytest.fixture(scope="session")
def postgres_database(service_home: Path) -> Iterator[Callable[[], str]]:
    """Call it for the DSN of a new, empty database."""
    service = postgres_service.service(service_home, databases=(), durable=False)
    sockets = postgres_service.socket_directory(service_home)

    def create() -> str:
        name = f"test_{secrets.token_hex(6)}"
        postgres_service.create(sockets, (name,))
        return postgres_service.dsn(sockets, name)

    with running(service, log=service_home / "postgres.log"):
        yield create


@pytest.fixture(scope="session")
def postgres_dsn(postgres_database: Callable[[], str]) -> str:
    """The libpq DSN of the session's database."""
    return postgres_database()


@pytest.fixture(scope="session")
def s3(service_home: Path) -> Iterator[S3]:
    """A running S3 with the buckets landing, lake, models and mlflow."""
    (port,) = free_ports(1)
    access_key, secret_key = "flightline", secrets.token_hex(16)
    service = s3_service.service(service_home, port=port, access_key=access_key, secret_key=secret_key)
    with running(service, log=service_home / "s3.log"):
        yield S3(endpoint=service.url, access_key=access_key, secret_key=secret_key)


@pytest.fixture(scope="session")
def lake(postgres_database: Callable[[], str], s3: S3) -> "Lake":
    """An empty lake of the session's own."""
    from include.lake.connection import PREFIX, Lake

    catalog = s3.catalog(postgres_database())
    names = {PREFIX + key.upper().replace(".", "__").replace("-", "_"): value for key, value in catalog.items()}
    return Lake.from_env({**s3.env(), **names})


class Sandbox:
    """A sandbox with a home and ports of its own, driven as a person would: by its commands."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.port = _free_base()
        self.env = {**os.environ, "FLIGHTLINE_HOME": str(home), "FLIGHTLINE_PORT": str(self.port)}

    def run(self, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
        """`python -m sandbox` with these words; output is captured."""
        command = (sys.executable, "-m", "sandbox", *words)
        return subprocess.run(command, cwd=REPO, env={**self.env, **env}, check=False, capture_output=True, text=True)

    def up(self, *services: str) -> None:
        """Start it (or only some services); fails with what `up` said."""
        done = self.run("up", *services)
        assert done.returncode == 0, done.stdout + done.stderr

    def down(self) -> None:
        """Stop it; fails with what `down` said."""
        done = self.run("down")
        assert done.returncode == 0, done.stdout + done.stderr

    def services(self) -> dict[str, dict[str, Any]]:
        """`status --json`, by name."""
        done = self.run("status", "--json")
        assert done.stdout, done.stderr
        return {one["name"]: one for one in json.loads(done.stdout)}

    @property
    def endpoints(self) -> Endpoints:
        """Its URLs, environments, Connections and secrets."""
        return Endpoints.from_env(self.env)

    @property
    def api(self) -> AirflowApi:
        """A client of its Airflow."""
        at = self.endpoints
        return AirflowApi(url=at.url("airflow"), username=USER, password=at.secrets.airflow_password)


def _free_base() -> int:
    """A base port with 60 free ones from it on, below those that the kernel hands out by itself."""
    while True:
        base = random.randrange(20_000, 32_000, 60)
        try:
            for port in range(base, base + 60):
                socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return base


@pytest.fixture
def new_sandbox() -> Iterator[Sandbox]:
    """A sandbox that is not up yet; whatever a test leaves of it is taken down."""
    with _sandbox() as one:
        yield one


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """The whole sandbox, up, for all tests of the session."""
    with _sandbox() as one:
        one.up()
        yield one


@contextmanager
def _sandbox() -> Iterator[Sandbox]:
    home = Path(tempfile.mkdtemp(prefix="flt-"))
    one = Sandbox(home)
    try:
        yield one
    finally:
        one.down()
        shutil.rmtree(home)
