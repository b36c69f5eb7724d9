"""What an executor does with a part of the days, without a Spark around it."""

import json
from datetime import date, timedelta

import polars as pl
import pyarrow as pa
import pytest

from include.engine.spark.tasks import NOTE, OUTPUT, ROWS, Spill, Task, column
from include.foundation.errors import InvalidInput, LeakFound, ServiceUnavailable
from include.foundation.lake.change import Replace

D = [date(2013, 1, 1) + timedelta(days=n) for n in range(3)]
SCHEMAS = {
    "a": pa.schema([("event_date", pa.date32()), ("n", pa.int32()), ("new", pa.string())]),
    "b": pa.schema([("event_date", pa.date32()), ("words", pa.list_(pa.string()))]),
}
CHANGES = dict.fromkeys(SCHEMAS, Replace(frozenset(D)))


def work(lake, days, sink):
    for day in days:
        sink.write("a", pl.DataFrame({"event_date": [day] * 2, "n": [1, 2]}, schema_overrides={"n": pl.UInt16}))
        sink.write("b", pl.DataFrame({"event_date": [day], "words": [["x", "y"]]}))
    return len(days)


def run(work, number=0):
    task = Task(None, work, [D[:2], D[2:]], SCHEMAS, CHANGES)
    batches = [*task(iter([pa.record_batch([pa.array([number])], names=["id"])]))]
    assert {batch.schema for batch in batches} == {task.schema}
    return pa.Table.from_batches(batches)


def test_rows_of_all_outputs_then_the_note():
    made = run(work)
    assert made[OUTPUT].to_pylist() == [*"aaaabb", None]
    assert made[column("a", "n")].to_pylist() == [1, 2, 1, 2, None, None, None]
    assert made[column("a", "new")].null_count == 7  # the table has it, the rows do not
    assert made[column("b", "words")].to_pylist()[4:6] == [["x", "y"]] * 2
    assert made[column("b", "event_date")].to_pylist()[4:6] == D[:2]
    assert [json.loads(each) for each in made[NOTE].to_pylist() if each] == [{"note": 2}]
    assert made["part"].to_pylist() == [0] * 7


def test_a_part_is_found_by_its_number():
    assert run(work, 1)[column("a", "event_date")].to_pylist()[:2] == [D[2]] * 2


@pytest.mark.parametrize("fault", [LeakFound("it leaks"), InvalidInput("it is odd")])
def test_a_fault_that_no_retry_helps_is_a_note_and_no_row(fault):
    def fails(lake, days, sink):
        work(lake, days, sink)
        raise fault

    made = run(fails)
    assert made[OUTPUT].to_pylist() == [None]
    assert json.loads(made[NOTE][0].as_py()) == {"fault": type(fault).__name__, "message": str(fault)}


def test_any_other_fault_is_spark_s_to_try_again():
    def fails(lake, days, sink):
        raise ServiceUnavailable("S3 is away")

    with pytest.raises(ServiceUnavailable):
        run(fails)


def test_rows_of_strange_days_are_a_fault():
    def strays(lake, days, sink):
        sink.write("b", pl.DataFrame({"event_date": [D[-1] + timedelta(days=1)], "words": [["x"]]}))

    assert json.loads(run(strays)[NOTE][0].as_py())["fault"] == "InvalidInput"


def test_rows_that_were_taken_back_are_gone_and_batches_are_bounded(tmp_path, monkeypatch):
    monkeypatch.setenv("SPARK_LOCAL_DIRS", f"{tmp_path},/nowhere")
    many = pl.DataFrame({"event_date": [D[0]] * (ROWS + 1), "words": [["x"]] * (ROWS + 1)})
    with Spill(SCHEMAS, CHANGES) as spill:
        spill.write("b", many)
        spill.clear()
        assert [*spill.batches()] == []
        spill.write("b", many)
        assert [(output, batch.num_rows) for output, batch in spill.batches()] == [("b", ROWS), ("b", 1)]
