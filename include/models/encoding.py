"""Features as the numbers that a model is given; a category is its place among those of training."""

import logging
from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import polars as pl
from numpy.typing import NDArray
from polars._typing import PolarsDataType

Categories = Mapping[str, tuple[str, ...]]
FEW = 32  # rows
MANY = 1000  # categories

log = logging.getLogger(__name__)


def categories(train: pl.DataFrame, features: Mapping[str, PolarsDataType]) -> Categories:
    """The values of each feature that is a text, sorted; warns of those that look like free text."""
    found = {
        name: tuple(train[name].drop_nulls().unique().sort().to_list())
        for name, dtype in features.items()
        if dtype == pl.String
    }
    for name, values in found.items():
        if len(values) > MANY:
            log.warning("%s has %d values: is it free text? More than %d make a poor category", name, len(values), MANY)
    return found


def encode(frame: pl.DataFrame, features: Mapping[str, PolarsDataType], categories: Categories) -> NDArray[np.float32]:
    """The frame's features as float32 [n, k], in their order; other columns are left alone.

    A category is its place in `categories`; one that was not seen in training, like a null, is NaN. Other features are
    cast, nulls to NaN. A few rows go another way to the same bits: planning a query costs 0.3 ms, which a caller who
    waits for one answer would notice.
    """
    if frame.height <= FEW:
        matrix = np.empty((frame.height, len(features)), np.float32)
        for column, (name, dtype) in enumerate(features.items()):
            values = frame[name].to_list()
            if dtype == pl.String:
                places = _places(tuple(categories.get(name, ())))
                matrix[:, column] = [places.get(value, np.nan) for value in values]
            else:
                matrix[:, column] = [np.nan if value is None else value for value in values]
        return matrix
    columns = [
        pl.col(name).cast(_enum(tuple(categories.get(name, ()))), strict=False).to_physical().cast(pl.Float32)
        if dtype == pl.String
        else pl.col(name).cast(pl.Float32)
        for name, dtype in features.items()
    ]
    return np.ascontiguousarray(frame.select(columns).to_numpy(), np.float32)


@lru_cache(maxsize=256)
def _enum(values: tuple[str, ...]) -> pl.Enum:
    return pl.Enum(values)


@lru_cache(maxsize=256)
def _places(values: tuple[str, ...]) -> dict[str | None, float]:
    return {value: float(place) for place, value in enumerate(values)}
