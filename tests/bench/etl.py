"""Partition ETL against a bare Parquet write and against a straightforward pandas version, as ratios of one run.

    PYTHONPATH=. python tests/bench/etl.py [--days 31]

Ours: read landed CSV from S3, strict parse, contract with reasons, bronze + quarantine + silver staged and committed to
Iceberg (SeaweedFS's catalog). Bare: `pyarrow.parquet.write_table` of the same rows to the same S3, one file per table
and day as Iceberg has them, by as many threads; and, as a lower bound, of silver alone into one file in memory. Pandas:
read_csv per file, to_numeric and boolean masks for the same rules, `to_parquet` per table and day to the same S3; no
catalog, nothing atomic.

Each is run warm and in turns; the least of the rounds counts, in seconds and in CPU seconds of this process (which a
busy machine changes less). Services are started for the run and gone after it.
"""

import argparse
import io
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow.fs import S3FileSystem

from include.foundation.lake import S3, Lake, tables
from include.foundation.lake.data_file import WRITERS
from include.foundation.spec import UseCase, load
from include.stages.ingest import landing
from include.stages.ingest.plan import Plan
from include.stages.ingest.publish import LAYERS, publish
from sandbox.lake import seaweedfs
from sandbox.supervisor.service import free_ports, python, running

REPO = Path(__file__).parents[2]
SOURCE = "flights"
START = date(2013, 1, 1)
ROUNDS = 5


@contextmanager
def services() -> Iterator[Lake]:
    """An empty lake on a SeaweedFS of its own."""
    with tempfile.TemporaryDirectory(prefix="flb-") as folder:
        home = Path(folder)
        key = seaweedfs.Key(name="bench", access="bench", secret=secrets.token_hex(16))
        ports = dict(zip(seaweedfs.PORTS, free_ports(len(seaweedfs.PORTS)), strict=True))
        store = seaweedfs.service(home, ports=ports, admin=key, signing_key=secrets.token_hex(16))
        with running(store, log=home / "seaweedfs.log"):
            lake = Lake(
                catalog_properties=seaweedfs.catalog(f"http://127.0.0.1:{ports['catalog']}", key),
                s3=S3(endpoint=store.url, region=seaweedfs.REGION, access_key=key.access, secret_key=key.secret),
                landing="s3://landing",
                models="s3://models",
            )
            yield lake
            lake.catalog().close()


def land(lake: Lake, last: date) -> None:
    """Land the real files."""
    environ = {**os.environ, **lake.env()}
    command = [str(python("sandbox")), "-m", "sandbox.demo.landing", "--from", str(START), "--to", str(last)]
    subprocess.run(command, cwd=REPO, env=environ, check=True, stdout=subprocess.DEVNULL)


def ours(lake: Lake, spec: UseCase, days: list[date]) -> None:
    """One ingest run, as the Dag does it."""
    publish(lake, spec, Plan.of(lake, spec, days), run_id=secrets.token_hex(4))


def filesystem(lake: Lake) -> S3FileSystem:
    """Arrow's S3, told to send a small file as one request."""
    store = lake.s3 or S3()
    return S3FileSystem(
        endpoint_override=store.endpoint,
        region=store.region,
        access_key=store.access_key,
        secret_key=store.secret_key,
        allow_delayed_open=True,
    )


def bare(files: S3FileSystem, results: dict[str, list[tuple[date, pa.Table]]]) -> None:
    """Write what `ours` wrote, and nothing else."""

    def write(part: tuple[str, date, pa.Table]) -> None:
        layer, day, rows = part
        with files.open_output_stream(f"models/bare/{layer}/{day}.parquet") as sink:
            pq.write_table(rows, sink, compression="zstd")

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(write, ((layer, *part) for layer, parts in results.items() for part in parts)))


