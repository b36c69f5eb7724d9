"""From a use case's features to a model file's answers: the one way, for fitting, gates, promotion and serving."""

from collections.abc import Mapping
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


def score(part: Encoder, scorer: Scorer, frame: "pl.DataFrame") -> NDArray[np.float32]:
    """Answers of a model file for rows of features, float32 [n] or [n, classes].

    Raises:
        InvalidInput: it wants a feature that is gone.
    """
    return scorer.score(encoded(part, scorer.metadata, frame))
