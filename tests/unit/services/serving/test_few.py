"""A few rows, compiled, are the rows of the batch, bit for bit: on the use case that the project carries."""

import random
from types import ModuleType
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.foundation import spec
from include.foundation.artifact import Metadata
from include.foundation.history.join import columns
from include.services.serving.expression import InexactError
from include.services.serving.few import Matrix, compile_features

USE_CASE = "flight_delays"
FEATURES = spec.module(USE_CASE, "features")
MODEL = spec.module(USE_CASE, "model")
REQUEST = ("carrier", "flight", "tailnum", "origin", "dest", "sched_dep", "sched_arr", "distance", "event_time")
SCHEMA = pl.Schema({**{n: FEATURES._JOINED.get(n, pl.String) for n in REQUEST}, **columns(FEATURES.VIEWS)})
CATEGORIES = {"carrier": ("AA", "UA"), "origin": ("EWR", "JFK", "LGA"), "aircraft_manufacturer": ("AIRBUS", "BOEING")}


def _metadata(features: ModuleType = FEATURES) -> Metadata:
    names = tuple(features.FEATURES)
    return Metadata(use_case=USE_CASE, features=names, categories=CATEGORIES, created_from={})


def _values(name: str, dtype: pl.DataType) -> st.SearchStrategy[Any]:
    if dtype == pl.String:
        return st.sampled_from(["AA", "ZZ", "EWR", "JFK", "BOEING", ""])
    if dtype == pl.Float64:
        return st.floats(allow_nan=False, allow_infinity=False)
    if isinstance(dtype, pl.Datetime):
        return st.integers(0, 4_102_444_800_000_000)
    return st.integers(-(2**63), 2**63 - 1) | st.integers(-200, 2000)


ROWS = st.tuples(*(st.none() | _values(name, dtype) for name, dtype in SCHEMA.items()))


@pytest.fixture(scope="module")
def matrix() -> Matrix:
    compiled = compile_features(FEATURES, lambda frame: MODEL.encode(frame, CATEGORIES), _metadata(), SCHEMA)
    assert compiled is not None
    return compiled


def _batch(rows: list[Any]) -> np.ndarray:
    columns = zip(*rows, strict=True)
    frame = pl.DataFrame([pl.Series(n, v, t) for (n, t), v in zip(SCHEMA.items(), columns, strict=True)])
    return MODEL.encode(FEATURES.features(frame), CATEGORIES)


@settings(max_examples=300, deadline=None)
@given(st.lists(ROWS, min_size=1, max_size=3))
def test_compiled_rows_are_batch_rows_bit_for_bit(matrix: Matrix, rows: list[Any]) -> None:
    try:
        found = matrix(rows)
    except InexactError:
        return
    np.testing.assert_array_equal(found.view(np.uint32), _batch(rows).view(np.uint32))


def test_plausible_rows_are_compiled_and_equal(matrix: Matrix) -> None:
    chance, rows = random.Random(5), []
    for _ in range(2000):
        now = chance.randrange(1_350_000_000, 1_720_000_000) * 1_000_000
        values = {
            pl.String: lambda: chance.choice(["AA", "UA", "EWR", "LGA", "AIRBUS", "other"]),
            pl.Float64: lambda: round(chance.uniform(-30, 1100), 2),
            pl.Int64: lambda: chance.randrange(0, 1440),
        }
        row = [
            now - chance.randrange(10**11) if isinstance(dtype, pl.Datetime) else values[dtype.base_type()]()
            for dtype in SCHEMA.dtypes()
        ]
        row[REQUEST.index("event_time")] = row[REQUEST.index("sched_dep")] = now
        for place in range(len(REQUEST), len(row)):
            if chance.random() < 0.1:
                row[place] = None
        rows.append(row)
    found = np.concatenate([matrix([row]) for row in rows])
    np.testing.assert_array_equal(found.view(np.uint32), _batch(rows).view(np.uint32))


def _other(features: Any) -> ModuleType:
    module = ModuleType("other")
    module.features, module.FEATURES = features, {"a": pl.Float64}
    return module


def _encode(frame: pl.DataFrame) -> np.ndarray:
    return np.ascontiguousarray(frame.cast(pl.Float32).to_numpy())


@pytest.mark.parametrize(
    ("features", "encode", "says"),
    [
        (lambda joined: joined.select(a=pl.col("f") * 2), _encode, ""),
        (lambda joined: joined.with_columns(f=pl.col("f") + 1).select(a=pl.col("f") * 2), _encode, ""),
        (lambda joined: joined.select(a=pl.col("f").mean()), _encode, "cannot compile"),
        (lambda joined: joined.lazy().collect().select(a=pl.col("f")), _encode, "cannot compile"),
        (lambda joined: joined.filter(pl.col("f") > 0).select(a=pl.col("f")), _encode, "cannot compile"),
        (lambda joined: joined.select(a=pl.col("f")), lambda frame: _encode(frame) + 1, "a would differ"),
    ],
)
def test_code_that_cannot_be_compiled_is_left_to_polars(
    caplog: pytest.LogCaptureFixture, features: Any, encode: Any, says: str
) -> None:
    caplog.set_level("INFO")
    module = _other(features)
    metadata = Metadata(use_case="other", features=("a",), categories={}, created_from={})
    compiled = compile_features(module, encode, metadata, pl.Schema({"f": pl.Float64(), "s": pl.String()}))
    assert (compiled is None) == bool(says)
    assert says in caplog.text
