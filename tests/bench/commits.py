"""Commits of our own path against stock pyiceberg's, as ratios of one run.

    PYTHONPATH=. python tests/bench/commits.py [--commits 1000] [--writers 16]

Each commit holds one row of one new day. "replace": ours replaces the day, stock is `dynamic_partition_overwrite`.
"append": ours appends with positions, stock is `append`. Both write column bounds, to the same S3; the catalog is
SeaweedFS's (REST), then one in PostgreSQL (SQL). The two take turns commit by commit, so that whatever else the machine
does meets both. What is shown is the median of up to nine commits that end at the first, the 100th, the 1,000th of a
table.

Before that, writers commit to one table at once, as threads with catalogs of their own: stock retries as its defaults
say and, where it gives up, loads the table and begins again.
"""

import argparse
import dataclasses
import logging
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date, timedelta
from itertools import count
from pathlib import Path

import polars as pl
from etl import services
from pyiceberg.exceptions import CommitFailedException

from include.foundation.lake import Lake, tables
from include.foundation.lake.change import Append
from include.foundation.lake.commit import TableWriter, replace_days
from sandbox.database import postgres
from sandbox.supervisor.service import running

START = date(2013, 1, 1)
MARKS = (1, 100, 1000)
EACH = 5  # commits of each writer
SCHEMA = pl.Schema({"event_date": pl.Date(), "a": pl.Int64(), "b": pl.Float64(), "c": pl.String()})


@contextmanager
def lakes() -> Iterator[dict[str, Lake]]:
    """A lake without tables by each kind of catalog, on one S3."""
    with services() as rest, tempfile.TemporaryDirectory(prefix="flb-") as folder:
        home = Path(folder)
        with running(postgres.service(home, databases=("catalog",)), log=home / "postgres.log"):
            uri = postgres.dsn(postgres.socket_directory(home), "catalog").replace("://", "+psycopg2://", 1)
            properties = {"type": "sql", "uri": uri, "warehouse": "s3://models/sql.lake"}
            sql = dataclasses.replace(rest, catalog_properties=properties, models="s3://models/sql")
            yield {"REST": rest, "SQL": sql}
            sql.catalog().close()


def rows(number: int) -> pl.DataFrame:
    """One row of a day of its own."""
    return pl.DataFrame([[START + timedelta(days=number)], [number], [0.5], ["text"]], schema=SCHEMA)


def replace(lake: Lake, name: str, number: int) -> None:
    """Ours."""
    replace_days(lake, name, rows(number), [START + timedelta(days=number)], {"run_key": str(number)})


def append(lake: Lake, name: str, number: int) -> None:
    """Ours, with positions."""
    change = Append({"t/0": number}, {"t/0": number - 1} if number else {})
    writer = TableWriter(lake, name, schema=SCHEMA, change=change)
    writer.write(rows(number))
    writer.commit({"run_key": str(number)})


def stock_replace(lake: Lake, name: str, number: int) -> None:
    """pyiceberg's."""
    lake.catalog().load_table(name).dynamic_partition_overwrite(rows(number).to_arrow().cast(ARROW))


def stock_append(lake: Lake, name: str, number: int) -> None:
    """pyiceberg's."""
    lake.catalog().load_table(name).append(rows(number).to_arrow().cast(ARROW))


ARROW = rows(0).to_arrow(compat_level=pl.CompatLevel.oldest()).schema
PAIRS = {"replace": (replace, stock_replace), "append": (append, stock_append)}


def table(lake: Lake, name: str, *, retries: int = 4) -> None:
    """An empty table, with as many retries as stock pyiceberg has by default."""
    made = tables.ensure_table(lake, name, SCHEMA)
    with made.transaction() as change:
        change.set_properties({"commit.retry.num-retries": str(retries)})


def one_writer(catalog: str, lake: Lake, commits: int) -> None:
    """Print what a commit costs as a table grows older."""
    for kind, (ours, stock) in PAIRS.items():
        spent: dict[str, list[float]] = {"ours": [], "stock": []}
        for name in spent:
            table(lake, f"bench.{kind}_{name}")
        for number in range(commits):
            for name, commit in (("ours", ours), ("stock", stock)):
                start = time.monotonic()
                commit(lake, f"bench.{kind}_{name}", number)
                spent[name].append(time.monotonic() - start)
        for mark in (each for each in MARKS if each <= commits):
            one, other = (statistics.median(spent[name][max(0, mark - 9) : mark]) for name in ("ours", "stock"))
            print(
                f"{catalog}, {kind}, commit {mark:5,}: ours {one * 1000:4.0f} ms, stock {other * 1000:4.0f} ms"
                f"   ours/stock: {one / other:.2f}",
                flush=True,
            )


def many_writers(catalog: str, lake: Lake, writers: int) -> None:
    """Print commits per second of writers that all want one table."""

    def stock(own: Lake, name: str, number: int) -> None:
        for lost in count():
            try:
                stock_replace(own, name, number)
            except CommitFailedException:
                given_up.append(lost)
            else:
                return

    rates = {}
    for label, commit in (("ours", replace), ("stock", stock)):
        given_up: list[int] = []
        table(lake, f"bench.many_{label}", retries=0 if label == "ours" else 4)
        own = [dataclasses.replace(lake) for _ in range(writers)]
        for each in own:
            each.catalog()

        def write(
            writer: int, commit: Callable[[Lake, str, int], None] = commit, own: list[Lake] = own, label: str = label
        ) -> None:
            for number in range(EACH):
                commit(own[writer], f"bench.many_{label}", writer * EACH + number)

        start = time.monotonic()
        with ThreadPoolExecutor(writers) as pool:
            list(pool.map(write, range(writers)))
        rates[label] = writers * EACH / (time.monotonic() - start)
        there = tables.read(lake, f"bench.many_{label}").height
        for each in own:
            each.catalog().close()
        print(
            f"{catalog}, {writers} writers, {label:5}: {rates[label]:5.1f} commits/s, {len(given_up)} times a writer "
            f"gave up, {there} of {writers * EACH} rows there",
            flush=True,
        )
    print(f"{catalog}, {writers} writers: ours/stock {rates['ours'] / rates['stock']:.1f} x commits/s", flush=True)


def main() -> None:
    """Run both parts on each catalog."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--commits", type=int, default=1000)
    parser.add_argument("--writers", type=int, default=16)
    given = parser.parse_args()
    logging.getLogger("pyiceberg").setLevel(logging.ERROR)  # stock tells each lost race
    with lakes() as found:
        for catalog, lake in found.items():
            many_writers(catalog, lake, given.writers)
            one_writer(catalog, lake, given.commits)


if __name__ == "__main__":
    main()
