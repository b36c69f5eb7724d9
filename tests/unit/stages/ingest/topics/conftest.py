"""A broker in memory (librdkafka's mock), and a use case whose only source is a topic on it."""

import json
import secrets
from collections.abc import Callable, Sequence
from datetime import date
from types import SimpleNamespace
from typing import Any

import pandera.polars as pa
import pytest
from confluent_kafka import Producer

from include.foundation.lake import Lake
from include.foundation.spec import UseCase, load
from include.stages.ingest import contracts
from include.stages.ingest.topics.bronze import consume
from include.stages.ingest.topics.silver import Derived, derive


class Broker:
    """The mock lives in its producer."""

    def __init__(self) -> None:
        self._producer = Producer({"test.mock.num.brokers": 1, "log_level": 0})
        (broker,) = self._producer.list_topics(timeout=30).brokers.values()
        self.settings = {"bootstrap.servers": f"{broker.host}:{broker.port}", "log_level": 0}

    def send(self, topic: str, *values: Any, partition: int = 0, **fields: Any) -> None:
        """Send messages: an object as JSON, bytes and None as they are."""
        for value in values:
            data = value if value is None or isinstance(value, bytes) else json.dumps(value).encode()
            self._producer.produce(topic, value=data, partition=partition, **fields)
            self._producer.poll(0)
        assert self._producer.flush(60) == 0


@pytest.fixture(scope="session")
def broker() -> Broker:
    return Broker()


class Weather(pa.DataFrameModel):
    event_date: date
    time: str
    station: str
    wind: float = pa.Field(ge=0, nullable=True)

    class Config:
        unique = ("event_date", "time", "station")


class Case:
    """A use case with a topic of its own, and its lake."""

    def __init__(self, lake: Lake, broker: Broker) -> None:
        self.lake, self.broker, self.topic = lake, broker, f"t-{secrets.token_hex(4)}"
        said = load("flight_delays").model_dump(mode="json")
        source = {"kind": "topic", "name": "weather", "topic": self.topic, "contract": "Weather", "event_time": "time"}
        self.spec = UseCase.model_validate({**said, "name": "gusts", "sources": [source], "quality": {}})
        (self.source,) = self.spec.topics

    def send(self, *values: Any, **fields: Any) -> None:
        """Send messages to the topic."""
        self.broker.send(self.topic, *values, **fields)

    def consume(self, *, run_id: str = "r", batch: int = 1000) -> int:
        """The messages that came in."""
        return consume(self.lake, self.spec, self.source, self.broker.settings, run_id=run_id, batch=batch)[0]

    def derive(self, days: Sequence[date] = ()) -> Derived:
        """Make silver and quarantine."""
        return derive(self.lake, self.spec, self.source, run_id="r", days=days)


def observed(time: str = "2013-01-01T05:00:00Z", station: str = "JFK", wind: Any = 3) -> dict[str, Any]:
    """A row."""
    return {"time": time, "station": station, "wind": wind}


@pytest.fixture
def case(folder_lake: Lake, broker: Broker, monkeypatch: pytest.MonkeyPatch) -> Case:
    monkeypatch.setattr(contracts, "module", lambda *_: SimpleNamespace(Weather=Weather))
    return Case(folder_lake, broker)


@pytest.fixture
def row() -> Callable[..., dict[str, Any]]:
    """Call it for a row of the topic."""
    return observed
