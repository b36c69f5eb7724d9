"""The serving process as a pod runs it: its own environment, a model file in S3, history in PostgreSQL."""

import json
import random
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import httpx
import numpy as np
import polars as pl
import pytest

from flightline.hooks.kafka import KafkaHook
from flightline.tasks import predictions
from include.foundation import spec
from include.foundation.artifact import Metadata, digest, open_model, store
from include.foundation.artifact.writer import seal
from include.foundation.errors import DigestMismatch
from include.foundation.evidence.code import feature_code
from include.foundation.history import join, table
from include.foundation.lake import Lake, tables
from include.foundation.lake.commit import replace_days
from include.services.serving.records import example
from include.stages.monitoring.skew import Skew, skew
from include.stages.promotion.smoke import smoke
from sandbox.database import postgres
from sandbox.stream import tansu
from sandbox.supervisor.service import Service, answers, free_ports, python, running, start

pytestmark = pytest.mark.integration

FLIGHTS = spec.load("flight_delays")
FEATURES, MODEL = spec.module("flight_delays", "features"), spec.module("flight_delays", "model")
PREDICT, INFER = "/v1/models/flight_delays/predict", "/v2/models/flight_delays/infer"
SHORT = {"FLIGHTLINE_DRAIN_SECONDS": "1"}


class Model(NamedTuple):
    uri: str
    digest: str
    data: bytes


def _values(dtype: Any, count: int, seed: int) -> pl.Series:
    numbers = np.random.default_rng(seed).integers(0, 100, count)
    if dtype == pl.String:
        return pl.Series([("AA", "UA", "EWR", "JFK", None)[number % 5] for number in numbers], dtype=pl.String)
    return pl.Series([None if number > 90 else number for number in numbers.tolist()]).cast(dtype)


def _fit(seed: int, inverted: pl.Expr | None = None) -> bytes:
    frame = pl.DataFrame(
        {name: _values(dtype, 2000, seed + n) for n, (name, dtype) in enumerate(FEATURES.FEATURES.items())}
    )
    # Of request and history alike, so that an answer without the right history is another answer.
    known = pl.sum_horizontal(
        pl.col("hour", "distance", "weather_temp", "departure_delay", "airport_waiting").fill_null(0)
    )
    late = known > known.median()
    label = frame.select((late if inverted is None else late != inverted).cast(pl.Int8)).to_series()
    model = MODEL.fit(frame.with_columns(label=label), {"n_estimators": 20, "num_leaves": 15}, seed)
    metadata = Metadata(
        use_case="flight_delays",
        features=tuple(FEATURES.FEATURES),
        categories=model.categories,
        created_from={},
    )
    return seal(MODEL.export(model), metadata)


@pytest.fixture(scope="module")
def models(lake: Lake) -> list[Model]:
    """Two versions in S3."""
    files = [_fit(seed) for seed in (1, 2)]
    return [Model(store.put(lake.objects(), lake.models, "flight_delays", data), digest(data), data) for data in files]


@pytest.fixture(scope="module")
def histories() -> dict[str, pl.DataFrame]:
    """Some rows of every view for the keys of the requests below, before and after their moments."""
    asked = pl.DataFrame([request.model_dump() for request in _requests()]).unique(maintain_order=True)
    frames = {}
    for number, (name, view) in enumerate(FEATURES.VIEWS.items()):
        keys = asked.select(view.keys).drop_nulls().unique(maintain_order=True)
        moments = pl.DataFrame({"known_at": [_noon() + timedelta(minutes=17 * step) for step in range(-30, 30)]})
        frame = keys.join(moments, how="cross")
        frames[name] = frame.with_columns(
            pl.col("known_at").cast(pl.Datetime("us", "UTC")),
            *(
                _values(dtype, frame.height, 50 * number + n).alias(value)
                for n, (value, dtype) in enumerate(view.values.items())
            ),
        )
    return frames


def _noon() -> datetime:
    return datetime(2013, 5, 14, 12, tzinfo=UTC)


def _requests(count: int = 40) -> list[Any]:
    chance = random.Random(7)
    sample = example(FEATURES.Request)
    return [
        sample.model_copy(
            update={
                "carrier": chance.choice(["UA", "AA", "DL"]),
                "origin": chance.choice(["EWR", "JFK", "LGA"]),
                "dest": chance.choice(["IAH", "MIA", "XXX"]),
                "tailnum": chance.choice(["N14228", "N24211", None]),
                "sched_dep": _noon() + timedelta(minutes=chance.randrange(-300, 600)),
            }
        )
        for _ in range(count)
    ]


