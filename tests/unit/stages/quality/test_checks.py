"""The compiled checks against pandera itself, which is right by definition."""

import math
import re
from datetime import date
from typing import Any

import pandera.polars as pa
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandera.constants import CHECK_OUTPUT_KEY
from pandera.errors import SchemaErrors

from include.stages.quality.checks import failures, rules

INTEGERS = st.none() | st.integers(-3, 3)
FLOATS = st.none() | st.sampled_from([math.nan, math.inf, -math.inf, 0.0, -0.0]) | st.floats(-3, 3)
TEXTS = st.none() | st.text("aAb1 é\n", max_size=4)
DAYS = st.none() | st.sampled_from([date(2013, 1, 1), date(2013, 1, 2)])
VALUES = {pl.Int64: INTEGERS, pl.Float64: FLOATS, pl.String: TEXTS, pl.Date: DAYS}

BOUNDS = st.integers(-3, 3)
NUMBER_CHECKS = st.one_of(
    st.builds(pa.Check.eq, BOUNDS),
    st.builds(pa.Check.ne, BOUNDS),
    st.builds(pa.Check.gt, BOUNDS),
    st.builds(pa.Check.ge, BOUNDS),
    st.builds(pa.Check.lt, BOUNDS),
    st.builds(lambda value, keep: pa.Check.le(value, ignore_na=keep), BOUNDS, st.booleans()),
    st.builds(
        lambda low, span, *ends: pa.Check.in_range(low, low + span, *ends),
        BOUNDS,
        st.integers(1, 3),
        *[st.booleans()] * 2,
    ),
    st.builds(lambda values, keep: pa.Check.isin(values, ignore_na=keep), st.lists(BOUNDS, min_size=1), st.booleans()),
    st.builds(pa.Check.notin, st.lists(BOUNDS, min_size=1)),
    st.just(pa.Check.ge(0, raise_warning=True)),
    st.just(pa.Check(lambda value: value > 0, element_wise=True, name="element by element")),
    st.just(pa.Check(lambda data: data.lazyframe.select(pl.col(data.key) != 2), name="own")),
    st.just(pa.Check(lambda data: data.lazyframe.select(pl.col(data.key).sum() < 2), name="of the whole column")),
    st.just(pa.Check(lambda data: data.lazyframe.select(pl.col("nowhere")), name="broken")),
)
PATTERNS = st.sampled_from(["a", "^a", "[ab]+$", "^$", "é|1", "(?=a)", re.compile("b")])
TEXT_CHECKS = st.one_of(
    st.builds(lambda pattern, keep: pa.Check.str_matches(pattern, ignore_na=keep), PATTERNS, st.booleans()),
    st.builds(pa.Check.str_contains, PATTERNS),
    st.builds(pa.Check.str_startswith, st.sampled_from(["a", "", "é"])),
    st.builds(pa.Check.str_endswith, st.sampled_from(["a", "", "\n"])),
    st.builds(pa.Check.str_length, st.integers(0, 3)),
    st.builds(lambda high: pa.Check.str_length(max_value=high), st.integers(0, 3)),
    st.builds(lambda low, span: pa.Check.str_length(low, low + span), st.integers(0, 3), st.integers(0, 2)),
    st.builds(lambda exact: pa.Check.str_length(exact_value=exact), st.integers(0, 3)),
    st.builds(pa.Check.isin, st.lists(st.sampled_from(["a", "", "b"]), min_size=1)),
)
CHECKS = {pl.Int64: NUMBER_CHECKS, pl.Float64: NUMBER_CHECKS, pl.String: TEXT_CHECKS, pl.Date: st.nothing()}
ROW_CHECK = pa.Check(lambda data: data.lazyframe.select(pl.col("a").is_null() | (pl.col("a") != pl.lit(1))), name="row")


