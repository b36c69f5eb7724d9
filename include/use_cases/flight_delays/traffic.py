"""How busy and how late an airport, an airline or a route is: counts and sums of its flights of the last hours."""

from datetime import timedelta

import polars as pl

LATE = 15  # minutes
LAG = timedelta(hours=24)
OVERDUE = timedelta(hours=3)  # a flight that has not left by then no longer counts as waiting
WINDOWS = {"1h": timedelta(hours=1), "3h": timedelta(hours=3)}

_DEPARTED = ("left", "left_delay", "left_late")
_ARRIVED = ("landed", "landed_delay", "landed_late", "landed_gain")
VALUES = dict.fromkeys(
    [
        *(f"{name}_{window}" for name in _DEPARTED for window in WINDOWS),
        *(f"{name}_3h" for name in _ARRIVED),
        "waiting",
        "waiting_since",
    ],
    pl.Int64,
)


def in_time(flights: pl.DataFrame, moment: str, lag: timedelta = LAG) -> pl.DataFrame:
    """Flights of which the departure or arrival was known at most `lag` after the scheduled departure."""
    return flights.filter(pl.col(moment) - pl.col("sched_dep") <= lag)


def history(flights: pl.DataFrame, keys: tuple[str, ...]) -> pl.DataFrame:
    """Departures, arrivals and waiting flights of `keys`, as a step function of time.

    Columns: `left_<window>`, `landed_3h` are counts, `..._late` of these more than `LATE` minutes, `..._delay` sums of
    minutes (clipped, so that one stray does not drown the rest), `landed_gain` sum of minutes lost since departure.
    `waiting`: flights past their scheduled departure that have not left; `waiting_since`: sum of their scheduled
    departures in minutes since 1970, so that `waiting * now - waiting_since` is the sum of their waits.
    """
    dep_delay, arr_delay = pl.col("dep_delay"), pl.col("arr_delay")
    departed = {"left": pl.lit(1), "left_delay": dep_delay.clip(-15, 180), "left_late": dep_delay > LATE}
    arrived = {
        "landed": pl.lit(1),
        "landed_delay": arr_delay.clip(-30, 180),
        "landed_late": arr_delay > LATE,
        "landed_gain": (arr_delay - dep_delay).clip(-60, 120),
    }
    since = pl.col("sched_dep").dt.epoch("s") // 60
    given_up = pl.col("sched_dep") + OVERDUE
    steps = [
        flights.select(*keys, known_at="sched_dep", waiting=1, waiting_since=since),
        flights.select(
            *keys,
            known_at=pl.min_horizontal("departed", given_up),
            waiting=-1,
            waiting_since=-since,
        ),
    ]
    for moment, values, windows in (
        ("departed", departed, WINDOWS),
        ("arrived", arrived, {"3h": WINDOWS["3h"]}),
    ):
        facts = in_time(flights, moment).select(
            *keys, known_at=moment, **{n: v.cast(pl.Int64) for n, v in values.items()}
        )
        for window, length in windows.items():
            enters = facts.rename({name: f"{name}_{window}" for name in values})
            names = [f"{name}_{window}" for name in values]
            steps += [enters, enters.with_columns(pl.col("known_at") + length, -pl.col(names))]
    sums = list(VALUES)
    return (
        pl.concat(steps, how="diagonal_relaxed")
        .group_by(*keys, "known_at")
        .agg(pl.col(sums).sum())
        .sort("known_at")
        .with_columns(pl.col(sums).cum_sum().over(keys))
    )


def _mean(view: str, total: str, count: str) -> pl.Expr:
    number = pl.col(f"{view}__{count}")
    return pl.col(f"{view}__{total}") / pl.when(number > 0).then(number)


def features(view: str) -> dict[str, pl.Expr]:
    """Counts, means and waiting minutes of a joined view, by feature."""
    now = pl.col("event_time").dt.epoch("s") // 60
    found: dict[str, pl.Expr] = {}
    for window in WINDOWS:
        found[f"left_{window}"] = pl.col(f"{view}__left_{window}")
        for name in _DEPARTED[1:]:
            found[f"{name}_{window}"] = _mean(view, f"{name}_{window}", f"left_{window}")
    found["landed_3h"] = pl.col(f"{view}__landed_3h")
    for name in _ARRIVED[1:]:
        found[f"{name}_3h"] = _mean(view, f"{name}_3h", "landed_3h")
    found["waiting"] = pl.col(f"{view}__waiting")
    found["waiting_minutes"] = pl.col(f"{view}__waiting") * now - pl.col(f"{view}__waiting_since")
    return {f"{view}_{name}": value for name, value in found.items()}