@pytest.fixture(scope="module")
def online(postgres_database: Callable[[], str], histories: dict[str, pl.DataFrame]) -> str:
    """DSN of a database with the histories published."""
    dsn = postgres_database()
    _publish(dsn, histories)
    return dsn


def _publish(dsn: str, histories: dict[str, pl.DataFrame]) -> None:
    for name, frame in histories.items():
        table.publish(dsn, use_case="flight_delays", name=name, view=FEATURES.VIEWS[name], frame=frame)


Serve = Callable[..., Service]


@pytest.fixture(scope="module")
def serve(s3: Any, online: str) -> Serve:
    """Makes the service of a model."""

    def make(model: Model, **changes: str) -> Service:
        (port,) = free_ports(1)
        url = f"http://127.0.0.1:{port}"
        env = {
            **s3.env(),
            "FLIGHTLINE_USE_CASE": "flight_delays",
            "FLIGHTLINE_MODEL_URI": model.uri,
            "FLIGHTLINE_MODEL_DIGEST": model.digest,
            "FLIGHTLINE_FEATURE_CODE": feature_code("flight_delays"),
            "FLIGHTLINE_ONLINE_DSN": online,
            "FLIGHTLINE_DRAIN_SECONDS": "0",
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "HOST": "127.0.0.1",
            "PORT": str(port),
        }
        return Service(
            name="serving",
            command=(str(python("serving")), "-m", "include.services.serving"),
            env=env | changes,
            url=url,
            ports=(port,),
            ready=lambda _: answers(f"{url}/v2/health/ready"),
        )

    return make


