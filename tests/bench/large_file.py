"""One large landed file, and the contract alone, as ratios of one run.

    PYTHONPATH=. python tests/bench/large_file.py [--rows 480000 1170000]

ETL: ours (stream from S3, strict parse, contract with reasons, bronze + quarantine + silver staged and committed)
against polars' typed `read_csv` of the same object plus `write_parquet` to the same S3: nothing judged, one table.
Each runs in a process of its own, which also tells its greatest memory; the least of the rounds counts.

Contract: what ingest does on typed rows (fused checks, uniqueness, row by row) against `pandera.validate(lazy=True)` of
the same frame.
"""

import argparse
import io
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pandera.polars as pa
import polars as pl
from etl import ours, services

from include.foundation.lake import Lake
from include.foundation.spec import UseCase, load
from include.stages.ingest import landing
from include.stages.quality import Contract, judge
from include.stages.quality.checks import failures
from include.stages.quality.uniqueness import repeated
from include.use_cases.flight_delays.contract import Flights

DAY = date(2013, 1, 1)
ROUNDS = 3
FLIGHT = {
    "year": "2013", "month": "1", "day": "1", "dep_time": "517", "sched_dep_time": "515", "dep_delay": "2",
    "arr_time": "830", "sched_arr_time": "819", "arr_delay": "11", "carrier": "UA", "flight": "1545",
    "tailnum": "N14228", "origin": "EWR", "dest": "IAH", "air_time": "227", "distance": "1400", "hour": "5",
    "minute": "15", "time_hour": "2013-01-01T10:00:00Z",
}  # fmt: skip
NUMBERS, LETTERS = 9999, 23


def flights(rows: int) -> pl.DataFrame:
    """As many different good flights of one day, as text."""
    number = pl.int_range(rows)
    letter = [chr(ord("B") + n) for n in range(LETTERS)]
    carrier = [pl.lit(pl.Series(letter)).gather(number // NUMBERS // each % LETTERS) for each in (LETTERS, 1)]
    return pl.select(**{name: pl.repeat(value, rows) for name, value in FLIGHT.items()}).with_columns(
        flight=(number % NUMBERS + 1).cast(pl.String), carrier=pl.concat_str(carrier)
    )


def spec() -> UseCase:
    """Flights alone."""
    whole = load("flight_delays")
    return whole.model_copy(update={"sources": (whole.source("flights"),)})


def polars_alone(lake: Lake, uri: str) -> None:
    """Typed read and one write."""
    frame = pl.read_csv(lake.objects().get(uri), null_values=["NA"], try_parse_dates=True)
    sink = io.BytesIO()
    frame.write_parquet(sink, compression="zstd")
    lake.objects().put(f"{lake.models}/bare/large.parquet", sink.getvalue())


def child(act: str, uri: str) -> None:
    """Time one of the two in this process."""
    lake, use_case = Lake.from_env(), spec()
    acts: dict[str, Callable[[], None]] = {
        "ours": lambda: ours(lake, use_case, [DAY]),
        "polars": lambda: polars_alone(lake, uri),
    }
    found = [_clock(acts[act]) for _ in range(ROUNDS)]
    # Of this program: getrusage's peak begins with that of the process that started this one.
    (peak,) = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    memory = int(peak) / 1024
    print(json.dumps([min(wall for wall, _ in found), min(cpu for _, cpu in found), memory]))


def _clock(act: Callable[[], object]) -> tuple[float, float]:
    started, cpu = time.perf_counter(), time.process_time()
    act()
    return time.perf_counter() - started, time.process_time() - cpu


def etl(rows: int) -> None:
    """One file of so many rows."""
    with services() as lake:
        uri = landing.uri(lake.landing, "flight_delays", "flights", DAY)
        data = flights(rows).write_csv().encode()
        lake.objects().put(uri, data)
        found = {}
        for act in ("polars", "ours"):
            command = [sys.executable, __file__, "--child", act, uri]
            environ = {**os.environ, **lake.env()}
            done = subprocess.run(command, env=environ, check=True, capture_output=True, text=True)
            found[act] = json.loads(done.stdout.splitlines()[-1])
    print(f"one large file, {rows:,} rows, {len(data) / 1e6:.0f} MB, least of {ROUNDS} rounds")
    for act, (wall, cpu, memory) in found.items():
        ratios = [found["ours"][at] / found[act][at] for at in range(3)]
        print(
            f"  {act:8} {wall:7.3f} s {cpu:7.3f} CPU s {memory:7.0f} MB"
            f"   ours/this: {ratios[0]:.2f} wall, {ratios[1]:.2f} CPU, {ratios[2]:.2f} memory"
        )


def contract(rows: int) -> None:
    """The contract alone on so many typed rows."""
    written = Contract.of(Flights)
    landed = flights(1).with_columns(event_date=pl.lit(DAY))
    row = judge(written, landed, null_values=()).passed
    typed = row.select(pl.all().repeat_by(rows).explode()).with_columns(
        flights(rows).select(pl.col("flight").cast(pl.Int64), "carrier")
    )

    def fused() -> None:
        everything = pl.int_range(rows, dtype=pl.UInt32, eager=True)
        bad = failures(written.rules, typed) or repeated(written.unique, typed, everything)
        if bad:
            sys.exit(f"rows of the bench fail: {[str(rule) for rule, _ in bad]}")

    def by_pandera() -> pa.DataFrameModel:
        return Flights.validate(typed, lazy=True)

    acts = {"ours": fused, "pandera": by_pandera}
    found = {name: min(_clock(act) for _ in range(ROUNDS)) for name, act in acts.items()}
    wall, cpu = (found["ours"][at] / found["pandera"][at] for at in range(2))
    print(
        f"contract on {rows:9,} typed rows: ours {found['ours'][0]:.4f} s, pandera.validate {found['pandera'][0]:.4f} s"
        f"   ours/pandera: {wall:.2f} wall, {cpu:.2f} CPU"
    )


def main() -> None:
    """Run all and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[480_000, 1_170_000], help="rows of the large files")
    parser.add_argument("--contract", type=int, nargs="+", default=[1_440, 27_000, 5_000_000], help="typed rows")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(*arguments.child)
        return
    for rows in arguments.rows:
        etl(rows)
    for rows in arguments.contract:
        contract(rows)


if __name__ == "__main__":
    main()
