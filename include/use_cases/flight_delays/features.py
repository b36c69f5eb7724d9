"""Features of `flight_delays`: what is known at a flight's scheduled departure, and nothing later.

Every fact enters as a row of a view when it became known. Clocks show whole minutes, so a departure or an arrival
counts from the minute after it, and a departure never before it was scheduled: a flight cannot see its own, and no fact
is known before its own day. A row of weather is made of its hour's observations up to minute 51, so it is known when
the hour is over. The schedule is known in advance.

Counts and sums over the last hours are integers that step when a fact enters or leaves a window, so a state is the same
whatever range of days it was computed from; means are formed only in `features`. A fact that became known more than
`LAG` after its scheduled departure is dropped. So what a request sees depends on flights of the `LAG`, the longest
window and `MAX_AGE` before it, 39 hours (`number`: 42): within `lookback_days`.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

import polars as pl
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from include.foundation.spec import View
from include.use_cases.flight_delays import traffic
from include.use_cases.flight_delays.airports import ZONE_OF
from include.use_cases.flight_delays.traffic import LAG, LATE, in_time

NEW_YORK = "America/New_York"
MAX_AGE = timedelta(hours=12)
MINUTE = timedelta(minutes=1)

_WEATHER = ("temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib")

VIEWS = {
    "weather": View(keys=("origin",), max_age=timedelta(hours=6), values=dict.fromkeys(_WEATHER, pl.Float64)),
    "register": View(
        keys=("tailnum",),
        max_age=timedelta(days=3650),
        values={"year": pl.Int64, "seats": pl.Int64, "manufacturer": pl.String},
    ),
    "schedule": View(keys=("origin",), max_age=timedelta(minutes=59), values={"flights": pl.Int64}),
    "airport": View(keys=("origin",), max_age=MAX_AGE, values=traffic.VALUES),
    "airline": View(keys=("carrier", "origin"), max_age=MAX_AGE, values=traffic.VALUES),
    "route": View(keys=("dest",), max_age=MAX_AGE, values=traffic.VALUES),
    "departure": View(keys=("tailnum",), max_age=MAX_AGE, values={"delay": pl.Int64, "planned": pl.Int64}),
    "arrival": View(keys=("tailnum",), max_age=MAX_AGE, values={"delay": pl.Int64}),
    "number": View(keys=("carrier", "flight", "dest"), max_age=timedelta(hours=30), values={"delay": pl.Int64}),
}


class Request(BaseModel):
    """What a caller sends: a flight as it stands in the timetable."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "carrier": "UA",
                    "flight": 1545,
                    "tailnum": "N14228",
                    "origin": "EWR",
                    "dest": "IAH",
                    "sched_dep": "2013-01-01T05:15:00-05:00",
                    "sched_arr": 499,
                    "distance": 1400,
                }
            ]
        },
    )

    carrier: Annotated[str, Field(pattern=r"^[0-9A-Z]{2}$", description="IATA code of the airline")]
    flight: Annotated[int, Field(ge=1, le=9999, description="flight number")]
    tailnum: Annotated[str | None, Field(pattern=r"^N[0-9A-Z]{2,5}$", description="mark of the aircraft")] = None
    origin: Literal["EWR", "JFK", "LGA"]
    dest: Annotated[str, Field(pattern=r"^[A-Z]{3}$", description="IATA code of the airport")]
    sched_dep: Annotated[
        AwareDatetime,
        Field(
            ge=datetime(1987, 1, 1, tzinfo=UTC),
            lt=datetime(2101, 1, 1, tzinfo=UTC),
            description="scheduled departure, with its offset from UTC",
        ),
    ]
    sched_arr: Annotated[
        int, Field(ge=0, lt=1440, description="scheduled arrival, minutes after midnight on the destination's clock")
    ]
    distance: Annotated[int, Field(ge=10, le=10_000, description="miles")]

    @property
    def event_time(self) -> datetime:
        """The prediction is asked for at the scheduled departure."""
        return self.sched_dep


