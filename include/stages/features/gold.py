"""Gold rows from silver frames: requests, the history that each could know, features and labels. Pure."""

from collections.abc import Collection, Mapping
from datetime import date

import polars as pl
from polars._typing import PolarsDataType

from include.foundation.errors import InvalidInput
from include.foundation.history.join import EVENT_TIME, KNOWN_AT, UTC, as_of, conform
from include.foundation.lake.layout import DAY
from include.foundation.spec import FeaturesModule
from include.foundation.spec.modules import RESERVED


def join_history(features: FeaturesModule, silver: Mapping[str, pl.DataFrame], first: date, last: date) -> pl.DataFrame:
    """The requests of `first` to `last`, each with the history that it could know.

    Args:
        features: the use case's module of that name.
        silver: source -> rows of these days and as many before as history reaches back.
        first: first day.
        last: last day, inclusive.

    Raises:
        InvalidInput: requests or a view's frame are not what they must be, or two requests have one id.
    """
    if taken := {*features.Request.model_fields, *features.FEATURES} & {*RESERVED}:
        raise InvalidInput(f"{', '.join(sorted(taken))}: a name of gold's own; call the request's or feature's another")
    requests = features.requests(silver)
    types: dict[str, PolarsDataType] = {"id": pl.String, DAY: pl.Date, EVENT_TIME: UTC}
    _check(requests, f"{features.__name__}.requests()", types, also=features.Request.model_fields, filled=types)
    requests = requests.filter(pl.col(DAY).is_between(first, last))
    if requests["id"].is_duplicated().any():
        raise InvalidInput(f"two requests have the id {requests.filter(pl.col('id').is_duplicated())['id'][0]}")
    history, views = features.history(silver), features.VIEWS
    if missing := {*views} - {*history}:
        raise InvalidInput(f"history() gives no frame for the views {sorted(missing)}")
    return as_of(requests, {name: conform(history[name], name=name, view=views[name]) for name in views}, views)


def to_gold(features: FeaturesModule, silver: Mapping[str, pl.DataFrame], joined: pl.DataFrame) -> pl.DataFrame:
    """Gold rows of joined requests, in the order of `event_time` and `id`.

    Returns:
        `id`, `event_date`, `event_time`, `known_at` (of the newest history used), the request's columns, the features,
        `label`, `label_known_at`.

    Raises:
        InvalidInput: `features` gave other columns, types or rows than it says, or labels are not what they must be.
    """
    computed = features.features(joined)
    _check(computed, f"{features.__name__}.features()", features.FEATURES)
    if len(computed.columns) > len(features.FEATURES) or computed.height != joined.height:
        raise InvalidInput(
            f"features() must give {joined.height} rows of FEATURES; it gave {computed.height} of {computed.columns}"
        )
    labels = features.labels(silver)
    _check(
        labels, f"{features.__name__}.labels()", {"id": pl.String, "label_known_at": UTC}, also=["label"], filled=["id"]
    )
    if labels["id"].is_duplicated().any():
        raise InvalidInput(f"labels(): two have the id {labels.filter(pl.col('id').is_duplicated())['id'][0]}")
    if (odd := labels.filter(pl.col("label").is_null() != pl.col("label_known_at").is_null())).height:
        raise InvalidInput(f"labels(): label and label_known_at must be there or missing together: {odd.row(0)}")
    asked = [name for name in features.Request.model_fields if name not in computed.columns]
    known = [pl.lit(None, UTC), *(pl.col(f"{view}__{KNOWN_AT}") for view in features.VIEWS)]
    return (
        joined.select("id", DAY, EVENT_TIME, pl.max_horizontal(known).alias(KNOWN_AT), *asked)
        .hstack(computed)
        .join(labels, on="id", how="left", validate="1:1")
        .sort(EVENT_TIME, "id")
    )


def _check(
    frame: pl.DataFrame,
    giver: str,
    types: Mapping[str, PolarsDataType],
    *,
    also: Collection[str] = (),
    filled: Collection[str] = (),
) -> None:
    """Raise InvalidInput if the frame lacks a column, one has another type, or a `filled` one is null."""
    have = frame.schema
    wrong = [
        f"{name} is {have.get(name, 'missing')}, not {dtype}"
        for name, dtype in types.items()
        if have.get(name) != dtype
    ]
    wrong += [f"{name} is missing" for name in also if name not in have]
    if not wrong:
        wrong = [
            f"{name} is null in {nulls} of {frame.height} rows"
            for name in filled
            if (nulls := frame[name].null_count())
        ]
    if wrong:
        raise InvalidInput(f"{giver}: {'; '.join(wrong)}")