@pytest.fixture(scope="module")
def served(serve: Serve, models: list[Model], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a running server of the first model."""
    service = serve(models[0])
    with running(service, log=tmp_path_factory.mktemp("serving") / "log"):
        yield service.url


def _offline(model: Model, requests: list[Any], histories: dict[str, pl.DataFrame]) -> list[float]:
    """What batch scoring says."""
    rows = [{**request.model_dump(), "event_time": request.event_time} for request in requests]
    asked = pl.DataFrame(rows).with_columns(pl.col("event_time").cast(pl.Datetime("us", "UTC")))
    conformed = {name: join.conform(histories[name], name=name, view=view) for name, view in FEATURES.VIEWS.items()}
    features = FEATURES.features(join.as_of(asked, conformed, FEATURES.VIEWS))
    scorer = open_model(model.data, model.digest)
    return [float(p) for p in scorer.score(MODEL.encode(features, scorer.metadata.categories))]


def test_it_answers_what_batch_scoring_says(
    served: str, models: list[Model], histories: dict[str, pl.DataFrame]
) -> None:
    requests = _requests()
    expected = _offline(models[0], requests, histories)
    assert len(set(expected)) > 10
    records = [request.model_dump(mode="json") for request in requests]
    report = smoke(
        served,
        FLIGHTS,
        digest=models[0].digest,
        records=records,
        expected=[{"probability": value} for value in expected],
    )
    assert report.records == len(records)

    answered = httpx.post(f"{served}{PREDICT}", json={"records": records}).json()
    # To the bit: JSON shows as many digits as float32 needs.
    assert [np.float32(answer["probability"]) for answer in answered] == [np.float32(value) for value in expected]
    first = requests[0]
    assert datetime.fromisoformat(answered[0]["event_time"]) == first.event_time
    assert all(answer["known_at"] is None or answer["known_at"] <= answer["event_time"] for answer in answered)
    assert any(answer["known_at"] for answer in answered)


def test_the_smoke_test_refuses_another_model(served: str, models: list[Model]) -> None:
    with pytest.raises(DigestMismatch):
        smoke(served, FLIGHTS, digest=models[1].digest, records=[{}], settling=2)


def _ends(service: Service, log: Path) -> tuple[int, list[dict[str, Any]]]:
    process = start(service, log=log)
    try:
        return process.wait(30), [json.loads(line) for line in log.read_text().splitlines()]
    finally:
        process.kill()


def test_another_digest_is_refused(serve: Serve, models: list[Model], tmp_path: Path) -> None:
    code, lines = _ends(serve(models[0]._replace(digest=models[1].digest)), tmp_path / "log")
    assert code == 65
    assert (lines[-1]["level"], lines[-1]["error"]) == ("critical", "DigestMismatch")
    assert models[0].digest in lines[-1]["message"]
    assert models[1].digest in lines[-1]["message"]


@pytest.mark.parametrize(
    ("change", "code", "says"),
    [
        ({"FLIGHTLINE_MODEL_URI": "s3://models/nowhere/model.onnx"}, 75, "s3://models/nowhere/model.onnx"),
        ({"FLIGHTLINE_USE_CASE": "nothing"}, 78, "no use case 'nothing'"),
        ({"FLIGHTLINE_MODEL_DIGEST": "abc"}, 78, "FLIGHTLINE_MODEL_DIGEST"),
        ({"FLIGHTLINE_FEATURE_CODE": "0" * 64}, 78, f"{'0' * 64}, this image has {feature_code('flight_delays')}"),
    ],
)
def test_what_cannot_be_served_is_said(
    serve: Serve, models: list[Model], tmp_path: Path, change: dict[str, str], code: int, says: str
) -> None:
    ended, lines = _ends(serve(models[0], **change), tmp_path / "log")
    assert (ended, says in lines[-1]["message"]) == (code, True)


def test_without_history_it_is_not_ready_and_guesses_nothing(
    serve: Serve, models: list[Model], histories: dict[str, pl.DataFrame], service_home: Path, tmp_path: Path
) -> None:
    home = service_home / "b"
    home.mkdir()
    database = postgres.service(home, databases=("online",), durable=False)
    dsn = postgres.dsn(postgres.socket_directory(home), "online")
    record = _requests(1)[0].model_dump(mode="json")
    service = serve(models[0], FLIGHTLINE_ONLINE_DSN=dsn)
    tensor = {
        "name": "features",
        "datatype": "FP32",
        "shape": [1, len(FEATURES.FEATURES)],
        "data": [0] * len(FEATURES.FEATURES),
    }

    def readiness() -> int:
        return httpx.get(f"{service.url}/v2/health/ready").status_code

    def eventually(status: int) -> None:
        deadline = time.monotonic() + 15
        while readiness() != status:
            assert time.monotonic() < deadline, f"readiness is not {status}"
            time.sleep(0.05)

    with ExitStack() as stack:
        with running(database, log=tmp_path / "db"):
            _publish(dsn, histories)
            stack.enter_context(running(service, log=tmp_path / "log"))
            before = httpx.post(f"{service.url}{PREDICT}", json=record)
            assert before.status_code == 200
        refused = httpx.post(f"{service.url}{PREDICT}", json=record)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        eventually(503)
        assert httpx.get(f"{service.url}/v2/health/live").status_code == 200
        assert httpx.post(f"{service.url}{INFER}", json={"inputs": [tensor]}).status_code == 200
        with running(database, log=tmp_path / "db"):
            eventually(200)
            assert httpx.post(f"{service.url}{PREDICT}", json=record).json() == before.json()


class Callers:
    """Threads that ask, over kept-alive connections, whichever server is the target, and note what goes wrong."""

    def __init__(self, target: str, body: dict[str, Any], *, threads: int) -> None:
        self.target, self._body = target, body
        self.answered: dict[str, int] = {}
        self.failed: list[str] = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(threads)]

    def __enter__(self) -> "Callers":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(20)

    def _ask(self) -> None:
        with httpx.Client(timeout=20) as client:
            while not self._stop.is_set():
                try:
                    answer = client.post(f"{self.target}{PREDICT}", json=self._body)
                except httpx.HTTPError as error:
                    self.failed.append(repr(error))
                    continue
                if answer.status_code != 200:
                    self.failed.append(answer.text)
                    continue
                served = answer.json()["model"]["digest"]
                self.answered[served] = self.answered.get(served, 0) + 1


@pytest.mark.long
def test_a_rolling_swap_loses_no_request(serve: Serve, models: list[Model], tmp_path: Path) -> None:
    old, new = serve(models[0], **SHORT), serve(models[1], **SHORT)
    record = _requests(1)[0].model_dump(mode="json")
    with ExitStack() as stack:
        leaving = stack.enter_context(running(old, log=tmp_path / "old"))
        callers = stack.enter_context(Callers(old.url, record, threads=4))
        stack.enter_context(running(new, log=tmp_path / "new"))
        leaving.terminate()
        # A cluster's endpoints follow readiness: callers learn of the new server some time after SIGTERM.
        deadline = time.monotonic() + 10
        while answers(f"{old.url}/v2/health/ready"):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        asked_while_draining = httpx.post(f"{old.url}{PREDICT}", json=record)
        callers.target = new.url
        assert leaving.wait(20) == 0
        time.sleep(0.5)
        callers.stop()
    assert (asked_while_draining.status_code, asked_while_draining.headers["connection"]) == (200, "close")
    assert callers.failed == []
    assert set(callers.answered) == {models[0].digest, models[1].digest}
    log = [json.loads(line) for line in (tmp_path / "old").read_text().splitlines()]
    assert log[-1]["message"] == "left"


def _talk(port: int, sent: bytes) -> bytes:
    """What the server answers until it closes the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        answer = b""
        try:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            while data := connection.recv(65536):
                answer += data
        except OSError:
            pass
        return answer


def test_no_input_makes_it_fail(served: str) -> None:
    port = int(served.rpartition(":")[2])
    chance = random.Random(11)
    good = json.dumps(_requests(1)[0].model_dump(mode="json")).encode()
    head = f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\n".encode()
    texts = [
        b"",
        b"\0" * 100,
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /\xff\xfe%00%zz HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        head + b"Content-Length: -5\r\n\r\n",
        head + b"Content-Length: 99999999999999999999999\r\n\r\n",
        head + b"Content-Length: 10\r\n\r\n{}",
        head + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        head + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        head + b"Content-Length: 2000000\r\n\r\n" + b" " * 2_000_000,
        *(bytes(chance.randrange(256) for _ in range(chance.randrange(400))) for _ in range(50)),
    ]
    for _ in range(200):  # a good request with some bytes changed
        body = bytearray(good)
        for _ in range(chance.randrange(1, 5)):
            body[chance.randrange(len(body))] = chance.randrange(256)
        texts.append(head + f"Content-Length: {len(body)}\r\n\r\n".encode() + bytes(body))
    strange = ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59-12:00", "1e308", "-1", "2013-06-30T23:59:60Z", "\\u0000"]
    for moment in strange:
        body = json.dumps(json.loads(good) | {"sched_dep": moment}).encode()
        texts.append(head + f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
    for text in texts:
        answer = _talk(port, text)
        assert not answer or answer.startswith((b"HTTP/1.1 2", b"HTTP/1.1 4")), (text[:300], answer[:300])
    assert httpx.post(f"{served}{PREDICT}", content=b" " * 2_000_000).status_code == 413
    assert answers(f"{served}/v2/health/ready")
    metrics = httpx.get(f"{served}/metrics").text
    assert not [
        line
        for line in metrics.splitlines()
        if line.startswith("flightline_serving_requests_total") and 'code="5' in line and 'endpoint="predict"' in line
    ]


def _asked(url: str, requests: list[Any], name: str) -> None:
    with httpx.Client(timeout=20) as client:
        for number, request in enumerate(requests):
            record = request.model_dump(mode="json")
            answer = client.post(f"{url}{PREDICT}", json=record, headers={"x-request-id": f"{name}-{number}"})
            assert (answer.status_code, answer.headers["x-request-id"]) == (200, f"{name}-{number}")


def _metric(url: str, name: str) -> float:
    lines = httpx.get(f"{url}/metrics").text.splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"flightline_serving_{name}{{"))


