"""Real services for tests: each starts when a test first asks for it and is gone at the end of the session."""

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from include.foundation.lake import S3, Lake
from sandbox.airflow.api import AirflowApi
from sandbox.airflow.config import USER
from sandbox.database import postgres as postgres_service
from sandbox.endpoints import Endpoints
from sandbox.lake import seaweedfs as lake_service
from sandbox.supervisor.service import REPO, Service, answers, free_ports, python, running
from tests.integration import trips

# Examples are drawn on machines that other work slows down: how long one takes says nothing about the code.
settings.register_profile("flightline", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("flightline")

# Torch has an environment of its own. Behind dev's packages: only what these lack comes from there.
sys.path += map(str, python("torch").parents[1].glob("lib/python*/site-packages"))

# Airflow reads it when it is first imported.
os.environ.setdefault("AIRFLOW__CORE__PLUGINS_FOLDER", str(REPO / "plugins"))


def pytest_configure() -> None:
    """Let a run that is told to end (a time limit, a closed terminal) end its services too, as Ctrl-C does."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files whose tests may take longest first: begun last, one would keep the other worker waiting."""
    seconds: dict[Path, float] = defaultdict(float)
    for item in items:
        if item.get_closest_marker("long"):
            timeout = item.get_closest_marker("timeout")
            seconds[item.path] -= timeout.args[0] if timeout else float(item.config.getini("timeout"))
    items.sort(key=lambda item: seconds.get(item.path, 0.0))


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


class SeaweedFS:
    """The session's SeaweedFS: its addresses and its keys, of which two are teams' own."""

    def __init__(self) -> None:
        self.ports = dict(zip(lake_service.PORTS, free_ports(len(lake_service.PORTS)), strict=True))
        self.key = lake_service.Key(name="flightline", access="flightline", secret=secrets.token_hex(16))
        self.teams = tuple(
            lake_service.Key.of_team(
                name, access=f"key-of-{name}", secret=secrets.token_hex(16), catalog=f"lake-{name}"
            )
            for name in ("north", "south")
        )

    def service(self, home: Path) -> Service:
        """The service, with a catalog for each team."""
        return lake_service.service(
            home,
            ports=self.ports,
            admin=self.key,
            others=self.teams,
            signing_key=secrets.token_hex(16),
            catalogs=(lake_service.CATALOG, *(f"lake-{team.name}" for team in self.teams)),
        )

    def s3(self, key: lake_service.Key | None = None) -> S3:
        """S3 by a key, that of the administrator when none is given."""
        key = key or self.key
        url = f"http://127.0.0.1:{self.ports['s3']}"
        return S3(endpoint=url, region=lake_service.REGION, access_key=key.access, secret_key=key.secret)

    def catalog(self, name: str = lake_service.CATALOG, key: lake_service.Key | None = None) -> dict[str, str]:
        """Properties of one of its catalogs."""
        url = f"http://127.0.0.1:{self.ports['catalog']}"
        return lake_service.catalog(url, key or self.key, name=name)

    def new_catalog(self) -> dict[str, str]:
        """Properties of a new catalog without tables."""
        import boto3

        name, s3 = f"lake-{secrets.token_hex(4)}", self.s3()
        boto3.client(
            "s3tables",
            endpoint_url=s3.endpoint,
            region_name=s3.region,
            aws_access_key_id=s3.access_key,
            aws_secret_access_key=s3.secret_key,
        ).create_table_bucket(name=name)
        return self.catalog(name)


@pytest.fixture(scope="session")
def seaweedfs(service_home: Path) -> Iterator[SeaweedFS]:
    """A running SeaweedFS: S3 and Iceberg catalogs."""
    one = SeaweedFS()
    with running(one.service(service_home), log=service_home / "seaweedfs.log"):
        yield one


@pytest.fixture(scope="session")
def s3(seaweedfs: SeaweedFS) -> S3:
    """A running S3 with the buckets landing, models and mlflow."""
    return seaweedfs.s3()


@pytest.fixture(scope="session")
def glue_url(service_home: Path) -> Iterator[str]:
    """An emulated Glue."""
    (port,) = free_ports(1)
    command = (str(python("dev")), "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port))
    url = f"http://127.0.0.1:{port}"
    service = Service(name="glue", command=command, ready=partial(answers, f"{url}/moto-api/data.json"))
    with running(service, log=service_home / "glue.log"):
        yield url


@pytest.fixture(scope="session")
def new_lake(request: pytest.FixtureRequest, seaweedfs: SeaweedFS) -> Iterator[Callable[..., Lake]]:
    """Call it for a lake without tables, files or models, and whose catalog has never been opened.

    Its catalog is one of SeaweedFS's own (`rest`), or one in PostgreSQL (`sql`) or an emulated Glue (`glue`).
    """
    made: list[Lake] = []

    def make(catalog: str = "rest") -> Lake:
        name = secrets.token_hex(4)
        files = {"warehouse": f"s3://models/{name}.lake"}
        if catalog == "sql":
            dsn = request.getfixturevalue("postgres_database")()
            uri = dsn.replace("postgresql://", "postgresql+psycopg2://", 1)
            properties = {"type": "sql", "uri": uri, **files}
        elif catalog == "glue":
            keys = {"glue.region": "us-east-1", "glue.access-key-id": "key", "glue.secret-access-key": "secret"}
            url = request.getfixturevalue("glue_url")
            properties = {"type": "glue", "glue.endpoint": url, "glue.id": str(int(name, 16)), **keys, **files}
        else:
            properties = seaweedfs.new_catalog()
        places = {"landing": f"s3://landing/{name}", "models": f"s3://models/{name}"}
        made.append(Lake(catalog_properties=properties, s3=seaweedfs.s3(), **places))
        return made[-1]

    yield make
    for each in made:
        each.catalog().close()


@pytest.fixture(scope="module")
def lake(new_lake: Callable[[], Lake]) -> Lake:
    """An empty lake of the module's own."""
    return new_lake()


class Sandbox:
    """A sandbox with a home and ports of its own, driven as a person would: by its commands, from a checkout."""

    def __init__(self, home: Path, checkout: Path) -> None:
        self.home, self.checkout = home, checkout
        self.port = free_ports(60)[0]
        own = {"PYTHONPATH": str(checkout), "FLIGHTLINE_HOME": str(home), "FLIGHTLINE_PORT": str(self.port)}
        self.env = {**os.environ, **own}

    def run(self, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
        """`python -m sandbox` with these words; output is captured."""
        command = (sys.executable, "-m", "sandbox", *words)
        env = {**self.env, **env}
        return subprocess.run(command, cwd=self.checkout, env=env, check=False, capture_output=True, text=True)

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
def sandbox(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """The whole sandbox, up, for all tests of the module, of a checkout that has use cases of the tests' own too.

    A module that needs optional services too names all in `SERVICES`; one with other use cases, `USE_CASES`.
    """
    checkout = tmp_path_factory.mktemp("checkout")
    for part in ("dags", "deploy", "include", "plugins", "requirements", "sandbox"):
        shutil.copytree(REPO / part, checkout / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPO / ".gitignore", checkout)
    (checkout / ".venv").symlink_to(REPO / ".venv")
    trips.write(checkout, *getattr(request.module, "USE_CASES", ("crowding", "duration")))
    identity = ("-c", "user.name=Tests", "-c", "user.email=tests@localhost")
    for words in (("init", "-q"), ("add", "."), ("commit", "-qm", "A checkout")):
        subprocess.run(("git", *identity, *words), cwd=checkout, check=True)
    with _sandbox(checkout) as one:
        one.up(*getattr(request.module, "SERVICES", ()))
        yield one


@contextmanager
def _sandbox(checkout: Path = REPO) -> Iterator[Sandbox]:
    home = Path(tempfile.mkdtemp(prefix="flt-"))
    one = Sandbox(home, checkout)
    try:
        yield one
    finally:
        one.down()
        shutil.rmtree(home)


@pytest.fixture
def folder_lake(tmp_path: Path) -> Lake:
    """A lake in a folder of the test's own, without any service."""
    (tmp_path / "lake").mkdir()
    return Lake(
        catalog_properties={
            "type": "sql",
            "uri": f"sqlite:///{tmp_path}/catalog.db",
            "warehouse": f"file://{tmp_path}/lake",
        },
        landing="s3://landing",
        models="s3://models",
    )
