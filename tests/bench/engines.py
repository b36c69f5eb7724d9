"""polars against Spark, and polars against itself on ten times the rows: rows/s, time and memory, as ratios of one run.

    PYTHONPATH=. python tests/bench/engines.py [--days 31] [--times 1 10] [--spark]

One ingest run of flights (read landed CSV, parse, contract, three tables committed) and one features run, each as the
process that a job is, so that its start counts and its peak memory is its own. Ten times the rows are ten times as many
flights on each day, under other carriers. `--spark` needs `make spark`; its cluster is `local-cluster[2,1,1024]`. What
both leave is compared: each table row for row (SHA-256), and what its last commit says. The least of the rounds counts.
"""

import argparse
import os
import subprocess
import sys
import time
from dataclasses import replace
from datetime import date, timedelta

from etl import REPO, SOURCE, START, land, services

from include.foundation.lake import Lake, tables
from include.foundation.spec import load
from include.stages.ingest import landing

SPEC = load("flight_delays")
CARRIERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
ROUNDS = 3
# A process starts with the peak of the one that started it: this one holds all tables when it compares them.
WATCHED = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""


def multiply(lake: Lake, days: list[date], times: int) -> Lake:
    """The same landing with so many times the flights, each copy under carriers of its own."""
    if times == 1:
        return lake
    many = replace(lake, landing=f"{lake.landing}/times{times}")
    for day in days:
        for source in SPEC.files:
            try:
                data = lake.objects().get(landing.uri(lake.landing, SPEC.name, source.name, day))
            except Exception:
                continue  # a snapshot that did not land on the day
            if source.name == SOURCE:
                data = copies(data, times)
            many.objects().put(landing.uri(many.landing, SPEC.name, source.name, day), data)
    return many


def copies(data: bytes, times: int) -> bytes:
    """A file of flights with each line so often, under other carriers: `UA` as `U0`, `U1`, ..., unlike any real one."""
    header, *lines = data.decode().splitlines()
    at = header.split(",").index("carrier")
    rows = [line.split(",") for line in lines]
    codes = sorted({row[at] for row in rows})
    made = [header]
    for copy in range(times):
        name = {code: CARRIERS[copy] + CARRIERS[number + 10] for number, code in enumerate(codes)}
        made += [",".join([*row[:at], name[row[at]], *row[at + 1 :]]) for row in rows]
    return ("\n".join(made) + "\n").encode()


def step(lake: Lake, engine: str, *words: str) -> tuple[float, float]:
    """Seconds and peak memory (MB, of the largest process) of a step."""
    python = REPO / ".venv" / ("spark" if engine == "spark" else "dev") / "bin" / "python"
    spark = "--master local-cluster[2,1,1024] --conf spark.ui.enabled=false pyspark-shell"
    environ = {**os.environ, **lake.env(), "PYTHONPATH": str(REPO), "PYSPARK_SUBMIT_ARGS": spark}
    command = [str(python), "-m", "include.steps.data", *words, "--engine", engine]
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, *command], cwd=REPO, env=environ, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{engine} {words[0]} failed: {done.stderr[-2000:]}")
    return time.perf_counter() - started, float(done.stdout) / 1024


def measure(lake: Lake, engine: str, days: list[date], rounds: int) -> dict[str, tuple[float, float]]:
    """Least seconds, and least peak memory, of ingest and features."""
    span = f"{days[0]}..{days[-1]}"
    found: dict[str, list[tuple[float, float]]] = {"ingest": [], "features": []}
    for number in range(rounds):
        for layer in ("bronze", "silver", "quarantine"):
            for source in SPEC.files:
                drop(lake, SPEC.table(layer, source.name))
        drop(lake, SPEC.gold)
        found["ingest"].append(step(lake, engine, "ingest", SPEC.name, "--days", span, "--run-id", f"{number}"))
        found["features"].append(
            step(lake, engine, "features", SPEC.name, "--start", str(days[0]), "--end", str(days[-1]))
        )
    return {name: (min(s for s, _ in each), min(m for _, m in each)) for name, each in found.items()}


def drop(lake: Lake, table: str) -> None:
    if lake.catalog().table_exists(table):
        lake.catalog().drop_table(table)


def main() -> None:
    """Run it and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--days", type=int, default=31, help="days of flights, from 2013-01-01 on")
    parser.add_argument("--times", type=int, nargs="*", default=[1, 10], help="how many times the flights")
    parser.add_argument("--spark", action="store_true", help="Spark too")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    given = parser.parse_args()
    days = [START + timedelta(days=n) for n in range(given.days)]
    engines = ["polars", *["spark"] * given.spark]
    sys.path.append(str(REPO / "tests" / "integration"))
    from spark_cluster import digests, summaries

    results, left = {}, {}
    with services() as lake:
        land(lake, days[-1])
        for times in given.times:
            many = multiply(lake, days, times)
            for engine in engines:
                for name, (seconds, memory) in measure(many, engine, days, given.rounds).items():
                    results[engine, name, times] = seconds, memory, rows(many)
                left[engine, times] = digests(many), summaries(many)
    print(f"{given.days} days of flights, least of {given.rounds} rounds, each a process of its own")
    print(
        f"  {'engine':8} {'step':9} {'rows':>10} {'seconds':>8} {'rows/s':>9} {'MB':>6} {'time/1x':>8} {'memory/1x':>9}"
    )
    for (engine, name, _), (seconds, memory, count) in results.items():
        first = results[engine, name, given.times[0]]
        print(
            f"  {engine:8} {name:9} {count:10,} {seconds:8.1f} {count / seconds:9,.0f} {memory:6.0f}"
            f" {seconds / first[0]:8.2f} {memory / first[1]:9.2f}"
        )
    for times in given.times if given.spark else []:
        (ours, said), (theirs, told) = left["polars", times], left["spark", times]
        alike = sum(ours[name] == theirs[name] and said[name] == told[name] for name in ours)
        total = sum(count for count, _ in ours.values())
        print(f"  {times}x: {alike} of {len(ours)} tables alike row for row and in what they say, {total:,} rows")


def rows(lake: Lake) -> int:
    return sum(tables.counts(lake, SPEC.table("bronze", SOURCE)).values())


if __name__ == "__main__":
    main()
