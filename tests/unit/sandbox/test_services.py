"""The catalogue as a whole: names, needs, ports, and the small services' preparation."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox import metrics
from sandbox.cluster.images import Images, UnknownImageError
from sandbox.database.postgres import socket_directory
from sandbox.endpoints import OFFSETS, Endpoints
from sandbox.git import gitops
from sandbox.services import OPTIONAL, catalogue, chosen
from sandbox.supervisor import preflight
from sandbox.supervisor.home import Home, Secrets
from sandbox.supervisor.service import SandboxError, environment


@pytest.fixture
def at(tmp_path, monkeypatch) -> Endpoints:
    monkeypatch.setattr(metrics, "programs", lambda: {name: f"/usr/bin/{name}" for name in metrics.PACKAGES})
    return Endpoints(home=Home(tmp_path), port=9000, secrets=Secrets.new())


def test_what_a_service_needs_exists_and_there_is_no_circle(at) -> None:
    left = dict(catalogue(at))
    order = []
    while left:
        free = [name for name, one in left.items() if not set(left) & {*one.needs, *one.outlived_by}]
        assert free, left.keys()
        order += free
        left = {name: one for name, one in left.items() if name not in free}
    assert order[0] == "postgres"
    for service in catalogue(at).values():
        assert {*service.needs, *service.outlived_by} <= set(order)


def test_images_need_no_environment_until_they_are_pulled(at) -> None:
    at.home.make()
    catalogue(at)["cluster"].prepare()
    images = json.loads((at.home.path / "images.json").read_text())
    assert {"flightline/trainer", "flightline/torch", "flightline/spark", "flightline/serving"} <= set(images)
    images["flightline/spark"]["path"] = str(at.home.path / "not" / "installed" / "bin")
    (at.home.path / "images.json").write_text(json.dumps(images))
    with pytest.raises(UnknownImageError, match=r"run make \.venv/installed/ready"):
        Images(at.home.path / "images.json").find("flightline/spark:1")


def test_ports_differ(at) -> None:
    ports = [port for service in catalogue(at).values() for port in service.ports]
    grpc = [at.port_of(name) + 10_000 for name in ("master", "filer", "volume", "admin", "s3")]
    assert sorted(ports) == sorted([*(9000 + offset for offset in OFFSETS.values()), *grpc])
    assert len({*ports}) == len(ports)


def test_without_prometheus_nothing_is_pushed(at, monkeypatch) -> None:
    assert {"prometheus", "pushgateway"} < {*catalogue(at)}
    assert "pushgateway" in at.connections
    monkeypatch.setattr(metrics, "programs", dict)
    assert not {"prometheus", "pushgateway"} & {*catalogue(at)}
    assert "pushgateway" not in at.connections


def test_the_lake_of_an_earlier_version_is_refused(at) -> None:
    preflight.layout(at.home)
    (at.home.path / "s3").mkdir()
    with pytest.raises(SandboxError, match=r"/s3 holds the lake of an earlier version.*make clean"):
        preflight.layout(at.home)


def test_chosen_brings_what_is_needed(at) -> None:
    names = ["scheduler"]
    assert list(chosen(at, names)) == ["postgres", "migration", "scheduler"]
    assert names == ["scheduler"]
    assert list(chosen(at, [])) == [name for name in catalogue(at) if name not in OPTIONAL]
    assert list(chosen(at, ["all", "kubeflow"])) == [*chosen(at, []), "kubeflow"]
    assert list(chosen(at, ["sagemaker"])) == ["seaweedfs", "cluster", "sagemaker"]
    assert list(chosen(at, ["all", "modzy"])) == [*chosen(at, []), "modzy"]
    assert list(chosen(at, ["modzy"])) == ["seaweedfs", "cluster", "modzy"]
    with pytest.raises(SandboxError, match="no service 'kafka'; there are: postgres, seaweedfs"):
        chosen(at, ["kafka"])


def test_a_users_settings_do_not_leak_in(at, monkeypatch) -> None:
    for name in ("AIRFLOW__CORE__EXECUTOR", "AWS_PROFILE", "http_proxy", "PYTHONPATH"):
        monkeypatch.setenv(name, "mine")
    for service in catalogue(at).values():
        assert "mine" not in environment(service).values()


def test_secrets_are_in_no_command_line(at) -> None:
    words = " ".join(word for service in catalogue(at).values() for word in service.command)
    assert not [name for name, value in vars(at.secrets).items() if value in words]


def test_airflows_settings_reach_airflow(at) -> None:
    at.home.make()
    odd = replace(at, secrets=replace(at.secrets, airflow_jwt_secret="50%(x)s"))
    migration = catalogue(odd)["migration"]
    migration.prepare()
    code = "from airflow.configuration import conf; print(conf.get('api_auth', 'jwt_secret'), conf.get('api', 'port'))"
    command = (migration.command[0], "-c", code)
    done = subprocess.run(command, env=environment(migration), check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["50%(x)s", "9000"]
    assert {path.stat().st_mode & 0o777 for path in at.home.airflow.glob("*.*")} == {0o600}


def test_a_home_with_a_comma_gets_a_socket_without(tmp_path) -> None:
    assert "," not in str(socket_directory(tmp_path / "a,b"))


def test_a_long_home_gets_a_short_socket(tmp_path) -> None:
    assert socket_directory(tmp_path) == tmp_path / "run"
    long = socket_directory(tmp_path / ("x" * 100))
    assert len(str(long / ".s.PGSQL.5432")) < 107
    assert long != socket_directory(tmp_path / ("y" * 100))


def test_the_gitops_repository_takes_pushes_but_no_rewriting(tmp_path) -> None:
    def git(*words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        identity = ("-c", "user.name=t", "-c", "user.email=t@localhost")
        return subprocess.run(("git", *identity, "-C", clone, *words), check=check, capture_output=True, text=True)

    bare, clone = tmp_path / "gitops.git", tmp_path / "clone"
    gitops.create(bare)
    subprocess.run(("git", "clone", "-q", "-b", "main", bare.as_uri(), clone), check=True)
    (clone / "a").write_text("1")
    git("add", "a")
    git("commit", "-q", "-m", "one")
    git("push", "-q")
    gitops.create(bare)  # again: nothing is lost
    git("commit", "-q", "--amend", "-m", "other")
    assert git("push", "-q", "--force", check=False).returncode != 0
    log = subprocess.run(("git", "-C", bare, "log", "--format=%s", "main"), check=True, capture_output=True, text=True)
    assert log.stdout == "one\nStart with no deployments\n"


def test_a_full_disk_is_named(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(preflight, "NEEDED_DISK_BYTES", 1 << 60)
    with pytest.raises(SandboxError, match=rf"the disk of {tmp_path} has \d+ MB free .* set FLIGHTLINE_HOME"):
        preflight.disk(Home(tmp_path))


def test_a_missing_environment_is_named(at, monkeypatch) -> None:
    monkeypatch.setattr("sandbox.supervisor.service.REPO", Path("/nowhere"))
    with pytest.raises(SandboxError, match=r"/nowhere/\.venv/sandbox is missing; `make setup` makes it"):
        catalogue(at)
