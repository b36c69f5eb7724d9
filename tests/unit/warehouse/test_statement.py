"""Hostile statements are refused before any lake is attached."""

from collections.abc import Iterator
from datetime import UTC, datetime

import duckdb
import pytest

from include.foundation.errors import InvalidInput
from include.warehouse import engine, statement

HOSTILE = (
    "ATTACH '/tmp/other.db'",
    "ATTACH 'lake' AS again (TYPE iceberg)",
    "DETACH lake",
    "COPY (SELECT 1) TO '/tmp/out.csv'",
    "COPY silver.t FROM '/etc/passwd'",
    "COPY (SELECT * FROM silver.t) TO 's3://lake/out.parquet'",
    "EXPORT DATABASE '/tmp/out'",
    "IMPORT DATABASE '/tmp/out'",
    "INSTALL spatial",
    "LOAD spatial",
    "FORCE INSTALL httpfs FROM 'http://198.51.100.1/'",
    "PRAGMA database_list",
    "PRAGMA enable_profiling",
    "SET memory_limit = '64GB'",
    "RESET enable_external_access",
    "SET VARIABLE x = 1",
    "USE lake.silver",
    "CALL pragma_version()",
    "CREATE TABLE t AS SELECT 1",
    "CREATE MACRO m() AS TABLE SELECT * FROM read_text('/etc/passwd')",
    "CREATE SECRET (TYPE s3, KEY_ID 'a', SECRET 'b')",
    "INSERT INTO silver.t VALUES (1)",
    "UPDATE silver.t SET a = 1",
    "DELETE FROM silver.t",
    "MERGE INTO silver.t USING silver.u ON true WHEN MATCHED THEN DELETE",
    "TRUNCATE silver.t",
    "DROP TABLE silver.t",
    "ALTER TABLE silver.t ADD COLUMN b int",
    "VACUUM",
    "CHECKPOINT",
    "BEGIN TRANSACTION",
    "PREPARE p AS SELECT 1",
    "EXECUTE p",
    "EXPLAIN ANALYZE SELECT * FROM silver.t",
    "SELECT 1; SELECT 2",
    "SELECT 1; DROP TABLE silver.t",
    "SELECT 1 /* ; */ ; COPY (SELECT 1) TO '/tmp/x'",
    "",
    "-- nothing",
    "SHOW TABLES",
    "SHOW ALL TABLES",
    "DESCRIBE silver.t",
    "SUMMARIZE silver.t",
    "FROM (DESCRIBE silver.t)",
    "PIVOT silver.t ON a USING sum(b)",
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM read_csv_auto('http://198.51.100.1/x.csv')",
    "SELECT * FROM read_parquet('s3://lake/silver/t/data/*.parquet')",
    "SELECT * FROM parquet_scan('s3://models/*')",
    "SELECT * FROM system.main.read_text('/proc/self/environ')",
    "SELECT * FROM read_blob('https://198.51.100.1/')",
    "SELECT * FROM glob('/*')",
    "SELECT * FROM iceberg_scan('s3://lake/silver/t')",
    "SELECT * FROM iceberg_metadata('s3://lake/silver/t')",
    "SELECT * FROM iceberg_snapshots(lake.silver.t)",
    "SELECT * FROM sniff_csv('/etc/passwd')",
    "SELECT * FROM query('DROP TABLE silver.t')",
    "SELECT * FROM query_table('silver.t')",
    "SELECT * FROM json_execute_serialized_sql('{}')",
    "SELECT * FROM duckdb_secrets()",
    "SELECT * FROM duckdb_settings()",
    "SELECT * FROM which_secret('s3://lake/x', 's3')",
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM 'http://198.51.100.1/x.parquet'",
    'SELECT * FROM "s3://lake/x.parquet"',
    "SELECT * FROM information_schema.tables",
    "SELECT * FROM pg_catalog.pg_settings",
    "SELECT * FROM duckdb_tables",
    "SELECT * FROM memory.main.t",
    "SELECT * FROM system.information_schema.tables",
    "SELECT * FROM t",
    "SELECT getenv('AWS_SECRET_ACCESS_KEY')",
    "SELECT current_setting('s3_secret_access_key')",
    "SELECT getvariable('x')",
    "SELECT nextval('s')",
    "SELECT write_log('x')",
    "SELECT load_aws_credentials()",
    "SELECT a FROM silver.t WHERE b = (SELECT max(content) FROM read_text('/etc/passwd'))",
    "SELECT a FROM silver.t ORDER BY (SELECT count(*) FROM glob('/*'))",
    "SELECT a FROM silver.t LIMIT (SELECT count(*) FROM glob('/*'))",
    "SELECT a FROM silver.t QUALIFY row_number() OVER (ORDER BY getenv('HOME')) = 1",
    "SELECT [x FOR x IN [1] IF getenv('HOME') = 'a']",
    "SELECT list_transform([1], lambda x: getenv('HOME'))",
    "SELECT * FROM silver.t JOIN read_text('/etc/passwd') ON true",
    "SELECT * FROM silver.t, LATERAL (SELECT * FROM read_text(t.path))",
    "SELECT * FROM silver.t UNION ALL SELECT content FROM read_text('/etc/passwd')",
    "WITH x AS (SELECT * FROM read_text('/etc/passwd')) SELECT 1",
    "WITH RECURSIVE r AS (SELECT 1 UNION ALL SELECT count(*) FROM glob('/*')) SELECT * FROM r",
    "WITH x AS (DELETE FROM silver.t RETURNING *) SELECT * FROM x",
    "WITH x AS MATERIALIZED (INSERT INTO silver.t VALUES (1) RETURNING *) SELECT * FROM x",
    "WITH read_text AS (SELECT 1) SELECT * FROM read_text('/etc/passwd')",
    'WITH "silver.t" AS (SELECT 1) SELECT * FROM other.t',
    *(
        outside.format(name=name)
        for name in ('"s3://lake/secret/a.parquet"', '"/etc/passwd.csv"', "duckdb_databases", "PG_settings", '"a b"')
        for outside in (
            "SELECT * FROM {name} WHERE 1 = (WITH {name} AS (SELECT 1 AS x) SELECT x FROM {name})",
            "WITH {name} AS (SELECT * FROM {name}) SELECT * FROM {name}",
            "WITH RECURSIVE {name} AS MATERIALIZED (SELECT 1 UNION ALL SELECT 2) SELECT * FROM {name}",
            "WITH a AS (SELECT * FROM {name}), {name} AS (SELECT 1) SELECT * FROM a",
            "(WITH {name} AS (SELECT 1) SELECT * FROM {name}) UNION ALL SELECT * FROM {name}",
            "SELECT * FROM silver.t, LATERAL (WITH {name} AS (SELECT 1) FROM {name}), {name}",
        )
    ),
    *(
        f"WITH part AS (SELECT 1 AS x) SELECT * FROM {other}"
        for other in ("part_2", '"part.csv"', "main.part", "other")
    ),
    "WITH part AS (SELECT 1 AS x) SELECT * FROM memory.main.part",
    'WITH k AS (SELECT 1 AS x) SELECT * FROM "\N{KELVIN SIGN}"',  # two names to DuckDB, one to Python
    "WITH part AS (SELECT 1 AS x) SELECT * FROM query_table('part')",
    "WITH part AS (SELECT 1 AS x) SELECT * FROM query('FROM part')",
    "WITH part AS (SELECT 1 AS x) FROM (SHOW part)",
    "WITH part AS (SELECT 1 AS x) FROM (DESCRIBE part)",
    "WITH part AS (SELECT 1 AS x) FROM (SUMMARIZE part)",
    "WITH part AS (SELECT 1 AS x) FROM (PIVOT part ON x USING count(*))",
    "WITH part AS (SELECT 1 AS x) SELECT * FROM (UNPIVOT other ON x)",
    "VALUES ((SELECT content FROM read_text('/etc/passwd')))",
    "FROM read_text('/etc/passwd')",
    "TABLE secret.t",
    "SELECT * FROM secret.t",
    "SELECT * FROM silver.t, secret.t",
    "SELECT * FROM lake.secret.t AS t",
    "SELECT * FROM other.silver.t",
    'SELECT (SELECT 1 FROM "secret"."t")',
    "SELECT * FROM silver.t AT (VERSION => (SELECT count(*) FROM glob('/*')))",
    "SELECT * FROM silver.t TABLESAMPLE 10% WHERE EXISTS (FROM glob('*'))",
    "SELECT " + "+".join(["1"] * 3_000),
)
GOOD = (
    "SELECT 1",
    "VALUES (1), (2)",
    "FROM silver.t",
    "TABLE silver.t",
    "SELECT count(*), median(b), arg_max(a, b) FROM lake.silver.t AS t WHERE a > 1 GROUP BY ALL HAVING count(*) > 2",
    "SELECT a, row_number() OVER (PARTITION BY b ORDER BY a) FROM silver.t QUALIFY 1 = 1",
    "WITH x AS (SELECT a FROM silver.t), y AS (SELECT a FROM x) SELECT * FROM x JOIN y USING (a)",
    "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 5) SELECT * FROM r",
    "SELECT * EXCLUDE (a) REPLACE (b + 1 AS b) FROM silver.t",
    "SELECT unnest(reasons), date_trunc('month', event_date) FROM silver.t",
    "SELECT * FROM range(10) r(n), generate_series(1, 3), unnest([1, 2])",
    "SELECT CASE WHEN a IS NULL THEN 'none' ELSE a::VARCHAR END FROM silver.t",
    "SELECT * FROM silver.t AT (VERSION => 5)",
    "SELECT * FROM silver.t AT (TIMESTAMP => TIMESTAMP '2020-01-01')",
    "SELECT [x + 1 FOR x IN [1, 2]], {'a': 1}.a, regexp_matches('a', 'b')",
    "SELECT * FROM silver.t POSITIONAL JOIN silver.t",
    "SELECT * FROM silver.t USING SAMPLE 10",
    "SELECT histogram(a), quantile_cont(a, 0.5) FILTER (b > 1) FROM silver.t",
    "SELECT * FROM silver.t WHERE a IN (SELECT a FROM silver.t) ORDER BY a LIMIT 5;",
)


