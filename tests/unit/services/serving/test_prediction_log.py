"""The log on librdkafka's own broker in memory, and without any broker."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from include.foundation.artifact import Scorer, matrix
from include.foundation.errors import InvalidInput
from include.foundation.problem import problem
from include.services.serving import prediction_log
from include.services.serving.metrics import Metrics
from include.services.serving.prediction_log import PredictionLog

ABOUT = {"use_case": "shops", "version": "3", "model_digest": f"sha256:{'a' * 64}", "stage": "production"}
ROW = np.array([1, 1.1, np.nan, 2], np.float32)
NOWHERE = {"bootstrap.servers": "127.0.0.1:1"}


@pytest.fixture(scope="module")
def settings() -> Iterator[dict[str, Any]]:
    producer = Producer({"test.mock.num.brokers": 1, "log_level": 0})
    (broker,) = producer.list_topics(timeout=30).brokers.values()
    yield {"bootstrap.servers": f"{broker.host}:{broker.port}"}
    del producer


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(problem("binary"))


@pytest.fixture
def logging_to(scorer: Scorer, metrics: Metrics) -> Callable[..., Any]:
    @contextmanager
    def make(settings: dict[str, Any], topic: str = "predictions.shops") -> Iterator[PredictionLog]:
        log = PredictionLog(settings, topic=topic, about=ABOUT, metadata=scorer.metadata, metrics=metrics)
        yield log
        log.close()

    return make


def messages(settings: dict[str, Any], topic: str, count: int) -> list[tuple[bytes, dict[str, Any]]]:
    consumer = Consumer({**settings, "group.id": "t"})
    partitions = consumer.list_topics(topic, timeout=30).topics[topic].partitions
    consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
    found: list[Any] = []
    deadline = time.monotonic() + 30
    while len(found) < count and time.monotonic() < deadline:
        found += consumer.consume(1, timeout=0.2)
    consumer.close()
    return [(message.key(), json.loads(message.value())) for message in found]


def test_each_row_is_a_message(settings: dict[str, Any], scorer: Scorer, metrics: Metrics, logging_to: Any) -> None:
    asked = {"at": datetime(2024, 5, 1, tzinfo=UTC), "shop": "north"}
    with logging_to(settings) as log:
        log.write("r-1", [asked, None], np.stack([ROW, -ROW]), np.array([0.25, 0.1], np.float32))
    found = messages(settings, "predictions.shops", 2)
    assert [key for key, _ in found] == [b"r-1", b"r-1"]
    first, second = sorted((value for _, value in found), key=lambda value: value["row"])
    assert first == {
        "request_id": "r-1",
        "row": 0,
        **ABOUT,
        "scored_at": first["scored_at"],
        "record": {"at": "2024-05-01T00:00:00+00:00", "shop": "north"},
        "features": {"size": "L", "weight": float(np.float32(1.1)), "count": None, "past": 2.0},
        "answer": 0.25,
    }
    at = datetime.strptime(first["scored_at"], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    assert abs((datetime.now(UTC) - at).total_seconds()) < 60
    assert second["record"] is None
    assert second["features"]["size"] == -1  # a tensor's caller encodes: what is no category stays the number it was
    assert np.array_equal(
        matrix(scorer.metadata, [first["features"]]).view(np.uint32), ROW[None].view(np.uint32), equal_nan=False
    )
    assert np.float32(second["answer"]) == np.float32(0.1)
    assert metrics.predictions_logged._value.get() == 2


def test_many_rows_and_several_classes_are_logged_too(settings: dict[str, Any], logging_to: Any) -> None:
    with logging_to(settings, "many") as log:
        log.write("r", [None] * 500, np.tile(ROW, (500, 1)), np.full((500, 3), 0.5, np.float32))
    found = messages(settings, "many", 500)
    assert {value["row"] for _, value in found} == {*range(500)}
    assert found[0][1]["answer"] == [0.5, 0.5, 0.5]


def dropped(metrics: Metrics, reason: str) -> float:
    return metrics.predictions_dropped.labels(reason)._value.get()


def test_without_a_broker_nothing_waits_and_what_is_lost_is_counted(
    metrics: Metrics, logging_to: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(prediction_log, "BUFFER", 100)
    monkeypatch.setattr(prediction_log, "FLUSH_SECONDS", 0.2)
    longest = 0.0
    with logging_to(NOWHERE) as log:
        for number in range(300):
            begun = time.monotonic()
            log.write(str(number), [None], [ROW], np.array([0.5], np.float32))
            longest = max(longest, time.monotonic() - begun)
        assert b"flightline_serving_predictions_waiting 100.0" in metrics.text()
        assert dropped(metrics, "full") == 200
        log.write("many", [None] * 101, [ROW] * 101, np.full(101, 0.5, np.float32))
        begun = time.monotonic()
    assert time.monotonic() - begun < 3
    assert longest < 0.5
    assert dropped(metrics, "full") == 200 + 101
    assert dropped(metrics, "undelivered") == 100
    assert "100 predictions are lost" in caplog.text


def test_what_a_broker_does_not_take_in_time_is_counted_and_said_once(
    metrics: Metrics, logging_to: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with logging_to({**NOWHERE, "message.timeout.ms": 300}) as log:
        for number in range(10):
            log.write(str(number), [None], [ROW], np.array([0.5], np.float32))
        deadline = time.monotonic() + 20
        while dropped(metrics, "undelivered") < 10 and time.monotonic() < deadline:
            time.sleep(0.05)
    assert dropped(metrics, "undelivered") == 10
    assert len([record for record in caplog.records if record.name == prediction_log.__name__]) < 5


def test_a_message_beyond_the_brokers_size_is_refused_and_the_rest_go_on(
    settings: dict[str, Any], metrics: Metrics, logging_to: Any
) -> None:
    with logging_to({**settings, "message.max.bytes": 2000}, "small") as log:
        log.write("r", [{"shop": "x" * 3000}, {"shop": "y"}], [ROW, ROW], np.array([0.5, 0.5], np.float32))
    assert dropped(metrics, "refused") == 1
    assert messages(settings, "small", 1)[0][1]["row"] == 1


def test_settings_that_librdkafka_does_not_take_are_named(logging_to: Any) -> None:
    with pytest.raises(InvalidInput, match=r"FLIGHTLINE_KAFKA: .*no\.such"), logging_to({"no.such": 1}):
        pass


def test_of_many_large_requests_some_are_dropped_and_none_waits(
    settings: dict[str, Any], metrics: Metrics, logging_to: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prediction_log, "REQUESTS", 1)
    going, go = threading.Event(), threading.Event()

    def wait(metadata: Any, row: Any) -> dict[str, float]:
        going.set()
        go.wait(30)
        return {}

    monkeypatch.setattr(prediction_log, "named", wait)
    many = ([None] * 20, [ROW] * 20, np.full(20, 0.5, np.float32))
    with logging_to(settings, "large") as log:
        log.write("first", *many)
        assert going.wait(30)
        log.write("second", *many)
        assert dropped(metrics, "full") == 20
        go.set()
    assert {key for key, _ in messages(settings, "large", 20)} == {b"first"}
