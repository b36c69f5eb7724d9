"""The online table in a real PostgreSQL gives back, bit for bit, what was published and what batch joins."""

import secrets
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, time, timedelta

import polars as pl
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from psycopg.conninfo import make_conninfo

from include.foundation.errors import InvalidInput, PermanentError, ServiceUnavailable
from include.foundation.history import join, table
from include.foundation.spec import View

pytestmark = pytest.mark.integration

START = datetime(2024, 1, 1, tzinfo=UTC)
TYPES = {
    "real": pl.Float64,
    "half": pl.Float32,
    "whole": pl.Int64,
    "large": pl.UInt64,
    "flag": pl.Boolean,
    "text": pl.String,
    "moment": pl.Datetime("us", "UTC"),
    "day": pl.Date,
    "wait": pl.Duration("ms"),
    "clock": pl.Time,
}
VIEWS = {
    "all": View(keys=("shop", "till"), max_age=timedelta(hours=3), values=TYPES),
    "bare": View(keys=("till",), max_age=timedelta(days=400_000)),
}
SCHEMA = {"shop": pl.String, "till": pl.Int64, "known_at": join.UTC, **TYPES}
REQUESTS = {"shop": pl.String, "till": pl.Int64, "event_time": join.UTC}

texts = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0"), max_size=5)
shops = st.sampled_from(["a", "a|1", "a\\", '"', "", "a,\n"]) | texts
tills = st.integers(0, 2)
moments = st.integers(0, 600).map(lambda minutes: START + timedelta(minutes=minutes, microseconds=minutes))
values = st.fixed_dictionaries(
    {
        "real": st.none() | st.floats(allow_nan=False, allow_infinity=False),
        "half": st.none() | st.floats(width=32, allow_nan=False, allow_infinity=False),
        "whole": st.none() | st.integers(-(2**63), 2**63 - 1),
        "large": st.none() | st.integers(0, 2**64 - 1),
        "flag": st.none() | st.booleans(),
        "text": st.none() | texts,
        "moment": st.none() | st.datetimes(timezones=st.just(UTC)).filter(lambda d: 1 < d.year < 9999),
        "day": st.none() | st.dates(date(1, 1, 1), date(9999, 1, 1)),
        "wait": st.none() | st.integers(-(10**9), 10**9).map(lambda ms: timedelta(milliseconds=ms)),
        "clock": st.none() | st.times().filter(lambda t: t >= time(0)),
    }
)


@pytest.fixture
def reader(postgres_dsn):
    reader = table.Reader(postgres_dsn, "shops", VIEWS)
    yield reader
    reader.close()


def _publish(dsn, frame, *, view="all", use_case="shops", **limits):
    return table.publish(dsn, use_case=use_case, name=view, view=VIEWS[view], frame=frame, **limits)


def _facts(*minutes, shop="a", till=1):
    rows = [{"shop": shop, "till": till, "known_at": START + timedelta(minutes=m), "whole": m} for m in minutes]
    return pl.DataFrame(rows, SCHEMA)


def _asked(*minutes, shop="a", till=1):
    return pl.DataFrame([(shop, till, START + timedelta(minutes=m)) for m in minutes], REQUESTS, orient="row")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    facts=st.dictionaries(st.tuples(shops, tills, moments), values, max_size=12),
    asked=st.lists(st.tuples(st.none() | shops, st.none() | tills, moments), max_size=8),
    data=st.data(),
)
def test_online_rows_are_batch_rows_bit_for_bit(postgres_dsn, reader, facts, asked, data):
    if facts:
        asked += data.draw(st.lists(st.sampled_from(sorted(facts)), max_size=8))
    rows = [dict(zip(("shop", "till", "known_at"), key, strict=True)) | value for key, value in facts.items()]
    frame = pl.DataFrame(rows, SCHEMA)
    frames = {"all": frame, "bare": frame.select("till", "known_at").unique()}
    for name in VIEWS:
        assert _publish(postgres_dsn, frames[name], view=name) == frames[name].height
    requests = pl.DataFrame(asked, REQUESTS, orient="row")

    online = reader.join(requests)

    histories = {name: join.conform(frames[name], name=name, view=view) for name, view in VIEWS.items()}
    batch = join.as_of(requests, histories, VIEWS)
    assert_frame_equal(online, batch, check_exact=True)
    for name in ("all__real", "all__half"):  # equality of floats does not tell -0.0 from 0.0
        assert [x.hex() for x in online[name].drop_nulls()] == [x.hex() for x in batch[name].drop_nulls()]


def test_publishing_replaces_exactly_the_range(postgres_dsn, reader):
    _publish(postgres_dsn, _facts(0, 10, 20, 30))
    _publish(
        postgres_dsn, _facts(0, 12, 30, 99), start=START + timedelta(minutes=10), end=START + timedelta(minutes=30)
    )
    seen = reader.join(_asked(5, 11, 25, 35, 99))["all__whole"].to_list()
    assert seen == [0, 0, 12, 30, 30]


def test_use_cases_and_views_do_not_see_each_other(postgres_dsn, reader):
    _publish(postgres_dsn, _facts(0))
    _publish(postgres_dsn, _facts(5), use_case="others")
    _publish(postgres_dsn, _facts(7).select("till", "known_at"), view="bare")
    _publish(postgres_dsn, _facts(), use_case="others")
    row = reader.join(_asked(9)).row(0, named=True)
    assert row["all__whole"] == 0
    assert row["bare__known_at"] == START + timedelta(minutes=7)


