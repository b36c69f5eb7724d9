"""Kill the consumer of a topic again and again: no message may be lost, none may come twice.

    PYTHONPATH=. python tests/soak/topics.py [--kills 1000] [--messages 100000] [--seed 1] [--folder]

Before each run of the consumer some messages are sent to Tansu, one in a hundred of them no row. Then SIGKILL ends it
before or after a write or a commit of any of the tables, or at a random moment; in one case of four two consumers run
at once. After the last kill one run is left alone. Then bronze holds each message once, and each is in silver or in
quarantine. The seed repeats the plan, though not the moments.
"""

import argparse
import json
import multiprocessing
import os
import random
import secrets
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandera.polars as pa
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from include.foundation.errors import RetryableError
from include.foundation.lake import S3, Lake, tables
from include.foundation.lake.commit import TableWriter
from include.foundation.spec import UseCase, load
from include.stages.ingest import contracts
from include.stages.ingest.topics.bronze import consume
from include.stages.ingest.topics.silver import derive
from sandbox.lake import seaweedfs
from sandbox.stream import tansu
from sandbox.supervisor.service import free_ports, running

PARTITIONS = 3
LEAST = 40  # messages of a batch
POINTS = ("before write", "after write", "before commit", "after commit", "whenever")


class Numbers(pa.DataFrameModel):
    """A row has a number of its own, and none is negative."""

    event_date: date
    at: str
    number: int = pa.Field(ge=0)

    class Config:
        """No number comes twice on a day."""

        unique = ("event_date", "number")


def use_case(topic: str) -> UseCase:
    """A use case whose only source is the topic, with the contract above."""
    contracts.module = lambda *_: SimpleNamespace(Numbers=Numbers)
    source = {"kind": "topic", "name": "numbers", "topic": topic, "contract": "Numbers", "event_time": "at"}
    said = load("flight_delays").model_dump(mode="json")
    return UseCase.model_validate({**said, "name": topic.replace("-", "_"), "sources": [source], "quality": {}})


def attempt(lake: Lake, settings: Mapping[str, Any], topic: str, batch: int, seed: int | None) -> None:
    """One run of the consumer, which ends itself by SIGKILL; without a seed it does not."""
    if seed is not None:
        _arm(random.Random(seed))
    spec = use_case(topic)
    (source,) = spec.topics
    try:
        consume(lake, spec, source, settings, run_id="soak", batch=batch)
        derive(lake, spec, source, run_id="soak")
    except RetryableError as error:
        if seed is None:
            raise
        print(f"retryable: {error}", file=sys.stderr)


