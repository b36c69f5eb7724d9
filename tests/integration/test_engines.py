"""Other engines on our tables, and our code on theirs: stock pyiceberg and DuckDB, by the REST catalog."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from importlib.util import find_spec
from pathlib import Path

import duckdb
import polars as pl
import pytest
from pyiceberg.catalog import Catalog, load_catalog

from include.foundation.lake import Lake, tables
from include.foundation.lake.commit import replace_days

pytestmark = pytest.mark.integration

TABLE = "silver.flights"
D = [date(2013, 1, day) for day in range(1, 5)]
ROWS = pl.DataFrame(
    {
        "event_date": D[:3],
        "delay": [1, None, -3],
        "share": [0.5, float("inf"), None],
        "tail": ["N1", "é", None],
        "late": [True, False, None],
        "at": [datetime(2013, 1, 1, 5, 30, tzinfo=UTC), None, datetime(2013, 1, 3, tzinfo=UTC)],
        "reasons": [["a", "b"], [], None],
    },
    schema_overrides={"delay": pl.Int64, "at": pl.Datetime("us", "UTC")},
)


@pytest.fixture
def lake(new_lake: Callable[..., Lake]) -> Lake:
    """A lake with one table of every type that ours have."""
    one = new_lake()
    replace_days(one, TABLE, ROWS[:1], D[:2], {"run_key": "1"})
    replace_days(one, TABLE, ROWS[1:], D[1:], {"run_key": "2"})
    return one


@pytest.fixture
def stock(lake: Lake) -> Catalog:
    """Plain pyiceberg, with its own way to read and write files."""
    return load_catalog("stock", **lake.catalog_properties, **lake.s3.iceberg())


@pytest.fixture
def duck(lake: Lake) -> Iterator[duckdb.DuckDBPyConnection]:
    """DuckDB with the lake attached; its extensions are files of installed packages, so that nothing is downloaded."""
    connection = duckdb.connect(config={"autoinstall_known_extensions": False, "autoload_known_extensions": False})
    for name in ("avro", "httpfs", "iceberg"):
        package = Path(find_spec(f"duckdb_extension_{name}").origin).parent
        (file,) = package.rglob(f"{name}.duckdb_extension")
        connection.execute(f"LOAD '{file}'")
    s3, catalog = lake.s3, lake.catalog_properties
    client, secret = catalog["credential"].split(":")
    warehouse = catalog["warehouse"].removeprefix("s3://")  # what looks like a remote file is attached to be read alone
    connection.execute(
        f"""CREATE SECRET (TYPE s3, KEY_ID '{s3.access_key}', SECRET '{s3.secret_key}', REGION '{s3.region}',
            ENDPOINT '{s3.endpoint.removeprefix("http://")}', URL_STYLE 'path', USE_SSL false)"""
    )
    connection.execute(
        f"""ATTACH '{warehouse}' AS lake (TYPE iceberg, ENDPOINT '{catalog["uri"]}', CLIENT_ID '{client}',
            CLIENT_SECRET '{secret}', OAUTH2_SERVER_URI '{catalog["oauth2-server-uri"]}')"""
    )
    with connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


def ours(lake: Lake) -> pl.DataFrame:
    return tables.read(lake, TABLE)


def test_stock_pyiceberg_reads_what_we_wrote(stock: Catalog) -> None:
    table = stock.load_table(TABLE)
    assert table.scan().to_polars().sort("event_date").equals(ROWS, null_equal=True)
    one = table.scan(row_filter="event_date = '2013-01-02'", selected_fields=("tail",)).to_polars()
    assert one.rows() == [("é",)]
    assert table.inspect.snapshots()["operation"].to_pylist() == ["overwrite", "overwrite"]


def test_we_read_and_replace_what_stock_pyiceberg_wrote(lake: Lake, stock: Catalog) -> None:
    table = stock.load_table(TABLE)
    more = ROWS[:1].with_columns(event_date=D[3]).cast({"event_date": pl.Date})
    table.append(more.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(table.schema().as_arrow()))
    assert ours(lake).equals(pl.concat([ROWS, more]), null_equal=True)
    table.delete("event_date = '2013-01-01'")
    assert ours(lake).equals(pl.concat([ROWS[1:], more]), null_equal=True)
    replace_days(lake, TABLE, ROWS[:1], [D[0], D[3]], {"run_key": "3"})
    assert ours(lake).equals(ROWS, null_equal=True)
    assert stock.load_table(TABLE).scan().to_polars().sort("event_date").equals(ROWS, null_equal=True)


def test_duckdb_reads_what_we_wrote(duck: duckdb.DuckDBPyConnection) -> None:
    found = duck.sql(f"SELECT * FROM lake.{TABLE} ORDER BY event_date").pl()
    assert found.equals(ROWS, null_equal=True)
    counted = duck.sql(f"SELECT count(*), min(tail) FROM lake.{TABLE} WHERE event_date >= DATE '2013-01-02'").fetchall()
    assert counted == [(2, "é")]


def test_we_read_and_replace_what_duckdb_wrote(lake: Lake, duck: duckdb.DuckDBPyConnection) -> None:
    more = ROWS[:1].with_columns(event_date=D[3]).cast({"event_date": pl.Date})
    duck.execute(f"INSERT INTO lake.{TABLE} SELECT * FROM more")
    assert ours(lake).equals(pl.concat([ROWS, more]), null_equal=True)
    assert tables.counts(lake, TABLE) == dict.fromkeys(D, 1)
    replace_days(lake, TABLE, ROWS[:0], [D[3]], {"run_key": "3"})
    assert ours(lake).equals(ROWS, null_equal=True)
    assert duck.sql(f"SELECT count(*) FROM lake.{TABLE}").fetchall() == [(3,)]


def test_rows_that_duckdb_deleted_stay_deleted(lake: Lake, duck: duckdb.DuckDBPyConnection) -> None:
    two = pl.concat([ROWS[:1], ROWS[:1].with_columns(tail=pl.lit("N2"))])
    replace_days(lake, TABLE, two, D[:1], {"run_key": "3"})
    duck.execute(f"DELETE FROM lake.{TABLE} WHERE tail = 'N2'")
    assert ours(lake).equals(ROWS, null_equal=True)