def requests(silver: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """One row a scheduled flight: `id`, `event_date` (the day in New York), `event_time` and `Request`'s columns."""
    return silver["flights"].select(
        pl.format("{}{}-{}-{}", "carrier", "flight", "origin", pl.col("sched_dep").dt.strftime("%Y%m%dT%H%MZ")).alias(
            "id"
        ),
        pl.col("event_date"),
        pl.col("sched_dep").alias("event_time"),
        *("carrier", "flight", "tailnum", "origin", "dest", "sched_dep"),
        _minutes("sched_arr_time").alias("sched_arr"),
        pl.col("distance"),
    )


def labels(silver: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """`id`, `label` (arrived more than `LATE` minutes late; null if it never did), `label_known_at`."""
    known = pl.col("arr_delay").is_not_null()
    return _flights(silver).select(
        "id", label=pl.col("arr_delay") > LATE, label_known_at=pl.when(known).then("arrived")
    )


def mask(silver: Mapping[str, pl.DataFrame], at: datetime) -> dict[str, pl.DataFrame]:
    """Silver as it was known at `at`: later departures and arrivals have not happened, later rows do not exist."""
    later = {
        **dict.fromkeys(("dep_time", "dep_delay"), pl.col("departed") > at),
        **dict.fromkeys(("arr_time", "arr_delay", "air_time"), pl.col("arrived") > at),
    }
    flights = _flights(silver).with_columns(
        pl.when(unknown.fill_null(True)).then(None).otherwise(name).name.keep() for name, unknown in later.items()
    )
    return {
        "flights": flights.select(silver["flights"].columns),
        "weather": silver["weather"].filter(_observed() <= at),
        "planes": silver["planes"].filter(_registered() <= at),
    }


def history(silver: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """All views: their keys, `known_at` and values."""
    flights = _flights(silver)
    frames = {
        "weather": silver["weather"].with_columns(known_at=_observed()),
        "register": silver["planes"].with_columns(known_at=_registered()),
        "schedule": flights.group_by("origin", known_at="time_hour").agg(flights=pl.len()),
        **{view: traffic.history(flights, VIEWS[view].keys) for view in ("airport", "airline", "route")},
        "departure": _last(flights, "departed", keys=VIEWS["departure"].keys, delay="dep_delay"),
        "arrival": _last(flights, "arrived", keys=VIEWS["arrival"].keys, delay="arr_delay"),
        "number": _last(flights, "arrived", keys=VIEWS["number"].keys, delay="arr_delay", lag=LAG / 2),
    }
    return {
        name: frames[name].select(*view.keys, "known_at", *(pl.col(n).cast(t) for n, t in view.values.items()))
        for name, view in VIEWS.items()
    }


def features(joined: pl.DataFrame) -> pl.DataFrame:
    """`FEATURES` of joined rows, row for row."""
    return joined.select(_FEATURES)


def _minutes(column: str) -> pl.Expr:
    """Minutes after midnight of an `hhmm` column (2400 is midnight)."""
    return (pl.col(column) // 100 * 60 + pl.col(column) % 100) % 1440


def _planned() -> pl.Expr:
    """Minutes from scheduled departure to scheduled arrival; null for a destination whose clock is not known."""
    zone = pl.col("dest").replace_strict(ZONE_OF, default=None, return_dtype=pl.String)
    leaves = pl.coalesce(
        pl.when(zone == name).then(_clock(pl.col("sched_dep").dt.convert_time_zone(name)))
        for name in sorted(set(ZONE_OF.values()))
    )
    return (pl.col("sched_arr") - leaves) % 1440


def _clock(local: pl.Expr) -> pl.Expr:
    return local.dt.hour().cast(pl.Int64) * 60 + local.dt.minute()


def _observed() -> pl.Expr:
    return pl.col("time_hour") + timedelta(hours=1)


def _registered() -> pl.Expr:
    return pl.col("event_date").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")


def _flights(silver: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Flights with `id`, `planned` (minutes) and the moments from which departure and arrival are known.

    A flight to a place whose clock is not known counts as arrived `LAG` and its delay after it left: too late, never
    too early. Nor is an arrival known before the departure, whatever the clocks say.
    """
    sched = pl.col("sched_dep")
    planned = pl.col("planned").fill_null(LAG // MINUTE)
    departed = sched + pl.duration(minutes=pl.col("dep_delay").clip(lower_bound=0) + 1)
    arrived = sched + pl.duration(minutes=planned + pl.col("arr_delay") + 1)
    flights = silver["flights"].with_columns(sched_arr=_minutes("sched_arr_time"))
    return flights.with_columns(requests(silver)["id"], planned=_planned()).with_columns(
        departed=departed, arrived=pl.when(arrived.is_not_null()).then(pl.max_horizontal(arrived, departed))
    )


def _last(
    flights: pl.DataFrame, moment: str, *, keys: tuple[str, ...], delay: str, lag: timedelta = LAG
) -> pl.DataFrame:
    """Departures or arrivals of `keys` one by one; of several in one minute, the one scheduled last."""
    return (
        in_time(flights, moment, lag)
        .drop_nulls(keys)
        .sort(moment, "sched_dep", "id")
        .unique([*keys, moment], keep="last", maintain_order=True)
        .select(*keys, "planned", known_at=moment, delay=delay)
    )


def _since(view: str) -> pl.Expr:
    return (pl.col("event_time") - pl.col(f"{view}__known_at")).dt.total_minutes()


_LOCAL = pl.col("event_time").dt.convert_time_zone(NEW_YORK)
_COLUMNS: dict[str, pl.Expr] = {
    "carrier": pl.col("carrier"),
    "origin": pl.col("origin"),
    "flight": pl.col("flight"),
    "hour": _LOCAL.dt.hour().cast(pl.Int64),
    "minute_of_day": _clock(_LOCAL),
    "weekday": _LOCAL.dt.weekday().cast(pl.Int64),
    "distance": pl.col("distance"),
    # As two clocks show it: where the other clock stands is dear to look up for one row, and distance tells as much.
    "clock_minutes": (pl.col("sched_arr") - _clock(_LOCAL)) % 1440,
    **{f"weather_{name}": pl.col(f"weather__{name}") for name in _WEATHER},
    "aircraft_age": _LOCAL.dt.year().cast(pl.Int64) - pl.col("register__year"),
    "aircraft_seats": pl.col("register__seats"),
    "aircraft_manufacturer": pl.col("register__manufacturer"),
    "scheduled_this_hour": pl.col("schedule__flights"),
    **{name: value for view in ("airport", "airline", "route") for name, value in traffic.features(view).items()},
    "departure_delay": pl.col("departure__delay"),
    "departure_since": _since("departure"),
    "departure_slack": _since("departure") - 2 * pl.col("departure__planned"),
    "arrival_delay": pl.col("arrival__delay"),
    "arrival_since": _since("arrival"),
    "number_delay": pl.col("number__delay"),
}

_JOINED = {
    "event_time": pl.Datetime("us", "UTC"),
    **dict.fromkeys(("carrier", "origin", "dest"), pl.String),
    **dict.fromkeys(("flight", "sched_arr", "distance"), pl.Int64),
    "sched_dep": pl.Datetime("us", "UTC"),
    **{f"{view}__known_at": pl.Datetime("us", "UTC") for view in VIEWS},
    **{f"{name}__{value}": dtype for name, view in VIEWS.items() for value, dtype in view.values.items()},
}
_FEATURES = [value.alias(name) for name, value in _COLUMNS.items()]
FEATURES = dict(features(pl.DataFrame(schema=_JOINED)).schema)
