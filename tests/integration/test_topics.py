"""Topics on a real broker (Tansu) into a real lake (SeaweedFS), as the Dag reads them; and what a broker may refuse."""

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandera.polars as pa
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from flightline import assets
from flightline.tasks import ingest
from include.foundation.errors import AccessRefused, MissingInput
from include.foundation.lake import Lake, tables
from include.foundation.spec import UseCase, load
from include.stages.ingest import contracts
from include.stages.ingest.topics import reader
from include.stages.ingest.topics.reader import Reader
from sandbox.stream import tansu
from sandbox.supervisor.service import REPO, SandboxError, free_ports, running

pytestmark = pytest.mark.integration

Settings = dict[str, Any]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """How to reach a broker with the topic `gusts` of two partitions."""
    (port,) = free_ports(1)
    with running(tansu.service(host="127.0.0.1", port=port), log=tmp_path_factory.mktemp("tansu") / "log"):
        at = {"bootstrap.servers": f"127.0.0.1:{port}", "log_level": 0}
        admin = AdminClient(at)
        admin.create_topics([NewTopic("gusts", num_partitions=2, replication_factor=1)])["gusts"].result(60)
        yield at


def send(settings: Settings, *values: bytes | None, partition: int = 0) -> None:
    producer = Producer(settings)
    for value in values:
        producer.produce("gusts", value=value, partition=partition, key=b"key")
    assert producer.flush(60) == 0


class Gusts(pa.DataFrameModel):
    event_date: date
    at: str
    speed: float = pa.Field(ge=0)


@pytest.fixture
def spec(monkeypatch: pytest.MonkeyPatch) -> UseCase:
    """A use case with files and a topic."""
    said = load("flight_delays").model_dump(mode="json")
    source = {"kind": "topic", "name": "gusts", "topic": "gusts", "contract": "Gusts", "event_time": "at"}
    found = UseCase.model_validate({**said, "name": "gusty", "sources": [said["sources"][0], source]})
    monkeypatch.setattr(contracts, "module", lambda *_: SimpleNamespace(Gusts=Gusts))
    monkeypatch.setattr(ingest, "load", lambda _: found)
    return found


class Events(dict[Any, Any]):
    """What Airflow hands to a task to announce partitions by."""

    def __missing__(self, asset: Any) -> Any:
        self[asset] = SimpleNamespace(keys=[])
        self[asset].add_partitions = self[asset].keys.extend
        return self[asset]


def test_the_dag_reads_a_topic_to_silver_and_announces_the_days(
    settings: Settings, lake: Lake, spec: UseCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_KAFKA", json.dumps({"conn_type": "kafka", "extra": settings}))
    monkeypatch.setattr("flightline.hooks.lake.LakeHook.lake", lake)
    row = b'{"at": "2013-01-0%dT05:00:00Z", "speed": %d}'
    send(settings, *(row % (1 + n % 2, n) for n in range(500)))
    send(settings, b"no row", None, row % (3, -1), partition=1)

    def consume(run_id: str, **params: str) -> tuple[dict[str, Any], list[str]]:
        events = Events()
        said = SimpleNamespace(xcom_push=lambda *_: None)
        (found,) = ingest.consume.function("gusty", params=params, run_id=run_id, outlet_events=events, ti=said)
        return found, events[assets.silver(spec)["gusts"]].keys

    first, announced = consume("first")
    assert (first["messages"], first["landed"], first["quarantined"], first["lost"]) == (503, 503, 3, 0)
    assert {"2013-01-01", "2013-01-02", "2013-01-03"} < {*announced}
    assert tables.read(lake, "silver.gusty__gusts").height == 500
    assert {*tables.read(lake, "quarantine.gusty__gusts")["message_value"]} == {b"no row", None}

    second, announced = consume("second")
    assert (second["messages"], second["landed"], announced) == (0, 0, [])
    again, announced = consume("again", start_date="2013-01-02", end_date="2013-01-02")
    assert (again["messages"], again["landed"], announced) == (0, 250, ["2013-01-02"])

    send(settings, row % (1, 7))  # late: its day is made anew
    late, announced = consume("late")
    assert (late["messages"], late["landed"], announced) == (1, 251, ["2013-01-01"])


def test_files_and_topics_of_a_use_case_are_read_side_by_side(spec: UseCase, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.dag_processing.dagbag import DagBag

    monkeypatch.setattr("include.foundation.spec.load_all", lambda: [spec])
    bag = DagBag(REPO / "dags" / "ingest.py")
    assert bag.import_errors == {}
    dag = bag.dags["gusty.ingest"]
    assert {*dag.task_dict} == {"plan", "publish", "reconcile", "consume"}
    outlets = {name: [asset.name for asset in task.outlets] for name, task in dag.task_dict.items() if task.outlets}
    assert outlets["consume"] == ["silver.gusty__gusts"]
    assert "silver.gusty__gusts" not in outlets["reconcile"]
    assert dag.task_dict["consume"].upstream_task_ids == set()


def test_a_topic_that_there_is_not_is_waited_for(settings: Settings) -> None:
    with Reader(settings, "nobody") as one, pytest.raises(MissingInput, match="has no topic nobody"):
        one.seek({})


def test_wrong_credentials_are_refused_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "ANSWER_SECONDS", 5.0)
    (port,) = free_ports(1)
    words = (*tansu.service(host="127.0.0.1", port=port).command, "--authentication")
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        extra = {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "SCRAM-SHA-256"}
        wrong = {"sasl.username": "me", "sasl.password": "guessed", "log_level": 0}
        with (
            Reader({"bootstrap.servers": f"127.0.0.1:{port}", **extra, **wrong}, "t") as one,
            pytest.raises(AccessRefused, match="mend the credentials in the Connection `kafka`") as refused,
        ):
            one.seek({})
        assert "guessed" not in str(refused.value)
    finally:
        process.kill()
        process.wait()


@pytest.mark.long
@pytest.mark.timeout(900)  # some seconds, unless much else keeps the machine busy
def test_no_message_is_lost_or_doubled_however_often_the_consumer_is_killed() -> None:
    words = (sys.executable, "tests/soak/topics.py", "--kills", "4", "--messages", "400", "--seed", "7", "--folder")
    environment = {**os.environ, "PYTHONPATH": str(REPO)}
    done = subprocess.run(words, cwd=REPO, env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.match(r"sent 400, lost 0, doubled 0, unaccounted 0, kills \d+", done.stdout), done.stdout


def test_another_program_on_its_port_is_not_taken_for_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert not tansu.service(host="127.0.0.1", port=port).ready(0)  # takes the connection, says nothing
    assert not tansu.service(host="127.0.0.1", port=port).ready(0)


def test_a_missing_program_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tansu, "PROGRAM", tmp_path / "tansu")
    with pytest.raises(SandboxError, match=r"tansu is missing; `make setup`"):
        tansu.service(host="127.0.0.1", port=1).prepare()
