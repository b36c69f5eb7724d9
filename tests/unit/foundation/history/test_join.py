from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.foundation.errors import InvalidInput
from include.foundation.history import join
from include.foundation.spec import View

START = datetime(2024, 1, 1, tzinfo=UTC)
VIEW = View(keys=("shop", "till"), max_age=timedelta(minutes=3), values={"sum": pl.Float64})
KEYS = {"shop": pl.String, "till": pl.Int64}
HISTORY = {**KEYS, "known_at": join.UTC, "sum": pl.Float64}

moments = st.integers(0, 12).map(lambda minute: START + timedelta(minutes=minute))
shops = st.sampled_from(["a", "b"])
tills = st.integers(1, 2)


@settings(max_examples=60, deadline=None)
@given(
    facts=st.dictionaries(st.tuples(shops, tills, moments), st.none() | st.floats(-9, 9), max_size=20),
    asked=st.lists(st.tuples(st.none() | shops, st.none() | tills, moments), max_size=20),
)
def test_each_request_sees_the_newest_row_that_was_known_and_not_too_old(facts, asked):
    frame = pl.DataFrame([(*key, value) for key, value in facts.items()], HISTORY, orient="row")
    requests = pl.DataFrame(
        [(place, *request) for place, request in enumerate(asked)],
        {"place": pl.Int64, **KEYS, "event_time": join.UTC},
        orient="row",
    )

    joined = join.as_of(requests, {"sales": join.conform(frame, name="sales", view=VIEW)}, {"sales": VIEW})

    assert joined.schema == {**requests.schema, **join.columns({"sales": VIEW})}
    assert joined.select(requests.columns).equals(requests)
    for shop, till, at, known_at, value in joined.select(
        "shop", "till", "event_time", "sales__known_at", "sales__sum"
    ).rows():
        seen = [known for s, t, known in facts if (s, t) == (shop, till) and known <= at <= known + VIEW.max_age]
        assert known_at == max(seen, default=None)
        assert value == (facts[shop, till, max(seen)] if seen else None)


def test_several_views_are_joined_side_by_side():
    views = {"sales": VIEW, "staff": View(keys=("shop",), max_age=timedelta(days=1), values={"names": pl.String})}
    requests = pl.DataFrame({"shop": ["a"], "till": [1], "event_time": [START]}).cast({"event_time": join.UTC})
    sales = pl.DataFrame([("a", 1, START, 2.5)], HISTORY, orient="row")
    staff = pl.DataFrame({"shop": ["a"], "known_at": [START], "names": ["x"]}).cast({"known_at": join.UTC})

    joined = join.as_of(requests, {"sales": sales, "staff": staff}, views)

    assert joined.columns[3:] == ["sales__known_at", "sales__sum", "staff__known_at", "staff__names"]
    assert joined.row(0)[3:] == (START, 2.5, START, "x")


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ((None, 1, START, 1.0), "a key or known_at is null"),
        (("a", 1, None, 1.0), "a key or known_at is null"),
        (("a", 1, START, float("nan")), "a float is NaN or infinite"),
        (("a", 1, START, float("inf")), "a float is NaN or infinite"),
        (("a", 2, START, 1.0), "two rows known at one moment"),
    ],
)
def test_a_faulty_row_is_refused_by_name(row, fault):
    frame = pl.DataFrame([("a", 2, START, 1.0), row], HISTORY, orient="row")
    with pytest.raises(InvalidInput, match=f"view sales.*{fault}"):
        join.conform(frame, name="sales", view=VIEW)


@pytest.mark.parametrize(
    ("schema", "fault"),
    [
        ({**KEYS, "known_at": join.UTC}, "lacks the columns"),
        ({**HISTORY, "known_at": pl.Datetime("us")}, "known_at is"),
        ({**HISTORY, "sum": pl.Float32}, "sum is Float32, not Float64"),
        ({**HISTORY, "till": pl.Float64}, "no key is Float64: till"),
    ],
)
def test_a_faulty_schema_is_refused_by_name(schema, fault):
    with pytest.raises(InvalidInput, match=f"view sales.*{fault}"):
        join.conform(pl.DataFrame(schema=schema), name="sales", view=VIEW)


def test_a_value_of_a_type_that_json_cannot_hold_is_refused():
    view = View(keys=("shop",), max_age=timedelta(1), values={"list": pl.List(pl.Int64)})
    frame = pl.DataFrame(schema={"shop": pl.String, "known_at": join.UTC, "list": pl.List(pl.Int64)})
    with pytest.raises(InvalidInput, match="no value is List"):
        join.conform(frame, name="sales", view=view)


def test_a_negative_zero_becomes_zero():
    frame = pl.DataFrame([("a", 1, START, -0.0), ("a", 2, START, -1.0)], HISTORY, orient="row")
    assert list(map(str, join.conform(frame, name="sales", view=VIEW)["sum"])) == ["0.0", "-1.0"]


@pytest.mark.parametrize(("known", "asked"), [(pl.Int32, pl.Int64), (pl.Int64, pl.Int32), (pl.UInt8, pl.Int64)])
def test_whole_numbers_of_any_width_are_one_key(known, asked):
    views = {"sales": View(keys=("shop",), max_age=timedelta(hours=1), values={"n": pl.Int64})}
    facts = pl.DataFrame({"shop": [1, 2], "known_at": [START, START], "n": [7, 8]}).cast(
        {"known_at": join.UTC, "shop": known}
    )
    requests = pl.DataFrame({"shop": [1, None], "event_time": [START] * 2}).cast(
        {"event_time": join.UTC, "shop": asked}
    )
    joined = join.as_of(requests, {"sales": join.conform(facts, name="sales", view=views["sales"])}, views)
    assert joined["sales__n"].to_list() == [7, None]
    assert joined["shop"].dtype == asked


def test_a_key_that_the_requests_cannot_hold_is_none_of_theirs():
    views = {"sales": View(keys=("shop",), max_age=timedelta(hours=1), values={"n": pl.Int64})}
    facts = pl.DataFrame({"shop": [2**40 + 1], "known_at": [START], "n": [7]}).cast({"known_at": join.UTC})
    requests = pl.DataFrame({"shop": [1, None], "event_time": [START] * 2}).cast(
        {"event_time": join.UTC, "shop": pl.Int32}
    )
    joined = join.as_of(requests, {"sales": join.conform(facts, name="sales", view=views["sales"])}, views)
    assert joined["sales__n"].to_list() == [None, None]


@pytest.mark.parametrize(
    ("column", "said"), [({"shop": ["1"]}, "its key shop is Int64, the requests' is String"), ({}, "no column shop")]
)
def test_a_key_of_another_kind_is_refused_by_name(column, said):
    views = {"sales": View(keys=("shop",), max_age=timedelta(hours=1), values={"n": pl.Int64})}
    facts = pl.DataFrame({"shop": [1], "known_at": [START], "n": [7]}).cast({"known_at": join.UTC})
    requests = pl.DataFrame({**column, "event_time": [START]}).cast({"event_time": join.UTC})
    with pytest.raises(InvalidInput, match=f"view sales: .*{said}"):
        join.as_of(requests, {"sales": join.conform(facts, name="sales", view=views["sales"])}, views)