INTEGERS = {
    "year": (1987, 2100), "month": (1, 12), "day": (1, 31), "dep_time": (0, 2400), "sched_dep_time": (0, 2400),
    "dep_delay": (-180, 2880), "arr_time": (0, 2400), "sched_arr_time": (0, 2400), "arr_delay": (-240, 2880),
    "flight": (1, 9999), "air_time": (5, 1200), "distance": (10, 10_000), "hour": (0, 23), "minute": (0, 59),
}  # fmt: skip
NULLABLE = {"dep_time", "dep_delay", "arr_time", "arr_delay", "air_time", "tailnum"}
PATTERNS = {"carrier": "^[0-9A-Z]{2}$", "tailnum": "^N[0-9A-Z]{2,5}$", "dest": "^[A-Z]{3}$"}


def by_pandas(lake: Lake, files: S3FileSystem, days: list[date]) -> dict[str, int]:
    """The same job as one would write it with pandas. Returns rows per table."""
    frames = []
    for day in days:
        uri = landing.uri(lake.landing, "flight_delays", SOURCE, day)
        frame = pd.read_csv(io.BytesIO(lake.objects().get(uri)), dtype=str, keep_default_na=False)
        frame = frame.assign(event_date=day, source_file=uri, line=range(2, len(frame) + 2))
        frames.append(frame.assign(ingested_at=pd.Timestamp.now("UTC")))
    bronze = pd.concat(frames, ignore_index=True)
    typed, reasons = pandas_contract(bronze)
    bad = reasons.str.len() > 0
    quarantine = bronze[bad].assign(reasons=reasons[bad].str.rstrip(";").str.split(";"), run_id="pandas")
    parts = {"bronze": bronze, "quarantine": quarantine, "silver": typed[~bad]}
    for layer, rows in parts.items():
        for day, part in rows.groupby("event_date"):
            path = f"models/pandas/{layer}/{day}.parquet"
            part.to_parquet(path, filesystem=files, compression="zstd", index=False)
    return {layer: len(rows) for layer, rows in parts.items()}


def pandas_contract(bronze: pd.DataFrame) -> tuple[pd.DataFrame, pd.Series]:
    """Typed columns, and per row its reasons, each ending in a semicolon."""
    landed = bronze.drop(columns=["source_file", "line", "ingested_at"])
    text = landed.mask(landed.isin(["", "NA"]))
    typed = text.copy()
    reasons = pd.Series("", index=bronze.index)

    def fails(mask: pd.Series, reason: str) -> None:
        reasons[mask] = reasons[mask] + reason + ";"

    for name, (low, high) in INTEGERS.items():
        typed[name] = pd.to_numeric(text[name], errors="coerce").astype("Int64")
        fails(typed[name].isna() & text[name].notna(), f"{name}: not an integer")
        fails(typed[name].notna() & ~typed[name].between(low, high).fillna(value=True), f"{name}: out of range")
    for name, pattern in PATTERNS.items():
        fails(text[name].notna() & ~text[name].str.match(pattern).fillna(value=True).astype(bool), f"{name}: pattern")
    for name in [*INTEGERS, *PATTERNS, "origin"]:
        if name not in NULLABLE:
            fails(text[name].isna(), f"{name}: missing")
    fails(~text["origin"].isin(["EWR", "JFK", "LGA"]), "origin: not one of ours")
    typed["time_hour"] = pd.to_datetime(text["time_hour"], format="%Y-%m-%dT%H:%M:%SZ", utc=True, errors="coerce")
    fails(typed["time_hour"].isna(), "time_hour: not a timestamp")
    typed["sched_dep"] = typed["time_hour"] + pd.to_timedelta(typed["minute"].astype("float"), unit="m")
    local = typed["time_hour"].dt.tz_convert("America/New_York")
    event = pd.to_datetime(typed["event_date"])
    same = (typed["year"] == event.dt.year) & (typed["month"] == event.dt.month) & (typed["day"] == event.dt.day)
    fails(~same.fillna(value=False).astype(bool), "year, month and day are the file's day")
    same = (local.dt.hour == typed["hour"]) & (local.dt.date == typed["event_date"])
    fails(~same.fillna(value=False).astype(bool), "time_hour is the day and hour in New York")
    same = typed["sched_dep_time"] == typed["hour"] * 100 + typed["minute"]
    fails(~same.fillna(value=False).astype(bool), "sched_dep_time is hour and minute")
    fails(typed["dep_time"].isna() != typed["dep_delay"].isna(), "dep_time and dep_delay")
    gone = typed[["dep_time", "arr_time", "air_time"]].isna().any(axis=1)
    fails(gone & typed["arr_delay"].notna(), "only a flight that departed and arrived has arr_delay")
    for delay, actual, scheduled in (
        ("dep_delay", "dep_time", "sched_dep_time"),
        ("arr_delay", "arr_time", "sched_arr_time"),
    ):
        minutes = [typed[name] // 100 * 60 + typed[name] % 100 for name in (actual, scheduled)]
        off = (minutes[0] - minutes[1] - typed[delay]) % 1440 != 0
        fails(off.fillna(value=False).astype(bool), f"{delay} is {actual} minus {scheduled}")
    fails(typed.duplicated(["event_date", "carrier", "flight", "origin"], keep=False), "not unique")
    return typed, reasons


def clock(acts: dict[str, Callable[[], object]]) -> dict[str, tuple[float, float]]:
    """Least seconds and CPU seconds of each act, run in turns after one warm-up."""
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in acts}
    for act in acts.values():
        act()
    for _ in range(ROUNDS):
        for name, act in acts.items():
            started, cpu = time.perf_counter(), time.process_time()
            act()
            seconds[name].append((time.perf_counter() - started, time.process_time() - cpu))
    return {name: (min(wall for wall, _ in each), min(cpu for _, cpu in each)) for name, each in seconds.items()}