def _gold(requests: list[Any], histories: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """What the features Dag makes of these requests."""
    moment = pl.Datetime("us", "UTC")
    rows = [{**request.model_dump(), "event_time": request.event_time} for request in requests]
    asked = pl.DataFrame(rows).with_columns(pl.col("event_time", "sched_dep").cast(moment)).unique(maintain_order=True)
    conformed = {name: join.conform(histories[name], name=name, view=view) for name, view in FEATURES.VIEWS.items()}
    made = FEATURES.features(join.as_of(asked, conformed, FEATURES.VIEWS))
    known = (pl.int_range(pl.len()) % 2 == 0).alias("known")
    return (
        asked.select(name for name in ("event_time", *FEATURES.Request.model_fields) if name not in made.columns)
        .hstack(made)
        .with_columns(known)
        .with_columns(
            id=pl.int_range(pl.len()).cast(pl.String),
            event_date=pl.col("event_time").dt.date(),
            label=pl.when("known").then(1).cast(pl.Int8),
            label_known_at=pl.when("known").then("event_time"),
        )
        .drop("known")
    )


def test_predictions_reach_the_lake_with_their_labels_and_skew_is_found_by_name(
    serve: Serve,
    models: list[Model],
    histories: dict[str, pl.DataFrame],
    postgres_database: Callable[[], str],
    folder_lake: Lake,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (port,) = free_ports(1)
    kafka = {"bootstrap.servers": f"127.0.0.1:{port}"}
    monkeypatch.setenv("AIRFLOW_CONN_KAFKA", json.dumps({"conn_type": "kafka", "extra": kafka}))
    monkeypatch.setattr("flightline.hooks.lake.LakeHook.lake", folder_lake)
    notes = SimpleNamespace(xcom_push=lambda *_, **__: None)
    planted = postgres_database()
    _publish(planted, histories | {"weather": histories["weather"].with_columns(pl.col("temp") + 1)})
    requests = _requests()
    gold = _gold(requests, histories)
    replace_days(folder_lake, FLIGHTS.gold, gold, gold["event_date"], {})

    with running(tansu.service(host="127.0.0.1", port=port), log=tmp_path / "tansu"):
        KafkaHook().create_topic("predictions.flight_delays")
        KafkaHook().create_topic("predictions.flight_delays")  # once is enough
        for version, dsn in (("1", None), ("2", planted)):
            changes = {"FLIGHTLINE_ONLINE_DSN": dsn} if dsn else {}
            changes |= {"FLIGHTLINE_KAFKA": json.dumps(kafka), "FLIGHTLINE_MODEL_VERSION": version}
            service = serve(models[0], FLIGHTLINE_STAGE="production", **changes)
            with running(service, log=tmp_path / version) as process:
                _asked(service.url, requests, f"v{version}")
                records = [request.model_dump(mode="json") for request in requests]
                many = httpx.post(f"{service.url}{PREDICT}", json={"records": records}, timeout=20)
                assert many.status_code == 200
                process.terminate()  # at once: what is in the buffer is still to be sent
                assert process.wait(20) == 0
        consumed = predictions.consume.function("flight_delays", run_id="r", ti=notes)
    assert (consumed["messages"], consumed["quarantined"]) == (4 * len(requests), 0)

    joined = predictions.join.function("flight_delays", run_id="r", ti=notes)
    assert (joined["rows"], joined["found"]) == (4 * len(requests), 4 * len(requests))
    assert 0 < joined["labelled"] < joined["found"]
    rows = tables.read(folder_lake, FLIGHTS.predictions_table)
    assert {*rows["request_id"]} >= {f"v{version}-{n}" for version in (1, 2) for n in range(len(requests))}
    metadata = open_model(models[0].data, models[0].digest).metadata

    def found(version: str) -> Skew:
        own = rows.filter(pl.col("version") == version)
        return skew(
            [json.loads(text) for text in own["features"]],
            own.select("id").join(gold, on="id", how="left", maintain_order="left"),
            part=MODEL,
            metadata=metadata,
        )

    assert found("1") == Skew(rows=2 * len(requests))
    assert [*found("2").shares] == ["weather_temp"], str(found("2"))


def test_a_broker_that_dies_costs_records_and_no_answer(serve: Serve, models: list[Model], tmp_path: Path) -> None:
    (port,) = free_ports(1)
    requests = _requests()
    with ExitStack() as stack:
        broker = stack.enter_context(running(tansu.service(host="127.0.0.1", port=port), log=tmp_path / "tansu"))
        service = serve(models[0], FLIGHTLINE_KAFKA=json.dumps({"bootstrap.servers": f"127.0.0.1:{port}"}))
        process = stack.enter_context(running(service, log=tmp_path / "log"))
        _asked(service.url, requests, "before")
        broker.kill()
        broker.wait(20)
        _asked(service.url, requests, "after")
        assert answers(f"{service.url}/v2/health/ready")
        assert _metric(service.url, "prediction_log") == 1
        assert _metric(service.url, "predictions_logged_total") == 2 * len(requests)
        assert len(requests) <= _metric(service.url, "predictions_waiting") <= 2 * len(requests)
        process.terminate()
        assert process.wait(30) == 0
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert re.fullmatch(r"prediction log: \d+ predictions are lost, no broker took them in 4.0 s", lines[-1]["message"])
    assert "predictions are logged to the topic predictions.flight_delays" in str(lines)


def test_without_brokers_it_is_said_once_that_nothing_is_logged(served: str) -> None:
    assert _metric(served, "prediction_log") == 0
