"""The leak check: features are computed again on silver as it was known at some moments, and must not differ.

It fails closed: what cannot be compared counts as a leak.
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta

import polars as pl

from include.foundation.errors import LeakFound
from include.foundation.history.join import EVENT_TIME, KNOWN_AT
from include.foundation.lake.layout import DAY
from include.foundation.spec import FeaturesModule, UseCase, View
from include.stages.features.gold import join_history, to_gold

SAMPLES = 4


def check(
    features: FeaturesModule,
    spec: UseCase,
    *,
    silver: Mapping[str, pl.DataFrame],
    joined: pl.DataFrame,
    gold: pl.DataFrame,
    samples: int = SAMPLES,
) -> None:
    """Look for leaks in computed rows.

    Args:
        features: the use case's module of that name.
        spec: the use case.
        silver: source -> the rows that gold was computed from.
        joined: the requests with their history.
        gold: their gold rows.
        samples: at how many of the rows' event times to compute again.

    Raises:
        LeakFound: a row uses what was not known when it was asked.
    """
    if gold.is_empty():
        return
    check_known_at(joined, features.VIEWS)
    times = gold.select(EVENT_TIME, DAY).sort(EVENT_TIME)
    for row in {(2 * n + 1) * times.height // (2 * samples) for n in range(samples)}:
        at, day = times.row(row)
        check_at(features, spec, silver=silver, gold=gold, at=at, day=day)


def check_known_at(joined: pl.DataFrame, views: Mapping[str, View]) -> None:
    """No history may be newer than the request that sees it, nor older than its view allows.

    Raises:
        LeakFound: some is.
    """
    for name, view in views.items():
        age = pl.col(EVENT_TIME) - pl.col(f"{name}__{KNOWN_AT}")
        wrong = joined.filter(~age.is_between(timedelta(0), view.max_age))
        if wrong.height:
            raise LeakFound(
                f"view {name}: {wrong.height} of {joined.height} requests see history from after they were asked or "
                f"older than {view.max_age}; the first is {wrong['id'][0]}"
            )


def check_at(
    features: FeaturesModule,
    spec: UseCase,
    *,
    silver: Mapping[str, pl.DataFrame],
    gold: pl.DataFrame,
    at: datetime,
    day: date,
) -> None:
    """Compute the day's rows up to `at` from what was known at `at`, and compare them with gold.

    Raises:
        LeakFound: a row differs or is missing, or the mask lets a label through that was not known.
    """
    lookback = timedelta(days=spec.features.lookback_days)
    ahead = max(lookback, timedelta(days=spec.features.label_days))
    daily = pl.col(DAY).is_between(day - lookback, day + ahead)
    near = {source.name: silver[source.name].filter(daily | (source.every == "snapshot")) for source in spec.sources}
    known = features.mask(near, at)
    moment = f"as known at {at:%Y-%m-%d %H:%M} UTC"

    later = features.labels(near).filter(pl.col("label_known_at") > at)
    shown = features.labels(known).drop_nulls("label").join(later, on="id", how="semi")
    if shown.height:
        raise LeakFound(
            f"mask() of silver {moment} shows {shown.height} labels of later; the first is {shown['id'][0]}"
        )

    def until(rows: pl.DataFrame) -> pl.DataFrame:
        return rows.filter(pl.col(EVENT_TIME) <= at, pl.col(DAY) == day).drop("label", "label_known_at")

    def asked(frames: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
        return until(to_gold(features, frames, join_history(features, frames, day, day)))

    expected, found = until(gold), asked(known)
    if not expected["id"].equals(found["id"]):
        raise LeakFound(f"the requests of {day} are others when computed from silver {moment}")
    differ = [name for name in expected.columns if not expected[name].equals(found[name])]
    if differ:
        rows = pl.any_horizontal(expected[name].ne_missing(found[name]) for name in differ)
        first = expected.filter(rows)
        unmasked = asked(near)
        if not all(expected[name].equals(unmasked[name]) for name in differ):
            # Nothing was hidden from these, and still: the days around are not enough.
            moment = f"of {day - lookback} to {day + ahead} alone: they use more than features.lookback_days allow"
        raise LeakFound(
            f"{', '.join(differ)}: {first.height} of {expected.height} requests of {day} have other values when "
            f"computed from silver {moment}; the first is {first['id'][0]}"
        )
