"""TPC-H's 22 queries through the warehouse's engine on Iceberg tables, against the same files as plain Parquet.

    PYTHONPATH=. python tests/bench/warehouse.py [--scale 1]

The tables are TPC-H's own, made by DuckDB's extension (TPC-H's queries with its validation parameters). pyiceberg
writes them to a lake of SeaweedFS. Both sides are one DuckDB process with the warehouse's settings and extensions, on
the same data files in the same S3: what differs is the catalog and Iceberg's metadata. Answers must be equal. The least
of the rounds counts, query by query, in turns.
"""

import argparse
import statistics
import time
from collections.abc import Iterator

import duckdb
import pyarrow as pa
from etl import services

from include.foundation.lake import Lake
from include.warehouse import engine
from include.warehouse.duck import properties

NAMESPACE = "tpch"
TABLES = ("region", "nation", "supplier", "customer", "part", "partsupp", "orders", "lineitem")
ROUNDS = 3
BATCH_ROWS = 1_000_000
MEMORY_MB = 4_096
AIM = 1.3


def generate(scale: float) -> tuple[duckdb.DuckDBPyConnection, list[str]]:
    """TPC-H's tables in memory, and its queries."""
    made = duckdb.connect()
    made.execute(f"LOAD '{engine.extension('tpch')}'")
    made.execute("CALL dbgen(sf = ?)", [scale])
    queries = [sql for (sql,) in made.execute("SELECT query FROM tpch_queries() ORDER BY query_nr").fetchall()]
    return made, queries


def batches(made: duckdb.DuckDBPyConnection, table: str) -> Iterator[pa.Table]:
    """The rows of a table, some at a time."""
    reader = made.execute(f"FROM {table}").to_arrow_reader(BATCH_ROWS)
    for batch in reader:
        yield pa.Table.from_batches([batch])


def store(lake: Lake, made: duckdb.DuckDBPyConnection) -> dict[str, list[str]]:
    """Write all tables; the addresses of their files."""
    catalog = lake.catalog()
    catalog.create_namespace_if_not_exists(NAMESPACE)
    files = {}
    for name in TABLES:
        table = None
        for rows in batches(made, name):
            table = table or catalog.create_table(f"{NAMESPACE}.{name}", rows.schema)
            table.append(rows)
        files[name] = table.inspect.files()["file_path"].to_pylist() if table else []
    return files


def seconds(connection: duckdb.DuckDBPyConnection, schema: str, sql: str) -> tuple[float, list[tuple[object, ...]]]:
    connection.execute(f"USE {schema}")
    started = time.perf_counter()
    rows = connection.execute(sql).fetchall()
    return time.perf_counter() - started, rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=1.0, help="TPC-H's scale factor (1: 6 million lines of orders)")
    scale = parser.parse_args().scale
    with services() as lake:
        made, queries = generate(scale)
        files = store(lake, made)
        made.close()
        with engine.empty() as connection:
            engine.attach(connection, engine.attachment(properties(lake)), memory_mb=MEMORY_MB)
            connection.execute("CREATE SCHEMA memory.plain")
            for name, paths in files.items():
                listed = ", ".join(f"'{path}'" for path in paths)
                connection.execute(f"CREATE VIEW memory.plain.{name} AS FROM read_parquet([{listed}])")
            ratios, total = [], {"plain": 0.0, "iceberg": 0.0}
            for number, sql in enumerate(queries, 1):
                taken: dict[str, list[float]] = {"plain": [], "iceberg": []}
                for _ in range(ROUNDS):
                    plain, expected = seconds(connection, "memory.plain", sql)
                    iceberg, found = seconds(connection, f"lake.{NAMESPACE}", sql)
                    if repr(found) != repr(expected):
                        raise SystemExit(f"query {number} answers otherwise on Iceberg")
                    taken["plain"].append(plain)
                    taken["iceberg"].append(iceberg)
                ratios.append(min(taken["iceberg"]) / min(taken["plain"]))
                for side, times in taken.items():
                    total[side] += min(times)
                print(f"query {number:2}: {ratios[-1]:.2f}", flush=True)
    whole = total["iceberg"] / total["plain"]
    print(
        f"TPC-H at scale factor {scale:g}, {len(queries)} queries, Iceberg to plain Parquet: "
        f"{whole:.2f} of the time in all, median {statistics.median(ratios):.2f}, worst {max(ratios):.2f} (aim {AIM})"
    )


if __name__ == "__main__":
    main()
