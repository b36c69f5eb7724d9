"""`engine: spark` on a local cluster of Spark: the tables that polars makes, also where executors and drivers die."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest

from include.foundation.lake import Lake, tables
from include.foundation.lake.commit_log import find_commit
from include.foundation.spec import load
from tests.integration.spark_cluster import NEEDS_SPARK, SPARK, digests, summaries

pytestmark = [pytest.mark.integration, *NEEDS_SPARK]

REPO = Path(__file__).parents[2]
SPEC = load("flight_delays")
# With the days on which the real weather has a row that fails.
DAYS = ("2013-02-09", "2013-02-14")
WAIT = 600  # seconds
T = TypeVar("T")


def land(lake: Lake) -> None:
    command = [".venv/sandbox/bin/python", "-m", "sandbox.demo.landing", "--from", DAYS[0], "--to", DAYS[1]]
    subprocess.run(command, cwd=REPO, env={**os.environ, **lake.env()}, check=True, capture_output=True)


def start(lake: Lake, engine: str, *words: str) -> subprocess.Popen[str]:
    """A step of its own process group, on a cluster of two executors."""
    python = (SPARK if engine == "spark" else REPO / ".venv" / "dev") / "bin" / "python"
    spark = "--master local-cluster[2,1,1024] --conf spark.ui.enabled=false pyspark-shell"
    environ = {**os.environ, **lake.env(), "PYTHONPATH": str(REPO), "PYSPARK_SUBMIT_ARGS": spark}
    command = [str(python), "-m", "include.steps.data", *words, "--engine", engine]
    return subprocess.Popen(
        command,
        cwd=REPO,
        env=environ,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def ended(step: subprocess.Popen[str]) -> list[dict[str, object]]:
    out, err = step.communicate(timeout=1000)
    assert step.returncode == 0, err[-4000:]
    answer: list[dict[str, object]] = json.loads(out.splitlines()[-1])
    return answer


def ingest(lake: Lake, engine: str, run_id: str = "r") -> subprocess.Popen[str]:
    return start(lake, engine, "ingest", SPEC.name, "--days", "..".join(DAYS), "--run-id", run_id)


def features(lake: Lake, engine: str) -> subprocess.Popen[str]:
    return start(lake, engine, "features", SPEC.name, "--start", DAYS[0], "--end", DAYS[1])


@pytest.fixture(scope="module")
def by_polars(new_lake: Callable[[], Lake]) -> Lake:
    lake = new_lake()
    land(lake)
    ended(ingest(lake, "polars"))
    ended(features(lake, "polars"))
    return lake


@pytest.fixture(scope="module")
def by_spark(new_lake: Callable[[], Lake], by_polars: Lake) -> Lake:
    """Another catalog over the same landing; its driver lives to the end, some of its executors do not."""
    lake = replace(new_lake(), landing=by_polars.landing)
    step = ingest(lake, "spark")
    kill(executor_at_work(step))
    ended(step)
    ended(features(lake, "spark"))
    return lake


def test_all_tables_are_row_for_row_those_of_polars_though_an_executor_was_killed(
    by_polars: Lake, by_spark: Lake
) -> None:
    assert digests(by_spark) == digests(by_polars)
    assert digests(by_spark)["quarantine.flight_delays__weather"][0] > 0


def test_commits_say_the_same(by_polars: Lake, by_spark: Lake) -> None:
    assert summaries(by_spark) == summaries(by_polars)


def test_a_killed_driver_leaves_whole_commits_and_the_same_run_finishes_them(
    new_lake: Callable[[], Lake], by_polars: Lake
) -> None:
    lake = replace(new_lake(), landing=by_polars.landing)
    bronze = SPEC.table("bronze", "flights")
    step = ingest(lake, "spark")
    until(lambda: lake.catalog().table_exists(bronze) and tables.load(lake, bronze).current_snapshot(), step)
    os.killpg(step.pid, signal.SIGKILL)
    step.communicate()
    (first,) = tables.load(lake, bronze).snapshots()
    ended(ingest(lake, "spark"))
    ended(features(lake, "polars"))
    assert [each.snapshot_id for each in tables.load(lake, bronze).snapshots()] == [first.snapshot_id]
    assert digests(lake) == digests(by_polars)
    name = SPEC.table("silver", "flights")
    said = tables.snapshot_summary(lake, name, tables.current_snapshot_id(lake, name) or 0)
    assert said["bronze_snapshot"] == str(first.snapshot_id)
    assert find_commit(lake, bronze, said["run_key"]) == first.snapshot_id


def executor_at_work(step: subprocess.Popen[str]) -> int:
    """The process of an executor that has started Python for a task."""

    def found() -> int | None:
        parents = {pid: parent for pid, parent, _ in processes()}
        for _, parent, command in processes():
            if "pyspark.daemon" in command and _below(parent, step.pid, parents):
                return parent
        return None

    return until(found, step)


def processes() -> list[tuple[int, int, str]]:
    """Number, parent and command line of every process."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            stat = (folder / "stat").read_text()
        except OSError:
            continue
        found.append((int(folder.name), int(stat.rpartition(")")[2].split()[1]), command))
    return found


def _below(pid: int, above: int, parents: dict[int, int]) -> bool:
    while pid > 1:
        if pid == above:
            return True
        pid = parents.get(pid, 0)
    return False


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def until(look: Callable[[], T], step: subprocess.Popen[str]) -> T:
    """What `look` finds, once it does."""
    deadline = time.monotonic() + WAIT
    while time.monotonic() < deadline:
        if found := look():
            return found
        assert step.poll() is None, step.communicate()[1][-4000:]
        time.sleep(0.05)
    raise AssertionError("nothing came")
