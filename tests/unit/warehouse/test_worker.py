"""What a question's process answers, by DuckDB alone; with a lake attached: tests/integration/test_warehouse.py."""

import polars as pl
import pytest

from include.foundation.errors import InvalidInput
from include.warehouse import engine, worker
from include.warehouse.formats import FORMATS, write

ASKED = {
    **{"readable": [], "snapshot": None, "at": None, "memory_mb": 256, "rows": 10, "answer_bytes": 1 << 20},
    "lake": {"warehouse": "w", "catalog": {}, "s3": {}, "folders": []},
}


@pytest.fixture(autouse=True)
def no_lake(monkeypatch):
    monkeypatch.setattr(engine, "attach", lambda *_, **__: None)


def asked(sql):
    import pyarrow as pa

    _, batches, schema = worker.answer({**ASKED, "sql": sql})
    return pa.Table.from_batches(batches, schema)


def test_a_name_that_comes_twice_gets_a_number():
    rows = asked('SELECT 1 AS id, 2 AS "ID", 3 AS id_2, 4 AS id, 5 AS "a ""b"""')
    assert rows.column_names == ["id", "ID_3", "id_2", "id_4", 'a "b"']
    assert pl.DataFrame(pl.from_arrow(rows)).row(0) == (1, 2, 3, 4, 5)


def test_order_and_rows_stay_where_columns_are_read_anew():
    rows = asked("SELECT n AS a, n AS a FROM range(100) r(n) ORDER BY n DESC LIMIT 5")
    assert rows.to_pydict() == {"a": [99, 98, 97, 96, 95], "a_2": [99, 98, 97, 96, 95]}


@pytest.mark.parametrize(
    "value",
    [
        *("interval 1 day", "[interval 1 day]", "{'a': interval 1 day}", "'ab'::BLOB", "['ab'::BLOB]", "'101'::BIT"),
        *("union_value(k := 1)", "TIMETZ '10:00:00+02'", "bignum '12345678901234567890123456789012345678901'"),
        *("1::HUGEINT", "1.5::DECIMAL(38, 10)", "uuid()", "'a'::ENUM('a', 'b')", "map {'a': 1}", "TIME '10:00:00'"),
        *(
            "TIMESTAMP_NS '2020-01-01 00:00:00.123456789'",
            "TIMESTAMPTZ '2020-01-01'",
            "NULL",
            "[NULL]",
            "[1, 2]::INT[2]",
        ),
        *("'nan'::DOUBLE", "DATE '9999-12-31'", "TIMESTAMP '0001-01-01'"),
    ],
)
def test_every_type_of_the_engine_can_be_shown_and_loaded_down(value):
    rows = asked(f"SELECT {value} AS x, {value} AS x")
    assert rows.num_rows == 1
    for form in FORMATS:
        assert write(rows, form)


@pytest.mark.parametrize("value", ["'infinity'::TIMESTAMP", "'-infinity'::DATE", "TIMESTAMPTZ '290000-01-01'"])
def test_a_moment_of_no_calendar_is_named_with_its_column(value):
    with pytest.raises(InvalidInput, match="'late' has moments outside the years 1 to 9999: cast it to VARCHAR"):
        asked(f"SELECT {value} AS late")
    assert asked(f"SELECT ({value})::VARCHAR AS late").num_rows == 1
