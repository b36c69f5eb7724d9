"""Statements in Athena's and Trino's words."""

from datetime import UTC, datetime

import pytest
import sqlglot

from include.foundation.errors import InvalidInput
from include.warehouse import Question, dialect
from include.warehouse.dialect import translated


def words(sql: str, **asked) -> str:
    return translated(Question(sql=sql, **asked), to="trino", catalog="lake of ours").sql


def test_tables_functions_and_casts_are_the_others():
    assert words("select carrier, avg(delay)::double, strftime(day, '%Y') from silver.flights group by all") == (
        "SELECT carrier, CAST(AVG(delay) AS DOUBLE), DATE_FORMAT(day, '%Y') "
        'FROM "lake of ours".silver.flights GROUP BY ALL'
    )


def test_every_table_is_read_as_of_the_state_and_no_part_of_with_is():
    sql = "with one as (select * from gold.a) select * from one join gold.b using (id)"
    written = words(sql, at=datetime(2013, 1, 1, 12, tzinfo=UTC))
    state = "FOR TIMESTAMP AS OF CAST('2013-01-01 12:00:00.000000 UTC' AS TIMESTAMP WITH TIME ZONE)"
    assert written.count(state) == 2
    assert "FROM one JOIN" in written
    assert "gold.a FOR VERSION AS OF 5" in words("select * from gold.a", snapshot=5)


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("drop table silver.flights", "only SELECT"),
        ("select 1; select 2", "one SELECT at a time"),
        ("select * from read_csv('/etc/passwd')", "read_csv"),
        ("select * from table(system.query('drop table t'))", "not a statement|not allowed"),
        ("select * from secret.t", "that you may query"),
        ("select * from gold.a at (version => 4)", "says AT itself"),
    ],
)
def test_what_may_not_run_reaches_no_engine(sql, said):
    with pytest.raises(InvalidInput, match=said):
        words(sql, readable={"gold.a", "silver.flights"})


OUTSIDE = (
    "SELECT * FROM part WHERE 1 = (WITH part AS (SELECT 1 AS x) SELECT x FROM part)",
    "WITH part AS (SELECT * FROM part) SELECT * FROM part",
    "WITH a AS (SELECT * FROM part), part AS (SELECT 1 AS x) SELECT * FROM a",
    "(WITH part AS (SELECT 1 AS x) SELECT x FROM part) UNION ALL SELECT x FROM part",
    "SELECT (SELECT max(x) FROM part) FROM (WITH part AS (SELECT 1 AS x) SELECT x FROM part)",
    "WITH RECURSIVE part AS (SELECT 1 AS n EXCEPT SELECT n FROM part) SELECT * FROM part",
    "WITH RECURSIVE part AS (SELECT 1 AS n INTERSECT SELECT n FROM part) SELECT * FROM part",
    "WITH RECURSIVE part AS (SELECT n FROM part UNION ALL SELECT 1) SELECT * FROM part",
    "WITH RECURSIVE part AS (SELECT n FROM part UNION ALL SELECT n FROM part) SELECT * FROM part",
    "WITH RECURSIVE part AS (SELECT * FROM part) SELECT * FROM part",
    "WITH part AS (SELECT 1 AS n UNION ALL SELECT n FROM part) SELECT * FROM part",
    *(
        f"SELECT q.* FROM {sources} WHERE 1 = (WITH part AS (SELECT 1 AS x) SELECT x FROM part)"
        for sources in (
            "(SELECT 1 AS x) AS part, part AS q",
            "silver.t AS part, part AS q",
            "(SELECT 1 AS x) AS part, LATERAL (SELECT * FROM part) AS q",
            "(WITH part AS (SELECT 1 AS x) SELECT x FROM part) AS part CROSS JOIN part AS q",
        )
    ),
)
# DuckDB takes it for a recursion, Trino for none: there the name would be any table.
APART = (
    "WITH RECURSIVE part AS (SELECT 1 AS n UNION ALL SELECT n FROM "
    "(WITH o AS (SELECT * FROM part), part AS (SELECT 1 AS n) SELECT * FROM o)) SELECT * FROM part"
)
WITHIN = (
    "WITH part AS (SELECT 1 AS x), other AS (SELECT * FROM part) SELECT * FROM other JOIN part USING (x)",
    "WITH part AS (SELECT 1 AS x) SELECT * FROM silver.t WHERE a IN (SELECT x FROM part)",
    "WITH part AS (WITH part AS (SELECT 1 AS x) SELECT x FROM part) SELECT x FROM part",
    "WITH part AS (SELECT 1 AS x) SELECT x FROM part UNION ALL SELECT x FROM part",
    "WITH RECURSIVE part AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM part WHERE n < 5) SELECT * FROM part",
    "WITH part AS (SELECT 1 AS x) SELECT (SELECT max(x) FROM part), a FROM silver.t ORDER BY (SELECT min(x) FROM part)",
    'WITH Part AS (SELECT 1 AS x) SELECT x FROM part JOIN "PART" AS p USING (x)',
    "WITH part AS (SELECT 1 AS x) SELECT * FROM silver.t, LATERAL (SELECT x FROM part WHERE x = t.a) AS q",
    "WITH RECURSIVE a AS (SELECT 1 AS x), part AS (SELECT x FROM a UNION ALL SELECT x + 1 FROM part, a) FROM part",
)


@pytest.mark.parametrize("sql", OUTSIDE)
def test_a_part_of_with_where_it_does_not_reach_is_no_table_of_the_other_engine(sql):
    with pytest.raises(InvalidInput, match="is no table of the lake"):
        words(sql)


@pytest.mark.parametrize("sql", [*OUTSIDE, APART])
def test_the_other_parser_alone_finds_it_too(sql):
    assert not dialect._clear(sqlglot.parse_one(sql, read="duckdb"))


def test_a_recursion_that_the_other_engine_takes_for_none_is_refused():
    with pytest.raises(InvalidInput, match="not clear enough for this engine"):
        words(APART)


@pytest.mark.parametrize("sql", WITHIN)
def test_a_part_of_with_where_it_reaches_is_one(sql):
    assert "part" in words(sql)
