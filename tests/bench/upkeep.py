"""A year of daily commits of small files: reads before and after two nights of upkeep, as ratios of one run.

    PYTHONPATH=. python tests/bench/upkeep.py [--days 365] [--files 6]

The scale of 1 is the same rows written at once, a file a day. What is read is one day, one month and all of it, by the
platform's own reader and by the warehouse (without the start of its process). The least of the rounds counts.
"""

import argparse
import time
from collections.abc import Callable
from datetime import date, timedelta

import duckdb
import polars as pl
from etl import services

from include.foundation.lake import Lake, tables
from include.foundation.lake.change import Replace
from include.foundation.lake.commit import TableWriter, replace_days
from include.stages.maintenance.maintain import maintain
from include.warehouse import engine
from include.warehouse.duck import properties

START, ROWS, ROUNDS = date(2013, 1, 1), 900, 5
DAILY, WHOLE = "silver.daily", "silver.whole"


def rows(day: date) -> pl.DataFrame:
    """A day's rows."""
    return pl.DataFrame({"event_date": [day] * ROWS, "n": range(ROWS), "name": [f"name {n % 97}" for n in range(ROWS)]})


def fill(lake: Lake, days: list[date], files: int) -> None:
    """The two tables."""
    for day in days:
        frame = rows(day)
        writer = TableWriter(lake, DAILY, schema=frame.schema, change=Replace(frozenset([day])))
        for part in frame.iter_slices(-(-ROWS // files)):
            writer.write(part)
        writer.commit({"run_key": str(day)})
    replace_days(lake, WHOLE, pl.concat(map(rows, days)), days, {"run_key": "whole"})


def reads(lake: Lake, connection: duckdb.DuckDBPyConnection, days: list[date]) -> dict[str, Callable[[str], object]]:
    month = days[-31:]
    sql = "SELECT count(*), sum(n) FROM lake.{} WHERE event_date BETWEEN ? AND ?"

    def ask(first: date, last: date) -> Callable[[str], object]:
        return lambda name: connection.execute(sql.format(name), [first, last]).fetchall()

    return {
        "a day": lambda name: tables.read(lake, name, start=days[-1], end=days[-1]),
        "a month": lambda name: tables.read(lake, name, start=month[0], end=month[-1]),
        "all": lambda name: tables.read(lake, name),
        "a day by SQL": ask(days[-1], days[-1]),
        "all by SQL": ask(days[0], days[-1]),
    }


def ratios(asked: dict[str, Callable[[str], object]]) -> dict[str, float]:
    """How long each read takes on the daily table, against the same on the whole one."""
    found = {}
    for what, read in asked.items():
        taken: dict[str, list[float]] = {DAILY: [], WHOLE: []}
        for _ in range(ROUNDS):
            for name, times in taken.items():
                started = time.perf_counter()
                read(name)
                times.append(time.perf_counter() - started)
        found[what] = min(taken[DAILY]) / min(taken[WHOLE])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--files", type=int, default=6, help="of each day's commit")
    asked = parser.parse_args()
    days = [START + timedelta(days=number) for number in range(asked.days)]
    with services() as lake, engine.empty() as connection:
        fill(lake, days, asked.files)
        engine.attach(connection, engine.attachment(properties(lake)), memory_mb=1_024)
        before = ratios(reads(lake, connection, days))
        started = time.perf_counter()
        done = maintain(lake, DAILY, keep=timedelta(0), orphan_age=timedelta(days=2), min_files=2)
        took = time.perf_counter() - started
        # The night after: the merges' own snapshots expire too.
        maintain(lake, DAILY, keep=timedelta(0), orphan_age=timedelta(days=2), min_files=2)
        after = ratios(reads(lake, connection, days))
    for what, ratio in before.items():
        print(f"read {what}: {ratio:.2f} of the time of one commit before upkeep, {after[what]:.2f} after")
    print(
        f"{len(days)} commits of {asked.files} files: {done.merged} files merged, "
        f"{done.expired} snapshots expired, {took:.0f} s"
    )


if __name__ == "__main__":
    main()
