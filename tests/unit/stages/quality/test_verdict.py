import math
from contextlib import suppress
from datetime import UTC, date, datetime
from typing import Annotated

import narwhals as nw
import pandera.polars as pa
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandera.api.polars.types import PolarsData
from pandera.errors import SchemaError

from include.stages.quality import Contract, judge

DAY = date(2013, 1, 1)


class Model(pa.DataFrameModel):
    number: int = pa.Field(ge=0)
    share: float = pa.Field(nullable=True, le=1)
    name: str = pa.Field(nullable=True, str_matches="^[a-z]+$")
    at: Annotated[pl.Datetime, "us", "UTC"] = pa.Field(nullable=True)
    sure: bool = pa.Field(nullable=True)
    twice: int = pa.Field(metadata={"derived": lambda: nw.col("number") * 2})
    event_date: date

    class Config:
        unique = ("event_date", "number")


CONTRACT = Contract.of(Model)
NULLS = ("", "NA")


def rows(*values: tuple[str, str, str, str, str]) -> pl.DataFrame:
    schema = dict.fromkeys(CONTRACT.landed, pl.String)
    return pl.DataFrame(values, schema=schema, orient="row").with_columns(
        event_date=pl.lit(DAY), line=pl.int_range(pl.len()) + 2
    )


def test_a_good_row_is_typed() -> None:
    verdict = judge(CONTRACT, rows(("7", "0.5", "ab", "2013-01-01T10:00:00Z", "true")), null_values=NULLS)
    assert verdict.failed.is_empty()
    assert verdict.passed.columns == ["number", "share", "name", "at", "sure", "twice", "event_date"]
    assert verdict.passed.row(0) == (7, 0.5, "ab", datetime(2013, 1, 1, 10, tzinfo=UTC), True, 14, DAY)
    assert verdict.passed.schema == CONTRACT.silver()


def test_null_values_are_null_and_may_be_forbidden() -> None:
    verdict = judge(CONTRACT, rows(("1", "NA", "", "NA", "")), null_values=NULLS)
    assert verdict.passed.row(0) == (1, None, None, None, None, 2, DAY)
    verdict = judge(CONTRACT, rows(("NA", "0", "a", "NA", "")), null_values=NULLS)
    assert verdict.failed["reasons"].to_list() == [["number: missing: 'NA'", "twice: missing"]]


def test_what_does_not_read_is_a_reason_with_its_value_and_the_only_one() -> None:
    verdict = judge(
        CONTRACT,
        rows(
            ("abc", "2", "ab", "NA", "NA"),
            ("1.0", "x", "AB", "2013-01-01 10:00", "yes"),
            ("3", "2", "AB", "NA", "FALSE"),
        ),
        null_values=NULLS,
    )
    assert verdict.failed["reasons"].to_list() == [
        ["number: not an integer: 'abc'"],
        [
            "number: not an integer: '1.0'",
            "share: not a number: 'x'",
            "at: not a timestamp: '2013-01-01 10:00'",
            "sure: not true or false: 'yes'",
        ],
        ["share: less_than_or_equal_to(1): '2'", "name: str_matches('^[a-z]+$'): 'AB'"],
    ]
    assert verdict.failed["line"].to_list() == [2, 3, 4]
    assert verdict.counts["number: not an integer"] == 2
    assert verdict.examples["share: less_than_or_equal_to(1)"] == 2
    assert verdict.failed.select(CONTRACT.landed).row(0) == ("abc", "2", "ab", "NA", "NA")


def test_rows_that_contradict_each_other_fail_together() -> None:
    verdict = judge(
        CONTRACT, rows(("1", "", "", "", ""), ("2", "", "", "", ""), ("1", "0.5", "", "", "")), null_values=NULLS
    )
    assert verdict.failed["line"].to_list() == [2, 4]
    assert verdict.counts == {"not unique: event_date, number": 2}


def test_of_equal_rows_the_first_stays() -> None:
    same, other = ("1", "0.5", "a", "", ""), ("2", "0.50", "", "", "")
    verdict = judge(CONTRACT, rows(same, other, same, ("2", "0.5", "NA", "", ""), same), null_values=NULLS)
    assert verdict.passed["number"].to_list() == [1, 2]
    assert verdict.failed["line"].to_list() == [4, 5, 6]
    assert verdict.counts == {"repeats an earlier row": 3}


