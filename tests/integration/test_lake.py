"""Many writers on one table, and objects, on a real S3 and a real catalog."""

import dataclasses
import json
import os
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

from include.foundation.errors import InvalidInput, MissingInput, ServiceUnavailable
from include.foundation.lake import S3, Lake, Objects, locks, tables
from include.foundation.lake.change import Append
from include.foundation.lake.commit import TableWriter, replace_days
from include.foundation.lake.commit_log import positions
from include.foundation.lake.tags import ensure_tag
from include.stages.maintenance import orphans
from include.stages.maintenance.maintain import maintain

pytestmark = pytest.mark.integration

REPO = Path(__file__).parents[2]
FIRST = date(2013, 1, 1)
WRITERS = 16

WRITER = """
import sys
from datetime import date, timedelta
import polars as pl
from include.foundation.lake import Lake
from include.foundation.lake.commit import replace_days
table, writer, commits = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
lake = Lake.from_env()
for number in range(commits):
    day = date(2013, 1, 1) + timedelta(days=writer * commits + number)
    rows = pl.DataFrame({"event_date": [day], "writer": [writer]})
    replace_days(lake, table, rows, [day], {"run_key": f"{writer}.{number}"})
"""


@pytest.fixture(params=["rest", pytest.param("sql", marks=pytest.mark.soak)])  # PostgreSQL takes its time
def fresh(new_lake: Callable[..., Lake], request: pytest.FixtureRequest) -> Lake:
    """A lake whose catalog has never been opened."""
    return new_lake(request.param)


def check_none_lost(lake: Lake, table: str, *, commits: int) -> None:
    rows = tables.read(lake, table)
    assert rows.height == WRITERS * commits
    assert rows["event_date"].to_list() == [FIRST + timedelta(days=n) for n in range(WRITERS * commits)]
    assert sorted(rows["writer"]) == sorted(n for n in range(WRITERS) for _ in range(commits))
    snapshots = tables.load(lake, table).snapshots()
    assert len({tables.summary(each)["run_key"] for each in snapshots}) == len(snapshots) == WRITERS * commits


@pytest.mark.long
def test_sixteen_writers_make_a_table_and_none_is_lost(fresh: Lake) -> None:
    """All of them open a catalog that has no tables, want a namespace and a table that do not exist, and commit."""
    commits, start = 2, threading.Barrier(WRITERS)

    def write(writer: int) -> None:
        own = dataclasses.replace(fresh)
        start.wait()
        for number in range(commits):
            day = FIRST + timedelta(days=writer * commits + number)
            rows = pl.DataFrame({"event_date": [day], "writer": [writer]})
            replace_days(own, "silver.shared", rows, [day], {"run_key": f"{writer}.{number}"})
        own.catalog().close()

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(write, range(WRITERS)))
    check_none_lost(fresh, "silver.shared", commits=commits)
    fresh.catalog().close()