@pytest.fixture(scope="module")
def duck() -> Iterator[duckdb.DuckDBPyConnection]:
    with engine.empty() as connection:
        yield connection


@pytest.fixture(scope="module")
def computing(duck) -> frozenset[str]:
    return statement.functions(duck)


@pytest.mark.parametrize("sql", HOSTILE, ids=lambda sql: sql[:60])
def test_it_refuses_what_is_no_plain_read(duck, computing, sql):
    with pytest.raises(InvalidInput) as refused:
        statement.check(duck, sql, computing=computing, readable={"silver.t"})
    assert len(str(refused.value)) < 500


@pytest.mark.parametrize("sql", GOOD, ids=lambda sql: sql[:60])
def test_it_writes_anew_what_only_reads(duck, computing, sql):
    written = statement.check(duck, sql, computing=computing, readable={"silver.t"})
    assert written.tables == (("silver.t",) if "silver" in sql else ())
    again = statement.check(duck, written.sql, computing=computing, readable={"silver.t"})
    assert again.tables == written.tables


def test_a_view_of_the_engine_s_own_is_no_name_of_a_part(duck):
    found = duck.execute("SELECT view_name FROM duckdb_views() WHERE schema_name != 'information_schema'").fetchall()
    assert len(found) > 20
    for (name,) in found:
        with pytest.raises(InvalidInput, match="WITH cannot name a part"):
            statement._part(name)