def test_expiring_leaves_what_later_requests_see(postgres_dsn, reader):
    _publish(postgres_dsn, pl.concat([_facts(0, 10, 20, 30), _facts(0, 5, till=2)]))
    before = START + timedelta(minutes=25)

    assert table.expire(postgres_dsn, use_case="shops", before=before) == 3

    assert reader.join(_asked(25, 30))["all__whole"].to_list() == [20, 30]
    assert reader.join(_asked(25, till=2))["all__whole"].to_list() == [5]
    assert reader.join(_asked(15))["all__whole"].to_list() == [None]
    assert table.expire(postgres_dsn, use_case="shops", before=before) == 0


def test_a_failed_publication_leaves_the_old_rows(postgres_dsn, reader):
    _publish(postgres_dsn, _facts(0))
    with pytest.raises(InvalidInput, match="view all"):
        _publish(postgres_dsn, _facts(1).with_columns(text=pl.lit("a\0b")))
    assert reader.join(_asked(9))["all__whole"].to_list() == [0]


def test_publications_of_one_range_at_once_both_succeed(postgres_dsn, reader):
    frames = [_facts(*range(100)), _facts(*range(1, 400, 2))] * 3
    _publish(postgres_dsn, frames[0])
    start = threading.Barrier(len(frames))

    def publish(frame):
        start.wait()
        return _publish(postgres_dsn, frame)

    with ThreadPoolExecutor(len(frames)) as pool:
        assert list(pool.map(publish, frames)) == [frame.height for frame in frames]
    seen = reader.join(_asked(*range(400)))["all__whole"].drop_nulls().unique().sort().to_list()
    assert seen in (list(range(100)), list(range(1, 400, 2)))


def test_values_of_another_version_are_nulls_or_left_out(postgres_dsn):
    older = View(keys=("till",), max_age=timedelta(hours=1), values={"gone": pl.Int64, "kept": pl.Int64})
    newer = View(keys=("till",), max_age=timedelta(hours=1), values={"kept": pl.Int64, "new": pl.Float64})
    frame = pl.DataFrame({"till": [1], "known_at": [START], "gone": [1], "kept": [2]}).cast({"known_at": join.UTC})
    table.publish(postgres_dsn, use_case="versions", name="v", view=older, frame=frame)
    row = table.Reader(postgres_dsn, "versions", {"v": newer}).join(_asked(0)).row(0, named=True)
    assert (row["v__kept"], row["v__new"], row["v__known_at"]) == (2, None, START)
    assert "v__gone" not in row


def test_a_reader_survives_a_lost_connection(postgres_dsn, reader):
    _publish(postgres_dsn, _facts(0))
    reader.join(_asked(0))
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        others = "datname = current_database() AND pid <> pg_backend_pid()"
        connection.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")
    assert reader.join(_asked(0))["all__whole"].to_list() == [0]
    reader.close()
    assert reader.join(_asked(0))["all__whole"].to_list() == [0]


def test_a_reader_survives_a_lost_prepared_statement(postgres_dsn, reader):
    """As behind a pooler in transaction mode, when another server answers."""
    _publish(postgres_dsn, _facts(0))
    reader.join(_asked(0))
    reader._connection.execute("DO $$ BEGIN EXECUTE 'DEALLOCATE ALL'; END $$")
    for _ in range(2):
        assert reader.join(_asked(0))["all__whole"].to_list() == [0]


def test_a_key_too_long_for_the_index_is_refused_by_name(postgres_dsn, reader):
    _publish(postgres_dsn, _facts(0))
    with pytest.raises(InvalidInput, match=r"view all: a key is too long .* 60\d\d bytes") as caught:
        _publish(postgres_dsn, _facts(0, shop=secrets.token_hex(3000)))
    assert len(str(caught.value)) < 300
    assert reader.join(_asked(9))["all__whole"].to_list() == [0]


def test_a_role_without_rights_is_told_so(postgres_dsn):
    _publish(postgres_dsn, _facts(0))
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS stranger; CREATE ROLE stranger LOGIN")
    dsn = make_conninfo(postgres_dsn, user="stranger")
    with pytest.raises(PermanentError, match="permission denied"):
        table.Reader(dsn, "shops", VIEWS).join(_asked(0))
    with pytest.raises(PermanentError, match="with this DSN"):
        table.Reader("host=here there", "shops", VIEWS).join(_asked(0))
    with pytest.raises(PermanentError, match="permission denied"):
        _publish(dsn, _facts(0))


def test_threads_share_a_reader(postgres_dsn, reader):
    _publish(postgres_dsn, _facts(*range(50)))
    start = threading.Barrier(8)

    def ask(minute):
        start.wait()
        return [reader.join(_asked(minute))["all__whole"].item() for _ in range(20)]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(8))) == [[minute] * 20 for minute in range(8)]


def test_no_server_and_no_table_are_named(postgres_database):
    with pytest.raises(ServiceUnavailable, match="does not answer"):
        table.Reader("host=127.0.0.1 port=1", "shops", VIEWS).join(_asked(0))
    with pytest.raises(ServiceUnavailable, match="run the features Dag"):
        table.Reader(postgres_database(), "shops", VIEWS).join(_asked(0))
