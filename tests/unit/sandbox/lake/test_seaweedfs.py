import json
from pathlib import Path

import pytest

from sandbox.lake import seaweedfs
from sandbox.lake.seaweedfs import GRPC, Key
from sandbox.supervisor.service import Service

PORTS = dict(zip(seaweedfs.PORTS, range(9000, 9006), strict=True))
ADMIN = Key(name="all", access="a-key", secret="hidden-secret")
TEAM = Key.of_team("flights", access="t-key", secret="hidden-too", catalog="lake-flights")


@pytest.fixture
def service(tmp_path: Path) -> Service:
    return seaweedfs.service(tmp_path, ports=PORTS, admin=ADMIN, others=(TEAM,), signing_key="hidden-signing-key")


def test_it_says_every_port_that_it_takes(service: Service) -> None:
    assert sorted(service.ports) == [*range(9000, 9006), *(port + GRPC for port in (9000, 9002, 9003, 9004, 9005))]
    words = " ".join(service.command)
    assert all(str(port) in words for port in PORTS.values())


def test_it_stays_on_this_machine_and_tells_nobody(service: Service) -> None:
    assert {"-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-master.telemetry=false", "-disableHttp=true"} <= {*service.command}


def test_keys_are_in_a_file_of_its_owner_alone(service: Service, tmp_path: Path) -> None:
    service.prepare()
    (file,) = (word.partition("=")[2] for word in service.command if word.startswith("-s3.config="))
    assert Path(file).stat().st_mode & 0o777 == 0o600
    identities = json.loads(Path(file).read_text())["identities"]
    assert [each["credentials"][0]["secretKey"] for each in identities] == ["hidden-secret", "hidden-too"]
    assert "hidden" not in " ".join(service.command)
    assert "hidden" not in repr(TEAM)


def test_a_team_may_do_nothing_everywhere() -> None:
    assert all(":" in action and action.rpartition(":")[2] not in {"", "*"} for action in TEAM.actions)
    assert {action.rpartition(":")[2] for action in TEAM.actions} == {
        "landing/flights/*", "models/flights/*", "lake-flights",
    }  # fmt: skip


def test_options_of_the_last_start_do_not_come_back(service: Service, tmp_path: Path) -> None:
    service.prepare()
    (tmp_path / "seaweedfs" / "mini.options").write_text("s3.port=1\n")
    service.prepare()
    assert not (tmp_path / "seaweedfs" / "mini.options").exists()