def test_who_died_making_a_table_keeps_nobody_from_it(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = f"{lake.models}/.locks/create/silver.died"
    lake.objects().put(lock, b"")
    monkeypatch.setattr(locks, "HOLD_SECONDS", 1.5)
    replace_days(lake, "silver.died", pl.DataFrame({"event_date": [FIRST]}), [FIRST], {})
    assert tables.days(lake, "silver.died") == [FIRST]
    assert not lake.objects().exists(lock)


def test_who_held_a_lock_for_too_long_does_not_take_it_from_the_next(lake: Lake) -> None:
    lock = f"{lake.models}/.locks/slow"
    with locks.object_lock(lake, "slow", deadline=time.monotonic()):
        lake.objects().put(lock, b"of the next")
    assert lake.objects().get(lock) == b"of the next"


@pytest.mark.parametrize("kind", ["rest", "sql", "glue"])
def test_every_catalog_makes_replaces_and_widens_a_table(new_lake: Callable[..., Lake], kind: str) -> None:
    lake, days = new_lake(kind), [FIRST + timedelta(days=n) for n in range(3)]
    first = replace_days(lake, "silver.t", pl.DataFrame({"event_date": days, "a": [1, 2, 3]}), days, {"run_key": "1"})
    replace_days(lake, "silver.t", pl.DataFrame({"event_date": days[1:2], "b": ["x"]}), days[1:], {"run_key": "2"})
    assert tables.read(lake, "silver.t").rows() == [(days[0], 1, None), (days[1], None, "x")]
    assert tables.read(lake, "silver.t", snapshot_id=first)["a"].to_list() == [1, 2, 3]
    assert tables.counts(dataclasses.replace(lake), "silver.t") == dict.fromkeys(days[:2], 1)
    with pytest.raises(MissingInput, match=r"silver\.none"):
        tables.load(lake, "silver.none")


@pytest.mark.long
@pytest.mark.timeout(600)
def test_sixteen_processes_on_one_table_lose_nothing(fresh: Lake) -> None:
    commits, environ = 2, {**os.environ, **fresh.env()}
    command = [sys.executable, "-c", WRITER, "silver.shared"]
    processes = [
        subprocess.Popen(
            [*command, str(writer), str(commits)], cwd=REPO, env=environ, stderr=subprocess.PIPE, text=True
        )
        for writer in range(WRITERS)
    ]
    errors = [process.communicate()[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * WRITERS, json.dumps(errors, indent=1)
    check_none_lost(fresh, "silver.shared", commits=commits)
    fresh.catalog().close()


@pytest.fixture
def objects(lake: Lake) -> Objects:
    return lake.objects()


@pytest.fixture
def folder() -> str:
    return f"s3://landing/{secrets.token_hex(4)}"


def test_objects_are_written_read_listed_and_deleted(objects: Objects, folder: str) -> None:
    data = os.urandom(3_000_000)
    objects.put(f"{folder}/b", data)
    objects.put(f"{folder}/a", b"")
    assert objects.get(f"{folder}/b") == b"".join(objects.stream(f"{folder}/b")) == data
    assert objects.stat(f"{folder}/b").size == len(data)
    assert [each.uri for each in objects.list(f"{folder}/")] == [f"{folder}/a", f"{folder}/b"]
    assert [each.uri for each in objects.list(f"{folder}/", after=f"{folder}/a")] == [f"{folder}/b"]
    objects.delete(f"{folder}/b")
    objects.delete(f"{folder}/b")
    assert not objects.exists(f"{folder}/b")
    assert objects.exists(f"{folder}/a")


def test_put_if_absent_keeps_what_is_there(objects: Objects, folder: str) -> None:
    assert objects.put_if_absent(f"{folder}/a", b"1")
    assert not objects.put_if_absent(f"{folder}/a", b"2")
    assert objects.get(f"{folder}/a") == b"1"


def test_a_changed_object_is_not_what_was_planned(objects: Objects, folder: str) -> None:
    objects.put(f"{folder}/a", b"1")
    etag = objects.stat(f"{folder}/a").etag
    assert objects.get(f"{folder}/a", etag=etag) == b"1"
    objects.put(f"{folder}/a", b"2")
    with pytest.raises(InvalidInput, match="has changed"):
        objects.get(f"{folder}/a", etag=etag)


def test_what_is_missing_is_named(objects: Objects, folder: str) -> None:
    for act in (objects.get, objects.stat, lambda uri: list(objects.stream(uri))):
        with pytest.raises(MissingInput, match=f"{folder}/nothing is not there"):
            act(f"{folder}/nothing")
    with pytest.raises(MissingInput, match="s3://no-such-bucket"):
        list(objects.list("s3://no-such-bucket/"))
    with pytest.raises(InvalidInput, match="not an s3://bucket/key"):
        objects.get("/etc/passwd")


def test_a_service_that_does_not_answer_is_another_error() -> None:
    nobody = Objects(S3(endpoint="http://127.0.0.1:9", region="us-east-1", access_key="k", secret_key="s"))
    with pytest.raises(ServiceUnavailable, match="s3://landing/a"):
        nobody.get("s3://landing/a")


@pytest.mark.long
def test_maintenance_beside_running_writers_loses_nothing(fresh: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Appenders and replacers commit all the time while the table is compacted, expired and cleaned, several times."""
    monkeypatch.setattr(orphans, "IN_FLIGHT", timedelta(0))
    table, stop, appended = "silver.busy", threading.Event(), [0, 0]

    def one(day: date, value: int) -> pl.DataFrame:
        return pl.DataFrame({"event_date": [day], "v": [value]})

    def append(stream: int) -> None:
        own = dataclasses.replace(fresh)
        while not stop.is_set():
            upto = appended[stream]
            change = Append({f"t/{stream}": upto}, {f"t/{stream}": upto - 1} if upto else {})
            writer = TableWriter(own, table, schema=one(FIRST, 0).schema, change=change)
            writer.write(one(FIRST, stream * 10_000 + upto))
            writer.commit({})
            appended[stream] += 1
        own.catalog().close()

    def replace() -> None:
        own, number = dataclasses.replace(fresh), 0
        while not stop.is_set():
            replace_days(own, table, one(FIRST + timedelta(days=1), number), [FIRST + timedelta(days=1)], {})
            number += 1
        own.catalog().close()

    frozen = replace_days(fresh, table, one(FIRST + timedelta(days=2), 7), [FIRST + timedelta(days=2)], {})
    ensure_tag(fresh, table, "train-x", frozen)
    with ThreadPoolExecutor(3) as pool:
        work = [pool.submit(append, 0), pool.submit(append, 1), pool.submit(replace)]
        try:
            for _ in range(3):
                # Young files may be in flight: only what is older than any write here takes is an orphan.
                maintain(fresh, table, keep=timedelta(seconds=1), orphan_age=timedelta(seconds=20), min_files=3)
        finally:
            stop.set()
        for each in work:
            each.result()
    maintain(fresh, table, keep=timedelta(minutes=-1), orphan_age=timedelta(seconds=20), min_files=2)
    rows = tables.read(fresh, table)
    assert sorted(rows.filter(event_date=FIRST)["v"]) == [n * 10_000 + m for n in (0, 1) for m in range(appended[n])]
    assert rows.height == sum(appended) + 2
    assert tables.read(fresh, table, snapshot_id=frozen)["v"].to_list() == [7]
    assert positions(tables.load(fresh, table)) == {f"t/{n}": appended[n] - 1 for n in (0, 1)}
    assert len(tables.load(fresh, table).snapshots()) == 2
    fresh.catalog().close()
