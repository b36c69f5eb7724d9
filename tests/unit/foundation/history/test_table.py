"""How keys and values are written, and what is told when PostgreSQL is not there; the rest, in a real PostgreSQL, is in
tests/integration/test_online_table.py.
"""

import json
import math
import socket
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.foundation.errors import InvalidInput, PermanentError, ServiceUnavailable
from include.foundation.history import table
from include.foundation.history.table import Reader, publish
from include.foundation.spec import View

AT = datetime(2024, 1, 1, tzinfo=UTC)
VIEW = View(keys=("shop", "till"), max_age=timedelta(hours=1), values={"sold": pl.Float64})
PARTS = st.text(alphabet=st.sampled_from("ab|\\"), max_size=4)
ROWS = pl.DataFrame(
    {"shop": ["a"], "till": [1], "known_at": [AT], "sold": [0.5]},
    schema_overrides={"known_at": pl.Datetime("us", "UTC")},
)


@pytest.fixture
def nobody() -> str:
    """A DSN at whose port nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"host=127.0.0.1 port={taken.getsockname()[1]} user=a dbname=a"


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(PARTS, PARTS), min_size=1, max_size=5))
def test_batch_and_serving_write_a_key_alike_and_no_two_keys_are_one(keys):
    frame = pl.DataFrame(keys, schema={"shop": pl.String, "till": pl.String}, orient="row")
    written = frame.select(table._key(VIEW)).to_series().to_list()
    assert written == [table._text(key) for key in keys]
    assert len(set(written)) == len(set(keys))


@settings(max_examples=50, deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_float_is_written_with_all_its_bits(real, half):
    view = View(keys=(), max_age=timedelta(1), values={"real": pl.Float64, "half": pl.Float32})
    frame = pl.DataFrame({"real": [real], "half": [half]}, schema={**view.values})
    read = json.loads(frame.select(table._encoded(view)).item())
    assert (float(read["real"]), float(read["half"])) == (real, half)
    assert math.copysign(1, read["real"]) == math.copysign(1, real)


def test_moments_and_days_are_whole_numbers():
    values = {"at": pl.Datetime("us", "UTC"), "day": pl.Date, "wait": pl.Duration("ms"), "none": pl.Int64}
    view = View(keys=(), max_age=timedelta(1), values=values)
    row = {"at": AT + timedelta(microseconds=1), "day": date(1970, 1, 3), "wait": timedelta(seconds=2), "none": None}
    read = json.loads(pl.DataFrame([row], schema=values).select(table._encoded(view)).item())
    assert read == {"at": 1_704_067_200_000_001, "day": 2, "wait": 2000, "none": None}


def test_a_frame_that_is_not_the_view_s_is_refused_before_anything_is_sent(nobody):
    with pytest.raises(InvalidInput, match="sales"):
        publish(nobody, use_case="toy", name="sales", view=VIEW, frame=ROWS.drop("sold"))


def test_a_server_that_does_not_answer_may_answer_later(nobody):
    reader = Reader(nobody, "toy", {"sales": VIEW})
    for act in (
        lambda: publish(nobody, use_case="toy", name="sales", view=VIEW, frame=ROWS),
        lambda: table.expire(nobody, use_case="toy", before=AT),
        lambda: reader.look_up([0], {"shop": ["a"], "till": [1]}),
    ):
        with pytest.raises(ServiceUnavailable, match="the online table does not answer"):
            act()


def test_a_dsn_that_is_none_never_will():
    with pytest.raises(PermanentError, match="cannot be used with this DSN"):
        table.expire("hots=nowhere", use_case="toy", before=AT)


def test_a_request_without_a_key_has_no_history_and_asks_nobody(nobody):
    """None of a key's parts may be null; such a request must not wait for a server, nor find another's rows."""
    reader = Reader(nobody, "toy", {"sales": VIEW})
    assert reader.look_up([0, 0], {"shop": ["a", None], "till": [None, 1]}) == [[None, None], [None, None]]
    reader.close()


def test_no_requests_ask_nobody_and_have_all_columns(nobody):
    asked = ROWS.select("shop", "till", event_time="known_at").clear()
    joined = Reader(nobody, "toy", {"sales": VIEW}).join(asked)
    assert joined.columns == ["shop", "till", "event_time", "sales__known_at", "sales__sold"]
    assert joined.height == 0