OUTSIDE = (
    "SELECT * FROM part WHERE 1 = (WITH part AS (SELECT 1 AS x) SELECT x FROM part)",
    "SELECT (SELECT max(x) FROM part) FROM (WITH part AS (SELECT 1 AS x) SELECT x FROM part)",
    "WITH a AS (WITH part AS (SELECT 1 AS x) SELECT x FROM part) SELECT * FROM a, part",
    "WITH part AS (SELECT * FROM part) SELECT * FROM part",
    "WITH part AS MATERIALIZED (SELECT * FROM part) SELECT * FROM part",
    "WITH a AS (SELECT * FROM part), part AS (SELECT 1 AS x) SELECT * FROM a",
    "WITH RECURSIVE a AS (SELECT * FROM part), part AS (SELECT 1 AS x) SELECT * FROM a",
    "WITH RECURSIVE part AS (SELECT * FROM part) SELECT * FROM part",
    "WITH RECURSIVE part AS (SELECT n FROM part UNION ALL SELECT 1) SELECT * FROM part",
    "WITH RECURSIVE part AS (SELECT 1 AS n EXCEPT SELECT n FROM part) SELECT * FROM part",
    "WITH RECURSIVE part AS (SELECT 1 AS n INTERSECT SELECT n FROM part) SELECT * FROM part",
    "(WITH part AS (SELECT 1 AS x) SELECT x FROM part) UNION ALL SELECT x FROM part",
    "SELECT x FROM part EXCEPT (WITH part AS (SELECT 1 AS x) SELECT x FROM part)",
    "SELECT * FROM silver.t, LATERAL (WITH part AS (SELECT 1 AS x) FROM part), part",
    "SELECT * FROM silver.t JOIN (WITH part AS (SELECT 1 AS a) FROM part) AS q USING (a) JOIN part USING (a)",
    "SELECT * FROM (SELECT 1 AS x) AS part, part AS q WHERE 1 = (WITH part AS (SELECT 1 AS x) FROM part)",
    "SELECT a FROM silver.t WHERE a IN (WITH part AS (SELECT 1 AS a) FROM part) ORDER BY (SELECT count(*) FROM part)",
    "SELECT a FROM silver.t LIMIT (WITH part AS (SELECT 1) SELECT count(*) FROM part) OFFSET (SELECT max(a) FROM part)",
    "VALUES ((WITH part AS (SELECT 1 AS x) SELECT x FROM part)), ((SELECT x FROM part))",
    "FROM part SELECT (WITH part AS (SELECT 1 AS x) SELECT x FROM part)",
    "FROM (WITH part AS (SELECT 1 AS x) TABLE part) UNION ALL TABLE part",
    "SELECT * FROM range((SELECT x FROM part)) WHERE 1 = (WITH part AS (SELECT 1 AS x) SELECT x FROM part)",
    'SELECT * FROM "Part" WHERE 1 = (WITH part AS (SELECT 1 AS x) SELECT x FROM PART)',
)
WITHIN = (
    ("WITH part AS (SELECT 1 AS x), other AS (SELECT x + 1 AS x FROM part) FROM other", [(2,)]),
    ("WITH part AS (SELECT 1 AS x), part_2 AS (FROM part) SELECT * FROM part_2 JOIN part USING (x)", [(1,)]),
    ("WITH part AS (WITH part AS (SELECT 1 AS x) SELECT x + 1 AS x FROM part) SELECT x FROM part", [(2,)]),
    ("WITH part AS (SELECT 1 AS x) FROM (WITH part AS (SELECT x + 1 AS x FROM part) FROM part)", [(2,)]),
    ("WITH part AS (SELECT 1 AS x) FROM (WITH part AS (SELECT 5 AS x) FROM part) AS q, part", [(5, 1)]),
    ("WITH part AS MATERIALIZED (SELECT 1 AS x) SELECT x FROM part UNION ALL SELECT x FROM PART", [(1,), (1,)]),
    ('WITH "Part" AS NOT MATERIALIZED (SELECT 1 AS x) TABLE part', [(1,)]),
    ("WITH part AS (SELECT 1 AS x) SELECT (SELECT max(x) FROM part) ORDER BY (SELECT min(x) FROM part)", [(1,)]),
    ("WITH part AS (SELECT 1 AS x) SELECT q.x FROM range(3) AS r(n), LATERAL (FROM part WHERE x = r.n) AS q", [(1,)]),
    ("WITH part AS (SELECT 1 AS x) VALUES ((SELECT x FROM part))", [(1,)]),
    ("WITH part(x) AS (VALUES (1)) SELECT x FROM part WHERE EXISTS (FROM part AS p WHERE p.x = part.x)", [(1,)]),
    (
        "WITH RECURSIVE part AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM part WHERE n < 3) SELECT max(n) FROM part",
        [(3,)],
    ),
    (
        "WITH RECURSIVE p AS (SELECT 1 AS n UNION (FROM (SELECT n + 1 FROM P) AS q(n) WHERE n < 3)) FROM p",
        [(1,), (2,)],
    ),
    ("WITH RECURSIVE p(a, b) USING KEY (a) AS (SELECT 1, 2 UNION SELECT a, b + 1 FROM p WHERE b < 4) FROM p", [(1, 4)]),
    (
        "WITH RECURSIVE a AS (SELECT 1 AS n), p AS (FROM a UNION SELECT p.n + 1 FROM p, a WHERE p.n < 2) FROM p",
        [(1,), (2,)],
    ),
    ('WITH größe AS (SELECT 1 AS x) FROM "größe"', [(1,)]),
)


