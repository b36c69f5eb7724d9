"""Each message is a row of bronze: what it says, or its bytes and why they say nothing."""

from datetime import UTC, date, datetime

import polars as pl
import pytest

from include.foundation.errors import InvalidInput
from include.foundation.spec.topics import Topic
from include.stages.ingest.topics.messages import FAULT, Parser, schema
from include.stages.ingest.topics.schema_registry import SchemaRegistry

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
SENT = datetime(2026, 3, 3, 23, 59, 59, tzinfo=UTC)
SOURCE = Topic(kind="topic", name="s", topic="t.x", contract="C", event_time="at")
PLAIN = SOURCE.model_copy(update={"event_time": None})


class Sent:
    """What a broker gives."""

    def __init__(self, value, *, key=None, headers=None, offset=7, sent=SENT):
        self.value, self.key, self.headers = lambda: value, lambda: key, lambda: headers
        self.offset, self.partition = lambda: offset, lambda: 2
        self.timestamp = lambda: (1, int(sent.timestamp() * 1000) if sent else -1)


def parsed(*messages, source=SOURCE, names=("at", "a")) -> pl.DataFrame:
    return Parser(source, names, SchemaRegistry({})).frame(messages, read_at=NOW)


def test_a_row_tells_what_it_says_and_where_it_came_from():
    frame = parsed(
        Sent(b'{"at": "2013-01-02T23:30:00-05:00", "a": 1.10}', key=b"k", headers=[("h", b"\xff"), ("n", None)])
    )
    assert frame.schema == schema(("at", "a"))
    assert frame.row(0, named=True) == {
        "at": "2013-01-02T23:30:00-05:00",
        "a": "1.10",
        "event_date": date(2013, 1, 3),
        "source_uri": "t.x/2",
        "source_position": 7,
        "ingested_at": NOW,
        "message_key": b"k",
        "message_headers": '[["h", "\\\\xff"], ["n", null]]',
        "message_value": None,
        "message_fault": None,
    }


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        (None, "message: no value (a tombstone), and a message deletes no row"),
        (b"", "message: a blank line"),
        (b"\xff", "message: not valid UTF-8"),
        (b"{", "message: not JSON: "),
        (b"[1]", "message: '[1]' is not an object"),
        (b'{"a": 1, "a": 2}', "message: not JSON: the key 'a' stands twice"),
        (b'{"a": {"b": 1}}', "message: a is an object or a list"),
        (rb'{"a": "\ud800"}', "message: half of a pair of surrogates"),
        (b'{"b": 1}', "message: wrong columns (unexpected b)"),
    ],
)
def test_what_is_no_row_keeps_its_bytes_and_the_reason(value, fault):
    whole, last = parsed(Sent(value, key=b"k"), Sent(b'{"at": "2026-03-03T00:00:00Z"}')).rows(named=True)
    assert whole[FAULT].startswith(fault)
    assert (whole["message_value"], whole["message_key"], whole["event_date"]) == (value, b"k", SENT.date())
    assert (whole["at"], whole["a"]) == (None, None)
    assert last[FAULT] is None


@pytest.mark.parametrize(
    "at", ["2013-01-02 05:00", "2013-01-02T05:00:00", "soon", "2026-03-05T00:00:00Z", "0001-01-01T00:00:00Z", None]
)
def test_a_moment_that_cannot_be_does_not_make_a_day(at):
    value = b'{"a": 1}' if at is None else f'{{"at": "{at}"}}'.encode()
    (row,) = parsed(Sent(value)).rows(named=True)
    assert row[FAULT].startswith(f"at: {at!r} is no moment")
    assert row["event_date"] == SENT.date()


def test_an_event_may_be_a_day_ahead_of_its_message():
    (row,) = parsed(Sent(b'{"at": "2026-03-04T23:00:00Z"}')).rows(named=True)
    assert (row[FAULT], row["event_date"]) == (None, date(2026, 3, 4))


@pytest.mark.parametrize(
    ("sent", "day"), [(SENT, SENT.date()), (None, NOW.date()), (datetime(2040, 1, 1, tzinfo=UTC), NOW.date())]
)
def test_without_a_moment_of_the_event_the_day_is_that_of_the_message(sent, day):
    (row,) = parsed(Sent(b'{"a": 1}', sent=sent), source=PLAIN).rows(named=True)
    assert (row[FAULT], row["event_date"]) == (None, day)


def test_names_are_mapped_as_those_of_files():
    source = PLAIN.model_copy(update={"columns": {"A": "a"}, "unknown_columns": "ignore"})
    (row,) = parsed(Sent(b'{"A": true, "b": 1}'), source=source).rows(named=True)
    assert (row["a"], row[FAULT]) == ("true", None)


@pytest.mark.parametrize(
    ("source", "names", "message"),
    [
        (SOURCE, ("a",), "`event_time` 'at' is no landed column"),
        (PLAIN, ("a", "message_key"), "a column message_key, which a topic adds"),
        (PLAIN.model_copy(update={"columns": {"A": "b"}}), ("a",), "names b, which the contract does not have"),
    ],
)
def test_what_does_not_fit_the_contract_is_refused(source, names, message):
    with pytest.raises(InvalidInput, match=message):
        Parser(source, names, SchemaRegistry({}))


def test_nested_values_are_kept_as_their_json_where_the_source_says_so():
    text = SOURCE.model_copy(update={"nested": "text"})
    value = b'{"at": "2013-01-01T05:00:00Z", "a": {"b": [1.10, "1", null, true, {"c": "\u00e9"}]}}'
    (row,) = parsed(Sent(value), source=text).to_dicts()
    assert row["a"] == '{"b": [1.10, "1", null, true, {"c": "\\u00e9"}]}'
    assert row[FAULT] is None
    for depth in (100, 950, 100_000):  # what is too deep is a fault, and stops nothing
        deep = b'{"at": "2013-01-01T05:00:00Z", "a": ' + b"[" * depth + b"]" * depth + b"}"
        (row,) = parsed(Sent(deep), source=text).to_dicts()
        assert (row[FAULT] is None) == (row["a"] is not None)
    assert "recursion" in row[FAULT]
    (row,) = parsed(Sent(value)).to_dicts()
    assert row[FAULT] == "message: a is an object or a list; only plain values are read"
