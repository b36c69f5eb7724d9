"""What a day more of a prediction log costs, of a short log and of one ten times as long, as a ratio.

    PYTHONPATH=. python tests/bench/prediction_log.py [--days 20] [--rows 2000]

A process of its own joins the newest day's labels and reads what `monitor` reads of the newest window, features too;
its time and how much its memory grew are told. Everything before was joined. Rows have 1 kB of features; the lake is a
folder.
"""

import argparse
import json
import multiprocessing
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl
from pydantic import AwareDatetime, BaseModel

from include.foundation.lake import Lake
from include.foundation.lake.commit import replace_days
from include.foundation.spec import UseCase, load
from include.stages.monitoring import answered

FIRST = date(2024, 1, 1)
WINDOW = 7
COLUMNS = ("id", "model_digest", "features", "answer", "label")


class Request(BaseModel):
    """What is asked."""

    at: AwareDatetime
    shop: int

    @property
    def event_time(self) -> datetime:
        """When the answer must be given."""
        return self.at


def use_case() -> UseCase:
    """A use case that asks the above."""
    module = ModuleType("features")
    module.Request = Request  # type: ignore[attr-defined]
    answered.module = lambda *_: module  # type: ignore[assignment]
    return UseCase.model_validate({**load("flight_delays").model_dump(mode="json"), "name": "shops"})


def fill(lake: Lake, spec: UseCase, days: int, rows: int) -> None:
    """Log and gold of so many days; labels are known the day after."""
    features = json.dumps({f"feature_{number}": 0.123456789 for number in range(40)})
    every = [FIRST + timedelta(days=number) for number in range(days)]
    numbers = pl.DataFrame({"shop": range(rows)}, schema={"shop": pl.Int64})
    base = pl.DataFrame({"event_date": every}).join(numbers, how="cross")
    base = base.with_columns(at=pl.col("event_date").cast(pl.Datetime("us")).dt.replace_time_zone("UTC"))
    name = pl.format("{}-{}", "event_date", "shop")
    gold = base.with_columns(id=name, label=pl.lit(1, pl.Int8), label_known_at=pl.col("at") + timedelta(days=1))
    replace_days(lake, spec.gold, gold, every, {})
    moments = pl.format("{}T00:00:00Z", pl.col("event_date").cast(pl.String))
    record = pl.struct(at=moments, shop="shop").struct.json_encode()
    log = base.select(
        "event_date",
        request_id=name,
        row=pl.lit(0),
        version=pl.lit("1"),
        model_digest=pl.lit("sha256:x"),
        stage=pl.lit("production"),
        scored_at="at",
        record=record,
        features=pl.lit(features),
        answer=pl.lit("0.5"),
    )
    replace_days(lake, spec.table("silver", "predictions"), log, every, {})


def news(folder: str, days: int, told: Any) -> None:
    """Join what the last day brought and read the newest window."""
    lake = lake_in(folder)
    spec, last = use_case(), FIRST + timedelta(days=days - 1)
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak until now, which an exec inherits
    before, started = peak(), time.monotonic()
    done = answered.join(lake, spec, at=moment(last), run_id="second")
    rows = sum(part.height for part in answered.asked(lake, spec, last - timedelta(days=WINDOW - 1), last, COLUMNS))
    told.put((time.monotonic() - started, peak() - before, len(done.days), rows))


def peak() -> float:
    """MiB that this process had in memory at most."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def lake_in(folder: str) -> Lake:
    """A lake in a folder."""
    catalog = {"type": "sql", "uri": f"sqlite:///{folder}/catalog.db", "warehouse": f"file://{folder}"}
    return Lake(catalog_properties=catalog, landing="s3://landing", models="s3://models")


def moment(day: date) -> datetime:
    """Its midnight."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=20)
    parser.add_argument("--rows", type=int, default=2000)
    args = parser.parse_args()
    context, spec, found = multiprocessing.get_context("spawn"), use_case(), []
    for days in (args.days, args.days * 10):
        with tempfile.TemporaryDirectory() as name:
            lake = lake_in(name)
            fill(lake, spec, days, args.rows)
            answered.join(lake, spec, at=moment(FIRST + timedelta(days=days - 2)), run_id="first")
            told = context.SimpleQueue()
            run = context.Process(target=news, args=(name, days, told))
            run.start()
            run.join()
            seconds, grown, joined, rows = told.get()
        found.append((seconds, grown))
        print(
            f"{days} days of {args.rows:,} answers: {seconds:.2f} s, {grown:.0f} MiB ({joined} joined, {rows:,} read)"
        )
    (once, small), (ten, large) = found
    print(f"ten times the log: {ten / once:.2f} of the time, {large / small:.2f} of the memory")


if __name__ == "__main__":
    main()
