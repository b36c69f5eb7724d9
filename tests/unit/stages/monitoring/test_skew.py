import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from include.foundation.artifact import Metadata
from include.foundation.errors import InvalidInput
from include.stages.monitoring.skew import Skew, skew, together

METADATA = Metadata(
    use_case="shops", features=("size", "weight", "past"), categories={"size": ("S", "L")}, created_from={}
)


def encode(frame: pl.DataFrame, categories: Any) -> np.ndarray:
    size = frame["size"].replace_strict({"S": 0.0, "L": 1.0}, default=None)
    columns = [size, frame["weight"], frame["past"]]
    return np.stack([column.cast(pl.Float32).to_numpy() for column in columns], axis=1)


PART = SimpleNamespace(FEATURES=("size", "weight", "past"), encode=encode)
GOLD = pl.DataFrame(
    {"size": ["S", "L", None, "S"], "weight": [0.1, None, -0.0, 1e30], "past": [1, 2, 3, None]}, strict=False
)
SERVED = [
    {"size": "S", "weight": float(np.float32(0.1)), "past": 1.0},
    {"size": "L", "weight": None, "past": 2.0},
    {"size": None, "weight": -0.0, "past": 3.0},
    {"size": "S", "weight": float(np.float32(1e30)), "past": None},
]


def look(*served: dict[str, Any]) -> Skew:
    return skew(served, GOLD, part=PART, metadata=METADATA)


def changed(row: int, **values: Any) -> list[dict[str, Any]]:
    return [{**each, **values} if number == row else each for number, each in enumerate(SERVED)]


def test_equal_bits_are_no_skew_and_missing_equals_missing() -> None:
    found = look(*SERVED)
    assert found == Skew(rows=4)
    assert str(found) == "of 4 answers, served features differ from the lake's: none"


@pytest.mark.parametrize(
    ("row", "values", "names"),
    [
        (0, {"weight": float(np.nextafter(np.float32(0.1), np.float32(1)))}, ["weight"]),  # one bit
        (2, {"weight": 0.0}, ["weight"]),
        (1, {"weight": 0.0}, ["weight"]),
        (3, {"past": math.nan, "size": "L"}, ["size"]),
        (2, {"size": "XL"}, []),  # the model file knows no such size: missing for both
    ],
)
def test_a_difference_is_found_by_name(row: int, values: dict[str, Any], names: list[str]) -> None:
    assert look(*changed(row, **values)).shares == dict.fromkeys(names, 0.25)


def test_the_feature_that_differs_most_is_said_first() -> None:
    served = [{**each, "past": 9.0} for each in changed(0, weight=7.0)]
    found = look(*served)
    assert [*found.shares] == ["past", "weight"]
    assert str(found).endswith("differ from the lake's: past in 100.00%, weight in 25.00%")


def test_other_features_are_refused() -> None:
    with pytest.raises(InvalidInput, match="other features"):
        look({"size": "S"})


def test_parts_are_told_together():
    parts = [Skew(rows=10, shares={"a": 0.5, "b": 0.1}), Skew(), Skew(rows=30, shares={"b": 1.0})]
    found = together(parts)
    assert (found.rows, [*found.shares.items()]) == (40, [("b", 31 / 40), ("a", 5 / 40)])
    assert together([]).greatest is None
