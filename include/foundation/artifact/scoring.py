"""From a use case's features to a model file's answers: the one way, for fitting, gates, promotion and serving."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from include.foundation.artifact.model_file import Metadata, Scorer
from include.foundation.errors import InvalidInput

if TYPE_CHECKING:
    import polars as pl


class Encoder(Protocol):
    """What a use case's `model` module says about its input."""

    FEATURES: Mapping[str, Any]

    def encode(self, frame: "pl.DataFrame", categories: Mapping[str, tuple[str, ...]], /) -> NDArray[np.float32]:
        """The frame's features as float32 [n, len(FEATURES)], in their order."""


def encoded(part: Encoder, metadata: Metadata, frame: "pl.DataFrame") -> NDArray[np.float32]:
    """The matrix that a model file wants, float32 [n, len(metadata.features)].

    A file of an earlier version may want fewer of the use case's features, or in another order.

    Raises:
        InvalidInput: it wants a feature that is gone.
    """
    wanted, have = metadata.features, list(part.FEATURES)
    matrix = part.encode(frame, metadata.categories)
    if list(wanted) != have:
        if gone := set(wanted) - set(have):
            raise InvalidInput(f"the model file wants features that are gone: {', '.join(sorted(gone))}")
        matrix = np.ascontiguousarray(matrix[:, [have.index(name) for name in wanted]])
    return matrix


def named(metadata: Metadata, row: NDArray[np.float32]) -> dict[str, float | str]:
    """One encoded row, [k], as people and JSON read it: a category's value, a number, NaN (null) where it is missing.

    Numbers are float64 with float32's value, so that `matrix` gives the same bits.
    """
    values: list[Any] = row.tolist()
    for place, categories in _categories(metadata):
        value = values[place]
        if 0 <= value < len(categories) and value.is_integer():  # a caller's own encoding may hold anything
            values[place] = categories[int(value)]
    return dict(zip(metadata.features, values, strict=True))


def matrix(metadata: Metadata, rows: Sequence[Mapping[str, float | str | None]]) -> NDArray[np.float32]:
    """What `named` was made of, float32 [n, k]; a category that the model file does not have is NaN, as it encodes one.

    Raises:
        InvalidInput: a row has other features than the model file.
    """
    places = {
        metadata.features[place]: {value: float(code) for code, value in enumerate(categories)}
        for place, categories in _categories(metadata)
    }
    found: NDArray[np.float64] = np.empty((len(rows), len(metadata.features)), np.float64)
    for index, row in enumerate(rows):
        if row.keys() != {*metadata.features}:
            raise InvalidInput(f"a row has other features than the model file: {', '.join(row)[:200]}")
        found[index] = [
            places[name].get(value) if isinstance(value, str) else value
            for name, value in ((name, row[name]) for name in metadata.features)
        ]
    return found.astype(np.float32)


def _categories(metadata: Metadata) -> list[tuple[int, tuple[str, ...]]]:
    """The columns that are categories, with their values."""
    return [(place, found) for place, name in enumerate(metadata.features) if (found := metadata.categories.get(name))]


def score(part: Encoder, scorer: Scorer, frame: "pl.DataFrame") -> NDArray[np.float32]:
    """Answers of a model file for rows of features, float32 [n] or [n, classes].

    Raises:
        InvalidInput: it wants a feature that is gone.
    """
    return scorer.score(encoded(part, scorer.metadata, frame))
