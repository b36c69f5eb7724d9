"""From records to probabilities, by the use case's own code and the pinned model."""

import logging
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Literal, get_args, get_origin

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import AwareDatetime, BaseModel

from include.foundation.artifact import Scorer
from include.foundation.errors import InvalidInput
from include.foundation.http.refusal import Refusal
from include.foundation.spec import FeaturesModule
from include.services.serving.metrics import Metrics

log = logging.getLogger(__name__)
_MOMENT = pl.Datetime("us", "UTC")
_DTYPES = {
    bool: pl.Boolean(),
    int: pl.Int64(),
    float: pl.Float64(),
    str: pl.String(),
    date: pl.Date(),
    datetime: _MOMENT,
    AwareDatetime: _MOMENT,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """The answer for one record.

    Attributes:
        probability: of the positive class.
        event_time: the moment the record asks about, UTC.
        known_at: of the newest history that was used, UTC; None if there is none.
    """

    probability: np.float32
    event_time: datetime
    known_at: datetime | None


class Predictor:
    """Answers records and feature matrices. Safe to use from several threads.

    Args:
        features: the use case's module of that name.
        encode: a frame with the features to the model's input (`artifact.scoring.encoded`).
        scorer: the model.
        read: joins history to requests: a frame with `event_time` and the columns of `Request` to the same rows with
            the views' values.
        metrics: is told of every score.

    Raises:
        InvalidInput: the model is of other features than the code computes.
    """

    def __init__(
        self,
        *,
        features: FeaturesModule,
        encode: Callable[[pl.DataFrame], NDArray[np.float32]],
        scorer: Scorer,
        read: Callable[[pl.DataFrame], pl.DataFrame],
        metrics: Metrics,
    ) -> None:
        self.metadata = scorer.metadata
        computed = tuple(features.FEATURES)
        if self.metadata.features != computed:
            raise InvalidInput(f"the model is of the features {self.metadata.features}, the code computes {computed}")
        self.request_type: type[BaseModel] = features.Request
        self._schema = {name: _dtype(field.annotation) for name, field in self.request_type.model_fields.items()}
        self._schema["event_time"] = _MOMENT
        self._known = [f"{view}__known_at" for view in features.VIEWS]
        self._features, self._encode, self._scorer, self._read = features, encode, scorer, read
        self._metrics = metrics

    def predict(self, requests: Sequence[BaseModel]) -> list[Prediction]:
        """Predictions of checked records, in their order.

        Raises:
            RetryableError: history cannot be read.
            Refusal: 422, a record that `Request` accepted has a moment without offset, or values that the features'
                code cannot work with.
        """
        for request in requests:
            self._check_moments(request)
        try:
            event_times = [request.event_time.astimezone(UTC) for request in requests]  # type: ignore[attr-defined]
            rows = [{**vars(request), "event_time": at} for request, at in zip(requests, event_times, strict=True)]
            asked = pl.DataFrame(rows, schema=self._schema)
            with self._metrics.online_seconds.time():
                joined = self._read(asked)
            matrix = self._encode(self._features.features(joined))
            known_at = [joined[name].to_list() for name in self._known]
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException, ArithmeticError, ValueError) as error:
            # Where, but not the error's own words: they may repeat the record.
            where = traceback.format_tb(error.__traceback__)
            log.warning("features cannot be computed: %s", type(error).__name__, extra={"fields": {"traceback": where}})
            raise Refusal(422, f"features cannot be computed of this record ({type(error).__name__})") from error
        return [
            Prediction(
                probability=probability,
                event_time=event_time,
                known_at=max((column[row] for column in known_at if column[row]), default=None),
            )
            for row, (probability, event_time) in enumerate(zip(self.score(matrix), event_times, strict=True))
        ]

    def _check_moments(self, request: BaseModel) -> None:
        """Without an offset a moment would be another one on every clock."""
        for name, dtype in self._schema.items():
            value = getattr(request, name) if dtype == _MOMENT else None
            if value is not None and value.tzinfo is None:
                raise Refusal.at(422, name, "must have an offset from UTC, such as Z or +01:00")

    def score(self, matrix: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probabilities, float32 [n], of encoded rows, float32 [n, features]."""
        probability = self._scorer.score(matrix)
        for name, missing in zip(self.metadata.features, np.isnan(matrix).sum(axis=0).tolist(), strict=True):
            if missing:
                self._metrics.missing.labels(name).inc(missing)
        for value in probability.tolist():
            self._metrics.scores.observe(value)
        return probability

    def score_columns(self, columns: Mapping[str, Sequence[str | None] | NDArray[np.float32]]) -> NDArray[np.float32]:
        """Probabilities, float32 [n], of features that are not encoded yet: feature -> n values."""
        frame = pl.DataFrame(
            {name: columns[name] for name in self.metadata.features},
            schema_overrides=dict.fromkeys(self.metadata.categories, pl.String),
        )
        return self.score(self._encode(frame))


def _dtype(annotation: Any) -> pl.DataType:
    """Column type of a field: of `Literal`, that of its values; of `... | None`, that of the rest.

    Raises:
        InvalidInput: the field is of a type that no column has.
    """
    if annotation in _DTYPES:
        return _DTYPES[annotation]
    args = get_args(annotation)
    kinds = {type(arg) for arg in args} if get_origin(annotation) is Literal else set(args)
    kinds -= {type(None)}
    if len(kinds) != 1:
        raise InvalidInput(f"a field of Request has the type {annotation}, want one of {[t.__name__ for t in _DTYPES]}")
    return _dtype(kinds.pop())