def _arm(rng: random.Random) -> None:
    point, countdown = rng.choice(POINTS), rng.randrange(1, 6)
    if point == "whenever":
        threading.Timer(rng.uniform(0, 1.5), _die).start()
        return
    when, _, name = point.partition(" ")
    real = getattr(TableWriter, name)

    def cut_off(writer: TableWriter, *args: Any, **fields: Any) -> Any:
        nonlocal countdown
        countdown -= 1
        if not countdown and when == "before":
            _die()
        found = real(writer, *args, **fields)
        if countdown <= 0:  # what was due at a commit that another consumer won is done at the next one
            _die()
        return found

    setattr(TableWriter, name, cut_off)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def soak(lake: Lake, settings: Mapping[str, Any], *, kills: int, messages: int, seed: int) -> dict[str, int]:
    """Kill as often as that while so many messages come in; then count.

    Returns:
        `sent`, `lost`, `doubled`, `unaccounted` (in bronze, and neither or twice in silver and quarantine), `kills`.
    """
    rng, topic = random.Random(seed), f"soak-{seed}-{os.getpid()}"
    admin = AdminClient(settings)
    admin.create_topics([NewTopic(topic, num_partitions=PARTITIONS, replication_factor=1)])[topic].result(60)
    producer = Producer(settings)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([consume.__module__, derive.__module__, "pandera.polars", "pyiceberg.table"])
    sent = done = 0
    # A kill comes after a batch or two: so many must be read in them that little is left behind.
    batch = max(LEAST, messages // kills // 2)

    def run(seeds: list[int] | list[None]) -> int:
        return _run(
            [context.Process(target=attempt, args=(lake, dict(settings), topic, batch, each)) for each in seeds]
        )

    # Who is killed while it makes a table keeps the others waiting for a minute.
    run([None])
    while done < kills or sent < messages:
        for _ in range(min(messages - sent, max(1, messages // kills))):
            producer.produce(topic, value=_message(rng, sent), partition=sent % PARTITIONS)
            sent += 1
        if producer.flush(60):
            raise RuntimeError("the broker does not take messages")
        if done < kills:
            seeds = [rng.randrange(1 << 30) for _ in range(2 if rng.random() < 1 / 4 else 1)]
            done += run(seeds)
    run([None])
    return {**_counted(lake, use_case(topic), sent), "kills": done}


def _message(rng: random.Random, number: int) -> bytes:
    if rng.random() < 0.01:
        return b"no row, but number " + str(number).encode()
    return json.dumps({"at": f"2013-01-0{rng.randrange(1, 4)}T00:00:00Z", "number": number}).encode()


def _run(runs: list[Any]) -> int:
    """Run consumers at once. Returns how many were killed. Raises RuntimeError if one failed."""
    for run in runs:
        run.start()
    for run in runs:
        run.join(300)
    codes = [run.exitcode for run in runs]
    if {*codes} - {0, -signal.SIGKILL}:
        raise RuntimeError(f"consumers ended with {codes}")
    return codes.count(-signal.SIGKILL)


def _counted(lake: Lake, spec: UseCase, sent: int) -> dict[str, int]:
    bronze, silver, quarantine = (
        tables.read(lake, spec.table(layer, "numbers")) for layer in ("bronze", "silver", "quarantine")
    )
    places = Counter(bronze.select("source_uri", "source_position").rows())
    whole = Counter(bronze["number"].drop_nulls().cast(int))
    bad = Counter(bronze["message_value"].drop_nulls())
    after = Counter(silver["number"]) + Counter(quarantine["number"].drop_nulls().cast(int))
    return {
        "sent": sent,
        "lost": sent - len(places),
        "doubled": sum((places - Counter({*places})).values()) + sum((whole - Counter({*whole})).values()),
        "unaccounted": sum(((whole - after) + (after - whole)).values())
        + abs(len(bad) - quarantine["message_value"].drop_nulls().len()),
    }


@contextmanager
def _folder() -> Iterator[Lake]:
    """An empty lake in a folder, with a catalog in SQLite."""
    with tempfile.TemporaryDirectory(prefix="fls-") as folder:
        properties = {"type": "sql", "uri": f"sqlite:///{folder}/catalog.db", "warehouse": f"file://{folder}"}
        yield Lake(catalog_properties=properties, landing="s3://landing", models="s3://models")


@contextmanager
def _seaweedfs() -> Iterator[Lake]:
    """An empty lake on a SeaweedFS of its own."""
    with tempfile.TemporaryDirectory(prefix="fls-") as folder:
        key = seaweedfs.Key(name="soak", access="soak", secret=secrets.token_hex(16))
        ports = dict(zip(seaweedfs.PORTS, free_ports(len(seaweedfs.PORTS)), strict=True))
        store = seaweedfs.service(Path(folder), ports=ports, admin=key, signing_key=secrets.token_hex(16))
        with running(store, log=Path(folder) / "log"):
            yield Lake(
                catalog_properties=seaweedfs.catalog(f"http://127.0.0.1:{ports['catalog']}", key),
                s3=S3(endpoint=store.url, region=seaweedfs.REGION, access_key=key.access, secret_key=key.secret),
                landing="s3://landing",
                models="s3://models",
            )


def main() -> None:
    """Start a broker and a lake for the run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", action="store_true", help="a lake in a folder, not in SeaweedFS")
    args = parser.parse_args()
    make = _folder if args.folder else _seaweedfs
    started = time.monotonic()
    (port,) = free_ports(1)
    broker = tansu.service(host="127.0.0.1", port=port)
    with tempfile.TemporaryDirectory() as folder, running(broker, log=Path(folder) / "log"), make() as lake:
        settings = {"bootstrap.servers": f"127.0.0.1:{port}", "log_level": 0}
        found = soak(lake, settings, kills=args.kills, messages=args.messages, seed=args.seed)
    print(*(f"{name} {count:,}" for name, count in found.items()), f"in {time.monotonic() - started:,.0f} s", sep=", ")
    if found["lost"] or found["doubled"] or found["unaccounted"]:
        sys.exit(1)


if __name__ == "__main__":
    main()
