"""Compiled expressions give what polars gives, or say that they do not."""

import json
import warnings
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.services.serving.expression import CannotCompileError, Expressions, InexactError

SCHEMA = pl.Schema(
    {
        "i": pl.Int64(),
        "j": pl.Int64(),
        "small": pl.Int8(),
        "u": pl.UInt32(),
        "f": pl.Float64(),
        "g": pl.Float64(),
        "b": pl.Boolean(),
        "c": pl.Boolean(),
        "s": pl.String(),
        "t": pl.Datetime("us", "UTC"),
        "v": pl.Datetime("us", "UTC"),
        "d": pl.Duration("us"),
        "half": pl.Float32(),
        "day": pl.Date(),
    }
)
COL = {name: pl.col(name) for name in SCHEMA}
N, J, F, G, B, C, T, V = (COL[name] for name in "ijfgbctv")
LOCAL = T.dt.convert_time_zone("America/New_York")
COMPILED = {
    "plus": N + J,
    "minus": N - 3,
    "times": N * J,
    "mixed": N * F,
    "divided": N / J,
    "divided by some": N / pl.when(J > 0).then(J),
    "floor": N // 7,
    "floor of two": N // J,
    "modulo": N % 1440,
    "modulo of two": N % J,
    "small": COL["small"] + COL["small"],
    "small and large": COL["small"] * 60 + N,
    "unsigned": COL["u"] - 5,
    "unsigned and signed": COL["u"] + N,
    "real": F * G - F,
    "real divided": F / G,
    "cast": COL["small"].cast(pl.Int64) * 60,
    "narrowed": N.cast(pl.Int8),
    "to real": N.cast(pl.Float64),
    "flag": B.cast(pl.Int64) + 1,
    "less": N < J,
    "whole and real": N > F,
    "equal text": COL["s"] == "a",
    "later": T > V,
    "and": B & C,
    "or": B | C,
    "not": ~B,
    "null": F.is_null(),
    "not null": COL["s"].is_not_null(),
    "filled": N.fill_null(0),
    "filled with real": N.fill_null(F),
    "first": pl.coalesce(N, J, pl.lit(7)),
    "branch": pl.when(B).then(N).otherwise(F),
    "branches": pl.when(N > 3).then(1).when(C).then(2).otherwise(3),
    "text": pl.when(B).then(COL["s"]).otherwise(pl.lit("x")),
    "negative": -N,
    "size": F.abs(),
    "since": (T - V).dt.total_minutes(),
    "hours": (T - V).dt.total_hours(),
    "days": COL["d"].dt.total_days(),
    "moved": T + pl.duration(hours=3),
    "epoch": T.dt.epoch("s") // 60,
    "hour": LOCAL.dt.hour(),
    "minute": LOCAL.dt.minute(),
    "second": T.dt.second(),
    "year": LOCAL.dt.year().cast(pl.Int64) - N,
    "month": LOCAL.dt.month(),
    "day of month": T.dt.day(),
    "weekday": LOCAL.dt.weekday(),
    "day of year": T.dt.ordinal_day(),
    "clock": (LOCAL.dt.hour().cast(pl.Int64) * 60 + LOCAL.dt.minute() - N) % 1440,
}
NOT_COMPILED = {
    "of all rows": F.sum(),
    "of the row before": N.shift(1),
    "text": COL["s"].str.to_uppercase(),
    "half": COL["half"] * 2,
    "cut": F.cast(pl.Int64),
    "day": COL["day"].dt.weekday(),
    "real modulo": F % 2.0,
}
whole = st.integers(-(2**63), 2**63 - 1) | st.integers(-100, 100)
real = st.floats(allow_nan=False) | st.integers(-9, 9).map(float)
moment = st.integers(-(10**16), 10**16)
VALUES = {
    "i": whole,
    "j": whole,
    "small": st.integers(-128, 127),
    "u": st.integers(0, 2**32 - 1),
    "f": real,
    "g": real,
    "b": st.booleans(),
    "c": st.booleans(),
    "s": st.sampled_from(["", "a", "b"]),
    "t": moment,
    "v": moment,
    "d": st.integers(-(10**13), 10**13),
    "half": st.none(),
    "day": st.none(),
}
rows = st.fixed_dictionaries({name: st.none() | values for name, values in VALUES.items()})


def _node(expression: pl.Expr) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plan = pl.LazyFrame(schema=SCHEMA).select(found=expression).serialize(format="json")
    return json.loads(plan)["Select"]["expr"][0]


def _expressions() -> Expressions:
    return Expressions({name: (lambda row, name=name: row[name], dtype) for name, dtype in SCHEMA.items()})


PARTS = {name: _expressions().compile(_node(expression))[1] for name, expression in COMPILED.items()}


@settings(max_examples=300, deadline=None)
@given(rows)
def test_the_same_bits_as_polars(row: dict[str, Any]) -> None:
    frame = pl.DataFrame([pl.Series(name, [row[name]], dtype) for name, dtype in SCHEMA.items()])
    for name, compute in PARTS.items():
        try:
            found = compute(row)
        except InexactError:
            continue  # polars will do it
        wanted = frame.select(COMPILED[name]).to_series()
        assert repr(found) == repr(wanted.to_physical().item()), name


def test_what_is_usual_is_not_left_to_polars() -> None:
    row = {"i": 700, "j": 3, "small": 2, "u": 9, "f": 1.5, "g": 0.1, "b": True, "c": False, "s": "b"}
    row |= {"t": 1_372_680_000_000_000, "v": 1_372_600_000_000_000, "d": 86_400_000_000}
    inexact = set()
    for name, compute in PARTS.items():
        try:
            assert compute(row) is not None
        except InexactError:
            inexact.add(name)
    assert inexact == {"narrowed"}  # 700 is not an Int8


@pytest.mark.parametrize("name", NOT_COMPILED)
def test_what_is_not_surely_the_same_does_not_compile(name: str) -> None:
    with pytest.raises(CannotCompileError):
        _expressions().compile(_node(NOT_COMPILED[name]))