def test_a_bad_row_takes_no_good_one_along() -> None:
    verdict = judge(
        CONTRACT, rows(("1", "0.5", "a", "", ""), ("1", "2", "a", "", ""), ("1", "x", "a", "", "")), null_values=NULLS
    )
    assert verdict.passed["share"].to_list() == [0.5]
    assert verdict.counts == {"share: not a number": 1, "share: less_than_or_equal_to(1)": 1}


def test_a_reason_repeats_a_line_of_its_value_at_most() -> None:
    (reasons,) = judge(CONTRACT, rows(("1" * 1_000_000, "", "", "", "")), null_values=NULLS).failed["reasons"].to_list()
    assert reasons == [f"number: not an integer: '{'1' * 80}'... (1,000,000 characters)"]


def test_blanks_around_a_value_are_no_part_of_it_except_in_text() -> None:
    verdict = judge(
        CONTRACT,
        rows((" 4", "  0.5 ", "NA ", " 2013-01-01T10:00:00Z", "\tTRUE"), ("5", " NA", " ab", "NA ", "")),
        null_values=NULLS,
    )
    assert verdict.passed.rows() == [(4, 0.5, None, datetime(2013, 1, 1, 10, tzinfo=UTC), True, 8, DAY)]
    assert verdict.failed["reasons"].to_list() == [["name: str_matches('^[a-z]+$'): ' ab'"]]


class Moments(pa.DataFrameModel):
    iso: Annotated[pl.Datetime, "us", "UTC"] = pa.Field(nullable=True)
    dense: pl.Datetime("us") = pa.Field(nullable=True, metadata={"format": "%Y%m%d%H%M%S"})
    local: Annotated[pl.Datetime, "us", "UTC"] = pa.Field(
        nullable=True, metadata={"format": "%Y-%m-%d %H:%M", "time_zone": "America/New_York"}
    )
    event_date: date


@pytest.mark.parametrize(
    ("column", "text", "reason"),
    [
        ("iso", "2060-05-05T10:16:00Z", None),
        ("iso", "2013-05-05T10:15:60Z", "not a timestamp"),
        ("iso", "2013-06-30T23:59:60Z", "not a timestamp"),
        ("iso", "2013-05-05T10:15:61Z", "not a timestamp"),
        ("dense", "20130505101600", None),
        ("dense", "20130505101560", "not a timestamp"),
        ("local", "2015-11-01 00:30", None),
        ("local", "2015-11-01 01:30", "not a moment in America/New_York"),
        ("local", "2015-03-08 02:30", "not a moment in America/New_York"),
    ],
)
def test_a_time_that_is_no_one_moment_is_told(column: str, text: str, reason: str | None) -> None:
    landed = {"iso": "", "dense": "", "local": "", column: text}
    verdict = judge(Contract.of(Moments), pl.DataFrame([landed | {"event_date": DAY}]), null_values=NULLS)
    assert verdict.failed["reasons"].to_list() == ([] if reason is None else [[f"{column}: {reason}: {text!r}"]])


class Rides(pa.DataFrameModel):
    ride: int
    began: pl.Datetime("us") = pa.Field(metadata={"format": "%Y-%m-%d %H:%M:%S"})
    began_utc: Annotated[pl.Datetime, "us", "UTC"] = pa.Field(
        metadata={
            "derived": lambda: nw.col("began").dt.replace_time_zone("America/New_York").dt.convert_time_zone("UTC")
        }
    )
    event_date: date


def test_a_row_whose_column_cannot_be_derived_is_alone_with_that() -> None:
    landed = pl.DataFrame(
        {
            "ride": ["1", "2", "3"],
            "began": [f"2015-11-01 0{hour}:30:00" for hour in (0, 1, 3)],
            "event_date": [date(2015, 11, 1)] * 3,
        }
    )
    verdict = judge(Contract.of(Rides), landed, null_values=NULLS)
    assert verdict.passed["ride"].to_list() == [1, 3]
    assert verdict.passed["began_utc"].to_list() == [
        datetime(2015, 11, 1, 4, 30, tzinfo=UTC),
        datetime(2015, 11, 1, 8, 30, tzinfo=UTC),
    ]
    (reasons,) = verdict.failed["reasons"].to_list()
    assert len(reasons) == 1
    assert reasons[0].startswith("began_utc: cannot be derived (")
    assert "ambiguous" in reasons[0]