@st.composite
def schemas(draw: st.DrawFn) -> pa.DataFrameSchema:
    kinds = draw(st.lists(st.sampled_from([*CHECKS]), min_size=1, max_size=4))
    names = "abcd"[: len(kinds)]
    columns = {
        name: pa.Column(
            kind,
            nullable=draw(st.booleans()),
            unique=draw(st.booleans()),
            checks=draw(st.lists(CHECKS[kind], max_size=2)) if kind != pl.Date else None,
        )
        for name, kind in zip(names, kinds, strict=True)
    }
    unique = draw(st.none() | st.lists(st.sampled_from(names), min_size=1, unique=True))
    checks = [ROW_CHECK] if kinds[0] in {pl.Int64, pl.Float64} and draw(st.booleans()) else None
    return pa.DataFrameSchema(columns, unique=unique, checks=checks)


@st.composite
def cases(draw: st.DrawFn) -> tuple[pa.DataFrameSchema, pl.DataFrame]:
    schema = draw(schemas())
    height = draw(st.integers(0, 6))
    kinds = {name: column.dtype.type for name, column in schema.columns.items()}
    data = {
        name: draw(
            st.lists(VALUES[type(kind) if not isinstance(kind, type) else kind], min_size=height, max_size=height)
        )
        for name, kind in kinds.items()
    }
    return schema, pl.DataFrame(data, schema=kinds)


def by_pandera(schema: pa.DataFrameSchema, frame: pl.DataFrame) -> set[int]:
    """Indices of rows that pandera fails; an answer without rows is about all of them."""
    try:
        schema.validate(frame, lazy=True)
    except SchemaErrors as errors:
        bad: set[int] = set()
        for error in errors.schema_errors:
            output = error.check_output
            if isinstance(output, pl.DataFrame) and output.height == frame.height:
                column = CHECK_OUTPUT_KEY if CHECK_OUTPUT_KEY in output.columns else "check_output"
                bad |= {*(~output[column]).arg_true()}
            else:
                bad |= {*range(frame.height)}
        return bad
    return set()


@pytest.mark.filterwarnings("ignore::pandera.errors.SchemaWarning")
@settings(max_examples=200, deadline=None)
@given(cases())
def test_the_same_rows_fail_as_in_pandera(case: tuple[pa.DataFrameSchema, pl.DataFrame]) -> None:
    schema, frame = case
    found = failures(rules(schema), frame)
    ours = {index for _, indices in found for index in indices}
    assert ours == by_pandera(schema, frame)


@pytest.mark.parametrize(
    ("check", "values", "bad"),
    [
        (pa.Check.in_range(0, 2), [0, 1, 2, 3, None], [3]),
        (pa.Check.isin([1]), [1, 2, None], [1]),
        (pa.Check.isin([1], ignore_na=False), [1, 2, None], [1, 2]),
        (pa.Check(lambda value: value < 2, element_wise=True), [1, 2, None], [1]),
    ],
)
def test_failing_rows_of_one_check(check: pa.Check, values: list[Any], bad: list[int]) -> None:
    schema = pa.DataFrameSchema({"a": pa.Column(pl.Int64, checks=check, nullable=True)})
    ((rule, indices),) = failures(rules(schema), pl.DataFrame({"a": values}, schema={"a": pl.Int64}))
    assert rule.column == "a"
    assert indices.to_list() == bad


def test_reasons_name_column_and_check() -> None:
    schema = pa.DataFrameSchema(
        {"a": pa.Column(pl.Int64, checks=pa.Check.ge(0)), "b": pa.Column(pl.Float64)}, unique=["a", "b"]
    )
    frame = pl.DataFrame(
        {"a": [-1, -1, 2, None], "b": [1.0, 1.0, math.nan, 1.0]}, schema={"a": pl.Int64, "b": pl.Float64}
    )
    found = {str(rule): indices.to_list() for rule, indices in failures(rules(schema), frame)}
    assert found == {
        "a: missing": [3],
        "a: greater_than_or_equal_to(0)": [0, 1],
        "b: missing": [2],
        "not unique: a, b": [0, 1],
    }
