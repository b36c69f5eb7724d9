"""Messages and how far they were read are in bronze together."""

import io
import json
import threading

import fastavro
import pytest

from include.foundation.errors import ServiceUnavailable
from include.foundation.lake import tables
from include.foundation.lake.commit import TableWriter
from include.foundation.spec.topics import Avro
from include.stages.ingest.topics.bronze import consume, read_up_to
from sandbox.stream.schema_registry import Registry


def test_each_run_goes_on_where_the_last_one_ended(case, row):
    case.send(*(row(wind=n) for n in range(5)))
    assert case.consume(batch=2) == 5
    bronze = case.spec.table("bronze", "weather")
    assert read_up_to(case.lake, bronze) == {f"{case.topic}/0": 4}
    assert case.consume() == 0
    case.send(row(wind=5))
    case.send(row(wind=6), partition=1)
    assert case.consume() == 2
    assert read_up_to(case.lake, bronze) == {f"{case.topic}/0": 5, f"{case.topic}/1": 0}
    rows = tables.read(case.lake, bronze).sort("source_uri", "source_position")
    assert rows["wind"].to_list() == ["0", "1", "2", "3", "4", "5", "6"]


@pytest.mark.parametrize("after", [True, False])
def test_a_run_that_is_cut_off_at_a_commit_loses_and_repeats_nothing(case, row, monkeypatch, after):
    case.send(*(row(wind=n) for n in range(6)))
    commit, left = TableWriter.commit, [1]

    def cut_off(writer, summary):
        if left and left.pop() and not after:
            raise KeyboardInterrupt
        found = commit(writer, summary)
        if after:
            raise KeyboardInterrupt
        return found

    with monkeypatch.context() as patch:
        patch.setattr(TableWriter, "commit", cut_off)
        with pytest.raises(KeyboardInterrupt):
            case.consume(batch=4)
    assert case.consume() == (2 if after else 6)
    rows = tables.read(case.lake, case.spec.table("bronze", "weather"))
    assert sorted(rows["source_position"]) == [*range(6)]


def test_of_two_runs_at_once_one_wins_each_batch_and_the_other_reads_on(case, row):
    case.send(row())
    case.consume()  # the table is there
    case.send(*(row(wind=n) for n in range(300)))
    taken = []
    runs = [threading.Thread(target=lambda: taken.append(case.consume(batch=20))) for _ in range(2)]
    for each in runs:
        each.start()
    for each in runs:
        each.join()
    assert sum(taken) == 300
    rows = tables.read(case.lake, case.spec.table("bronze", "weather"))
    assert sorted(rows["source_position"]) == [*range(301)]


def test_a_run_ends_though_the_topic_is_written_to_all_the_time(case, row):
    ended = threading.Event()

    def write():
        while not ended.wait(0.005):
            case.send(row())

    writing = threading.Thread(target=write)
    case.send(row())
    writing.start()
    try:
        runs = [case.consume() for _ in range(2)]
    finally:
        ended.set()
        writing.join()
    assert min(runs) > 0
    last = case.consume()
    rows = tables.read(case.lake, case.spec.table("bronze", "weather"))
    assert sorted(rows["source_position"]) == [*range(sum(runs) + last)]


def test_avro_messages_of_two_schemas_are_rows_and_what_none_tells_is_quarantined(case):
    fields = [{"name": name, "type": "string"} for name in ("time", "station")]
    old = {"type": "record", "name": "weather", "fields": fields}
    new = {**old, "fields": [*fields, {"name": "wind", "type": ["null", "double"], "default": None}]}

    def framed(number, schema, **row):
        body = io.BytesIO()
        fastavro.schemaless_writer(body, schema, {"time": "2013-01-01T05:00:00Z", **row})
        return b"\0" + number.to_bytes(4, "big") + body.getvalue()

    lost = framed(9, old, station="?")
    (source,) = (each.model_copy(update={"format": Avro(type="avro")}) for each in case.spec.topics)
    case.send(framed(1, old, station="JFK"), framed(2, new, station="LGA", wind=0.5), lost, key=b"k")
    with Registry().running() as registry:
        for schema in (old, new):
            registry.register("weather-value", {"schema": json.dumps(schema)})
        settings = {"url": registry.url}
        assert consume(case.lake, case.spec, source, case.broker.settings, run_id="r", registry=settings)[0] == 3
        assert len(registry.asked) == 3
        case.send(framed(1, old, station="EWR"))
    with pytest.raises(ServiceUnavailable, match="the schema registry does not answer"):
        consume(case.lake, case.spec, source, case.broker.settings, run_id="r", registry=settings)
    assert read_up_to(case.lake, case.spec.table("bronze", "weather")) == {f"{case.topic}/0": 2}
    case.derive()
    assert tables.read(case.lake, case.spec.table("silver", "weather")).select("station", "wind").rows() == [
        ("JFK", None),
        ("LGA", 0.5),
    ]
    (row,) = tables.read(case.lake, case.spec.table("quarantine", "weather")).rows(named=True)
    assert (row["message_value"], row["message_key"], row["source_position"]) == (lost, b"k", 2)
    assert row["reasons"] == ["message: the schema registry has no schema 9"]