class Twice(pa.DataFrameModel):
    x: int
    event_date: date

    @pa.dataframe_check(error="x is too big")
    @classmethod
    def _low(cls, data: PolarsData) -> pl.LazyFrame:
        return data.lazyframe.select(pl.col("x") < 5)

    @pa.dataframe_check(error="x is too big")
    @classmethod
    def _odd(cls, data: PolarsData) -> pl.LazyFrame:
        return data.lazyframe.select(pl.col("x").is_between(1, 9))


def test_checks_with_one_message_are_one_reason() -> None:
    landed = pl.DataFrame({"x": ["6", "2", "10", "0"], "event_date": [DAY] * 4})
    verdict = judge(Contract.of(Twice), landed, null_values=NULLS)
    assert verdict.failed["reasons"].to_list() == [["x is too big"]] * 3
    assert verdict.counts == {"x is too big": 3}
    assert verdict.examples == {"x is too big": 0}


def test_no_rows() -> None:
    verdict = judge(CONTRACT, rows(), null_values=NULLS)
    assert (verdict.passed.height, verdict.failed.height, verdict.counts) == (0, 0, {})
    assert verdict.passed.schema == CONTRACT.silver()
    assert verdict.failed.schema["reasons"] == pl.List(pl.String)


class Reading(pa.DataFrameModel):
    value: float = pa.Field(nullable=True, le=1000)
    event_date: date


READING = Contract.of(Reading)
NUMBER = (
    st.floats().map(repr)
    | st.builds("{}e{}".format, st.integers(-99, 99), st.integers(-400, 400))
    | st.sampled_from(["nan", "-nan", "inf", "-inf", "Infinity", "1e999", "-1e999", "NA", "", "-0.0"])
)


def pandera_passes(number: float | None) -> bool:
    try:
        Reading.validate(pl.DataFrame([(number, DAY)], schema=READING.silver(), orient="row"))
    except SchemaError:
        return False
    return True


@settings(max_examples=60, deadline=None)
@given(st.lists(NUMBER, max_size=6), st.sets(st.sampled_from(["NA", "", "nan", "inf"])))
def test_a_float_enters_silver_as_a_finite_number_that_pandera_passes(texts: list[str], nulls: set[str]) -> None:
    read: list[float | None] = []
    for text in texts:
        with suppress(ValueError):
            number = None if text in nulls else float(text)
            if number is None or math.isfinite(number):
                read.append(number)
    landed = pl.DataFrame({"value": texts}, schema={"value": pl.String}).with_columns(event_date=pl.lit(DAY))
    passed = judge(READING, landed, null_values=nulls).passed
    assert passed["value"].to_list() == [number for number in read if pandera_passes(number)]


def test_what_is_no_finite_number_says_so() -> None:
    landed = rows(("1", "nan", "", "", ""), ("2", "1e999", "", "", ""), ("3", "-1e999", "", "", ""))
    assert judge(CONTRACT, landed, null_values=NULLS).failed["reasons"].to_list() == [
        ["share: not a number: 'nan'"],
        ["share: not a number: '1e999'"],
        ["share: not a number: '-1e999'"],
    ]
    assert judge(CONTRACT, landed[:1], null_values=(*NULLS, "nan")).passed["share"].to_list() == [None]


FIELD = st.sampled_from(
    ["", "NA", "1", "2", "-1", "0.5", "abc", "9" * 30, "true", "2013-01-01T00:00:00Z", "nan", "-1e999", " 1", "NA "]
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(*[FIELD] * 5), max_size=6))
def test_every_row_is_in_one_place_and_pandera_agrees(values: list[tuple[str, str, str, str, str]]) -> None:
    landed = rows(*values)
    verdict = judge(CONTRACT, landed, null_values=NULLS)
    assert verdict.passed.height + verdict.failed.height == landed.height
    assert all(verdict.failed["reasons"].list.len() > 0)
    Model.validate(verdict.passed, lazy=True)
