"""From records to answers, by the use case's own code and the pinned model."""

import logging
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal, get_args, get_origin

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import AwareDatetime, BaseModel

from include.foundation.artifact import Scorer
from include.foundation.errors import InvalidInput
from include.foundation.history.join import columns
from include.foundation.http.refusal import Refusal
from include.foundation.problem import problem
from include.foundation.spec import FeaturesModule
from include.services.serving.expression import InexactError
from include.services.serving.few import FEW, Matrix, compile_features
from include.services.serving.metrics import Metrics

log = logging.getLogger(__name__)
EPOCH, MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
LookUp = Callable[[Sequence[int], Mapping[str, Sequence[Any]]], list[list[Any]]]
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
        fields: the answer as its problem kind gives it, JSON-able with NumPy's numbers.
        answer: the model's, a float32 or float32 [classes].
        features: the encoded features that it was made of, float32 [k].
        event_time: the moment the record asks about, UTC.
        known_at: of the newest history that was used, UTC; None if there is none.
        ages: view -> seconds from when its history was known to the moment that is asked about; None if it is missing.
    """

    fields: Mapping[str, Any]
    answer: Any
    features: NDArray[np.float32]
    event_time: datetime
    known_at: datetime | None
    ages: Mapping[str, float | None]


class Predictor:
    """Answers records and feature matrices. Safe to use from several threads.

    Args:
        features: the use case's module of that name.
        encode: a frame with the features to the model's input (`artifact.scoring.encoded`).
        scorer: the model.
        read: joins history to requests: a frame with `event_time` and the columns of `Request` to the same rows with
            the views' values.
        look_up: the same for a few requests, without a frame: their `event_time` (microseconds since 1970) and their
            keys to the joined values, as polars stores them; None leaves them to `read`.
        metrics: of the process.

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
        look_up: LookUp | None = None,
    ) -> None:
        self.metadata, self.kind = scorer.metadata, problem(scorer.metadata.problem)
        computed = tuple(features.FEATURES)
        if self.metadata.features != computed:
            raise InvalidInput(f"the model is of the features {self.metadata.features}, the code computes {computed}")
        self.request_type: type[BaseModel] = features.Request
        self._schema = {name: _dtype(field.annotation) for name, field in self.request_type.model_fields.items()}
        self._schema["event_time"] = _MOMENT
        self._views = tuple(features.VIEWS)
        schema = pl.Schema({**self._schema, **columns(features.VIEWS)})
        names = schema.names()
        self._known = {view: names.index(f"{view}__known_at") for view in self._views}
        self._keys = tuple(dict.fromkeys(key for view in features.VIEWS.values() for key in view.keys))
        compiled = compile_features(features, encode, self.metadata, schema) if look_up else None
        self._few = (look_up, compiled) if look_up and compiled else None
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
            matrix, known_at = self._matrix(requests, event_times)
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException, ArithmeticError, ValueError) as error:
            # Where, but not the error's own words: they may repeat the record.
            where = traceback.format_tb(error.__traceback__)
            log.warning("features cannot be computed: %s", type(error).__name__, extra={"fields": {"traceback": where}})
            raise Refusal(422, f"features cannot be computed of this record ({type(error).__name__})") from error
        answers = self.score(matrix)
        shown = self.kind.fields(answers, self.metadata.classes)
        return [
            Prediction(
                fields=fields,
                answer=answer,
                features=features,
                event_time=event_time,
                known_at=max((at for at in known if at), default=None),
                ages={
                    view: (event_time - at).total_seconds() if at else None
                    for view, at in zip(self._views, known, strict=True)
                },
            )
            for fields, answer, features, event_time, known in zip(
                shown, answers, matrix, event_times, known_at, strict=True
            )
        ]

    def _matrix(
        self, requests: Sequence[BaseModel], event_times: Sequence[datetime]
    ) -> tuple[NDArray[np.float32], list[list[datetime | None]]]:
        """Encoded features, and of each request the moments from which its views' history was known."""
        rows = [{**vars(request), "event_time": at} for request, at in zip(requests, event_times, strict=True)]
        if self._few and len(rows) <= FEW:
            try:
                return self._few_rows(rows, *self._few)
            except InexactError:
                pass
        asked = pl.DataFrame(rows, schema=self._schema)
        with self._metrics.online_seconds.time():
            joined = self._read(asked)
        matrix = self._encode(self._features.features(joined))
        known = [joined[f"{view}__known_at"].to_list() for view in self._views]
        return matrix, [[moments[row] for moments in known] for row in range(len(rows))]

    def _few_rows(
        self, rows: Sequence[Mapping[str, Any]], look_up: LookUp, matrix: Matrix
    ) -> tuple[NDArray[np.float32], list[list[datetime | None]]]:
        stored = [[_stored(row[name]) for name in self._schema] for row in rows]
        place = list(self._schema).index("event_time")
        keys = {name: [row[name] for row in rows] for name in self._keys}
        with self._metrics.online_seconds.time():
            found = look_up([row[place] for row in stored], keys)
        joined = [[*own, *history] for own, history in zip(stored, found, strict=True)]
        known = [[_moment(row[column]) for column in self._known.values()] for row in joined]
        return matrix(joined), known

    def _check_moments(self, request: BaseModel) -> None:
        """Without an offset a moment would be another one on every clock."""
        for name, dtype in self._schema.items():
            value = getattr(request, name) if dtype == _MOMENT else None
            if value is not None and value.tzinfo is None:
                raise Refusal.at(422, name, "must have an offset from UTC, such as Z or +01:00")

    def score(self, matrix: NDArray[np.float32]) -> NDArray[np.float32]:
        """Answers, float32 [n] or [n, classes], of encoded rows, float32 [n, features]."""
        return self._scorer.score(matrix)

    def count(self, matrix: NDArray[np.float32], answers: NDArray[np.float32]) -> None:
        """Note in the metrics what somebody was answered; whether the process is ready is asked by nobody."""
        for name, missing in zip(self.metadata.features, np.isnan(matrix).sum(axis=0).tolist(), strict=True):
            if missing:
                self._metrics.missing.labels(name).inc(missing)
        for value in self.kind.observed(answers):
            self._metrics.scores.observe(value)

    def encode_columns(self, columns: Mapping[str, Sequence[str | None] | NDArray[np.float32]]) -> NDArray[np.float32]:
        """Encoded rows, float32 [n, features], of features that are not encoded yet: feature -> n values."""
        frame = pl.DataFrame(
            {name: columns[name] for name in self.metadata.features},
            schema_overrides=dict.fromkeys(self.metadata.categories, pl.String),
        )
        return self._encode(frame)


def _stored(value: Any) -> Any:
    """A field's value as polars stores it."""
    return (value - EPOCH) // MICROSECOND if isinstance(value, datetime) else value


def _moment(stored: int | None) -> datetime | None:
    return None if stored is None else EPOCH + stored * MICROSECOND


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