@pytest.mark.parametrize("sql", OUTSIDE)
def test_a_part_is_nothing_where_with_does_not_reach(duck, computing, sql):
    with pytest.raises(InvalidInput, match="is no table of the lake"):  # DuckDB would tell of tables with such a name
        statement.check(duck, sql, computing=computing, readable={"silver.t"})


@pytest.mark.parametrize(("sql", "rows"), WITHIN)
def test_a_part_is_one_where_with_reaches(duck, computing, sql, rows):
    written = statement.check(duck, sql, computing=computing, readable=())
    assert written.tables == ()
    assert duck.execute(written.sql).fetchall() == rows


def test_every_table_function_but_three_is_closed(duck, computing):
    found = duck.execute("SELECT DISTINCT function_name FROM duckdb_functions() WHERE function_type LIKE 'table%'")
    for (name,) in found.fetchall():
        if name in statement.TABLE_FUNCTIONS:
            continue
        with pytest.raises(InvalidInput):
            statement.check(duck, f'SELECT * FROM "{name}"()', computing=computing)


def test_a_state_is_put_to_every_table(duck, computing):
    at = datetime(2013, 2, 1, 12, tzinfo=UTC)
    written = statement.check(
        duck, "SELECT * FROM silver.t JOIN silver.u USING (a), (SELECT 1) x", computing=computing, at=at
    )
    assert written.sql.count("2013-02-01 12:00:00") == 2
    one = statement.check(duck, "SELECT * FROM silver.t", computing=computing, snapshot=7_535_072_678_188_754_000)
    assert "AT (VERSION => 7535072678188754000)" in one.sql
    with pytest.raises(InvalidInput, match="a snapshot is of one table"):
        statement.check(duck, "SELECT * FROM silver.t, silver.u", computing=computing, snapshot=1)
    with pytest.raises(InvalidInput, match="says AT itself"):
        statement.check(duck, "SELECT * FROM silver.t AT (VERSION => 5)", computing=computing, at=at)


def test_without_a_list_all_tables_are_readable(duck, computing):
    assert statement.check(duck, "SELECT * FROM other.t", computing=computing).tables == ("other.t",)
