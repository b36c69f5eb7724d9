"""Real services for tests: each starts when a test first asks for it and is gone at the end of the session."""

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from include.foundation.lake import S3, Lake
from sandbox.airflow.api import AirflowApi
from sandbox.airflow.config import USER
from sandbox.database import postgres as postgres_service
from sandbox.endpoints import Endpoints
from sandbox.lake import s3 as s3_service
from sandbox.supervisor.service import REPO, free_ports, running

# Examples are drawn on machines that other work slows down: how long one takes says nothing about the code.
settings.register_profile("flightline", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("flightline")


# Airflow reads it when it is first imported.
os.environ.setdefault("AIRFLOW__CORE__PLUGINS_FOLDER", str(REPO / "plugins"))


def pytest_configure() -> None:
    """Let a run that is told to end (a time limit, a closed terminal) end its services too, as Ctrl-C does."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)


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
        yield S3(endpoint=service.url, region=s3_service.REGION, access_key=access_key, secret_key=secret_key)


@pytest.fixture(scope="session")
def new_lake(postgres_database: Callable[[], str], s3: S3) -> Iterator[Callable[[], Lake]]:
    """Call it for a lake without tables, files or models, and whose catalog has never been opened."""
    made: list[Lake] = []

    def make() -> Lake:
        name, dsn = secrets.token_hex(4), postgres_database()
        catalog = {
            "type": "sql",
            "uri": dsn.replace("postgresql://", "postgresql+psycopg2://", 1),
            "warehouse": f"s3://lake/{name}",
        }
        made.append(
            Lake(catalog_properties=catalog, s3=s3, landing=f"s3://landing/{name}", models=f"s3://models/{name}")
        )
        return made[-1]

    yield make
    for each in made:
        each.catalog().close()


@pytest.fixture(scope="module")
def lake(new_lake: Callable[[], Lake]) -> Lake:
    """An empty lake of the module's own."""
    return new_lake()


class Sandbox:
    """A sandbox with a home and ports of its own, driven as a person would: by its commands."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.port = free_ports(60)[0]
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


@pytest.fixture
def new_sandbox() -> Iterator[Sandbox]:
    """A sandbox that is not up yet; whatever a test leaves of it is taken down."""
    with _sandbox() as one:
        yield one


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """The whole sandbox, up, for all tests of the module."""
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
