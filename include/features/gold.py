"""Gold rows from silver frames: requests, the history that each could know, features and labels. Pure."""

from collections.abc import Mapping
from datetime import date
from types import ModuleType

import polars as pl

from include.errors import InvalidInput
from include.history.join import EVENT_TIME, KNOWN_AT, as_of, conform
from include.lake.tables import DAY


def join_history(features: ModuleType, silver: Mapping[str, pl.DataFrame], first: date, last: date) -> pl.DataFrame:
    """The requests of `first` to `last`, each with the history that it could know.

    Args:
        features: the use case's module of that name.
        silver: source -> rows of these days and as many before as history reaches back.
        first: first day.
        last: last day, inclusive.

    Raises:
        InvalidInput: a view's frame does not conform to the view, or two requests have one id.
    """
    requests = features.requests(silver).filter(pl.col(DAY).is_between(first, last))
    if requests["id"].is_duplicated().any():
        raise InvalidInput(f"two requests have the id {requests.filter(pl.col('id').is_duplicated())['id'][0]}")
    history = features.history(silver)
    views = features.VIEWS
    return as_of(requests, {name: conform(history[name], name=name, view=views[name]) for name in views}, views)


def to_gold(features: ModuleType, silver: Mapping[str, pl.DataFrame], joined: pl.DataFrame) -> pl.DataFrame:
    """Gold rows of joined requests, in the order of `event_time` and `id`.

    Returns:
        `id`, `event_date`, `event_time`, `known_at` (of the newest history used), the request's columns, the features,
        `label`, `label_known_at`.

    Raises:
        InvalidInput: `features` gave other columns, types or rows than it says.
    """
    computed = features.features(joined)
    if dict(computed.schema) != dict(features.FEATURES) or computed.height != joined.height:
        raise InvalidInput(
            f"features() must give {joined.height} rows of FEATURES; it gave {computed.height} of {computed.schema}"
        )
    asked = [name for name in features.Request.model_fields if name not in computed.columns]
    known = [pl.col(f"{view}__{KNOWN_AT}") for view in features.VIEWS]
    return (
        joined.select("id", DAY, EVENT_TIME, pl.max_horizontal(known).alias(KNOWN_AT), *asked)
        .hstack(computed)
        .join(features.labels(silver), on="id", how="left", validate="1:1")
        .sort(EVENT_TIME, "id")
    )
