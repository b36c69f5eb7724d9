"""A topic to bronze against a bare consumer that writes the same batches to Parquet, as a ratio of one run.

    PYTHONPATH=. python tests/bench/topics.py [--messages 300000]

Ours: assign and seek, parse JSON, one commit a batch to Iceberg with the offsets. Bare: confluent-kafka's `consume` and
`pyarrow.parquet.write_table` of partition, offset, key and value, unparsed, a file a batch. Both write to a folder and
read from Tansu, warm and in turns; the least of the rounds counts. Then silver of the same messages, for itself; and
how old messages are when they are in silver, while they come at a steady rate and one run follows the other (what
starts a run is not counted).
"""

import argparse
import json
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandera.polars as pa
import pyarrow
import pyarrow.parquet as pq
from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from include.foundation.lake import Lake
from include.foundation.spec import UseCase, load
from include.stages.ingest import contracts
from include.stages.ingest.topics.bronze import BATCH, consume, read_up_to
from include.stages.ingest.topics.silver import derive
from sandbox.stream import tansu
from sandbox.supervisor.service import free_ports, running

ROUNDS = 3


class Weather(pa.DataFrameModel):
    """The rows."""

    event_date: date
    at: str
    origin: str
    temp: float = pa.Field(ge=-60, le=140)
    wind_speed: float = pa.Field(ge=0)
    pressure: float


def use_case(name: str, topic: str = "weather") -> UseCase:
    """A use case whose only source is the topic."""
    contracts.module = lambda *_: SimpleNamespace(Weather=Weather)
    source = {"kind": "topic", "name": "weather", "topic": topic, "contract": "Weather", "event_time": "at"}
    said = load("flight_delays").model_dump(mode="json")
    return UseCase.model_validate({**said, "name": name, "sources": [source], "quality": {}})


def bare(settings: dict[str, Any], messages: int, folder: Path) -> None:
    """Consume and write."""
    consumer = Consumer({**settings, "group.id": "bare", "enable.auto.commit": False})
    consumer.assign([TopicPartition("weather", 0, OFFSET_BEGINNING)])
    left, number = messages, 0
    while left:
        batch: list[Any] = []
        while len(batch) < min(BATCH, left):
            batch += consumer.consume(min(10_000, left - len(batch)), timeout=1)
        columns = {
            "partition": [message.partition() for message in batch],
            "offset": [message.offset() for message in batch],
            "key": [message.key() for message in batch],
            "value": [message.value() for message in batch],
        }
        pq.write_table(pyarrow.table(columns), folder / f"{number}.parquet", compression="zstd")
        left, number = left - len(batch), number + 1
    consumer.close()


def freshness(
    lake: Lake, spec: UseCase, settings: dict[str, Any], *, rate: int = 200, lasts: float = 20
) -> list[float]:
    """Seconds from producing each message to silver, for so many messages a second, sorted."""
    (source,) = spec.topics
    bronze, producer = spec.table("bronze", source.name), Producer(settings)
    sent: list[float] = []

    def send() -> None:
        while len(sent) < rate * 20:
            due = started + len(sent) / rate - time.monotonic()
            if due > 0:
                time.sleep(due)
            sent.append(time.monotonic())
            producer.produce(source.topic, value=json.dumps(row(len(sent))).encode())
            producer.poll(0)
        producer.flush()

    ages: list[float] = []
    started, thread = time.monotonic(), threading.Thread(target=send)
    thread.start()
    while thread.is_alive() or len(ages) < len(sent):
        consume(lake, spec, source, settings, run_id="fresh")
        derive(lake, spec, source, run_id="fresh")
        there, now = read_up_to(lake, bronze).get(f"{source.topic}/0", -1) + 1, time.monotonic()
        ages += [now - each for each in sent[len(ages) : there]]
    return sorted(ages)


def row(number: int) -> dict[str, Any]:
    """A row of the topic."""
    at = f"2013-01-01T{number % 24:02}:00:00Z"
    return {"at": at, "origin": "JFK", "temp": number % 90, "wind_speed": 3.5, "pressure": 1012.4}


def seconds(act: Callable[[], object]) -> float:
    """How long it takes."""
    started = time.monotonic()
    act()
    return time.monotonic() - started


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=300_000)
    messages = parser.parse_args().messages
    (port,) = free_ports(1)
    settings = {"bootstrap.servers": f"127.0.0.1:{port}", "log_level": 0}
    broker = tansu.service(host="127.0.0.1", port=port)
    with tempfile.TemporaryDirectory() as name, running(broker, log=Path(name) / "log"):
        admin = AdminClient(settings)
        topics = [NewTopic(each, num_partitions=1, replication_factor=1) for each in ("weather", "fresh")]
        for made in admin.create_topics(topics).values():
            made.result(60)
        producer = Producer({**settings, "linger.ms": 20})
        for number in range(messages):
            producer.produce("weather", value=json.dumps(row(number)).encode(), key=b"JFK")
            producer.poll(0)
        producer.flush()
        catalog = {"type": "sql", "uri": f"sqlite:///{name}/catalog.db", "warehouse": f"file://{name}"}
        lake = Lake(catalog_properties=catalog, landing="s3://landing", models="s3://models")
        specs = [use_case(f"round_{number}") for number in range(ROUNDS)]
        theirs, ours = [], []
        for spec in specs:
            theirs.append(seconds(lambda: bare(settings, messages, Path(name))))
            ours.append(seconds(lambda spec=spec: consume(lake, spec, spec.topics[0], settings, run_id="bench")))
        silver = seconds(lambda: derive(lake, specs[-1], specs[-1].topics[0], run_id="bench"))
        ages = freshness(lake, use_case("fresh", "fresh"), settings)
    print(f"{messages:,} messages, batches of {BATCH:,}: bare {messages / min(theirs):,.0f} messages/s")
    print(f"to bronze {messages / min(ours):,.0f} messages/s, {min(theirs) / min(ours):.2f} of bare")
    print(f"silver of all of them in {silver:.1f} s")
    p50, p99 = (ages[int(len(ages) * share)] for share in (0.5, 0.99))
    print(f"from produce to silver: p50 {p50:.2f} s, p99 {p99:.2f} s ({len(ages):,} messages, 200 a second)")


if __name__ == "__main__":
    main()
