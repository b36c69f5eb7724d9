"""SeaweedFS is killed again and again while it is written to: what it has acknowledged is there afterwards."""

import os
import signal
import threading
import time
from datetime import date, timedelta
from itertools import count
from pathlib import Path

import polars as pl
import pytest

from include.foundation.errors import ServiceUnavailable
from include.foundation.lake import Lake, tables
from include.foundation.lake.commit import replace_days
from sandbox.supervisor.service import running
from tests.conftest import SeaweedFS

pytestmark = [pytest.mark.integration, pytest.mark.long, pytest.mark.timeout(600)]

KILLS = 5
UNDER_LOAD_SECONDS = 3.0
FIRST = date(2013, 1, 1)


class Load:
    """Threads that write objects and commit rows until they are told to end, and remember what was acknowledged."""

    def __init__(self, lake: Lake) -> None:
        self.objects: dict[str, bytes] = {}
        self.days: set[date] = set()
        self._lake = lake
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._put, args=(n,)) for n in range(4)]
        self._threads.append(threading.Thread(target=self._commit))

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()

    def _put(self, writer: int) -> None:
        for number in count():
            if self._end.is_set():
                return
            uri, data = f"s3://landing/load/{writer}/{number}", os.urandom(1 + number % 20_000)
            try:
                self._lake.objects().put(uri, data)
            except ServiceUnavailable:
                continue
            self.objects[uri] = data

    def _commit(self) -> None:
        for number in count():
            if self._end.is_set():
                return
            day = FIRST + timedelta(days=number)
            try:
                replace_days(
                    self._lake, "silver.t", pl.DataFrame({"event_date": [day]}), [day], {"run_key": str(number)}
                )
            except Exception:  # what was not acknowledged says nothing
                time.sleep(0.1)
                continue
            self.days.add(day)


def test_five_kills_under_load_lose_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    one, log = SeaweedFS(), tmp_path / "log"
    service = one.service(tmp_path)
    lake = Lake(catalog_properties=one.catalog(), s3=one.s3(), landing="s3://landing", models="s3://models")
    with running(service, log=log):
        replace_days(lake, "silver.t", pl.DataFrame({"event_date": [FIRST]}), [FIRST], {"run_key": "first"})
    with Load(lake) as load:
        for _ in range(KILLS):
            before = len(load.objects), len(load.days)
            with running(service, log=log) as process:
                time.sleep(UNDER_LOAD_SECONDS)
                os.kill(process.pid, signal.SIGKILL)
                process.wait()
            assert (len(load.objects), len(load.days)) > before
    assert load.days
    with running(service, log=log):
        lost = [uri for uri, data in load.objects.items() if lake.objects().get(uri) != data]
        assert (lost, load.days - set(tables.days(lake, "silver.t"))) == ([], set())
    lake.catalog().close()