def by_day(rows: pl.DataFrame) -> list[tuple[date, pa.Table]]:
    parts = rows.partition_by("event_date", as_dict=True, maintain_order=True)
    return [(day, part.to_arrow(compat_level=pl.CompatLevel.oldest())) for (day,), part in parts.items()]


def main() -> None:
    """Run it and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--days", type=int, default=31, help="days of flights, from 2013-01-01 on")
    count = parser.parse_args().days
    days = [START + timedelta(days=n) for n in range(count)]
    whole = load("flight_delays")
    spec = whole.model_copy(update={"sources": (whole.source(SOURCE),)})
    with services() as lake:
        land(lake, days[-1])
        ours(lake, spec, days)
        frames = {layer: tables.read(lake, spec.table(layer, SOURCE)) for layer in LAYERS}
        files = filesystem(lake)
        pandas_rows = by_pandas(lake, files, days)
        if pandas_rows != {layer: rows.height for layer, rows in frames.items()}:
            sys.exit(f"pandas disagrees: {pandas_rows}")
        results = {layer: by_day(rows) for layer, rows in frames.items()}
        silver = frames["silver"].to_arrow(compat_level=pl.CompatLevel.oldest())
        seconds = clock(
            {
                "ours: read, contract, write, commit": lambda: ours(lake, spec, days),
                "bare write of the same files": lambda: bare(files, results),
                "bare write of silver, one file in memory": lambda: pq.write_table(
                    silver, pa.BufferOutputStream(), compression="zstd"
                ),
                "pandas": lambda: by_pandas(lake, files, days),
            }
        )
    wall, cpu = next(iter(seconds.values()))
    print(f"partition ETL, {count} days of flights, {frames['bronze'].height:,} rows, least of {ROUNDS} rounds")
    print(f"  {'':42} {'seconds':>9} {'ours/this':>9} {'CPU s':>9} {'ours/this':>9}")
    for name, (its_wall, its_cpu) in seconds.items():
        print(f"  {name:42} {its_wall:9.3f} {wall / its_wall:9.2f} {its_cpu:9.3f} {cpu / its_cpu:9.2f}")


if __name__ == "__main__":
    main()
