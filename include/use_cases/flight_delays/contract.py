"""What a row of flights, weather and planes must be to enter silver.

Landed columns are found by name; one with `derived` in its metadata does not land, it is computed from
the others. Bounds are wide enough for any real day and narrow enough for a slipped digit: the wind of 1,048 mph at
Newark on 2013-02-12 is out, the squall of 67 mph on 2013-07-23 is in.

Deliberate choices about this source:
- Times of day are `hhmm` numbers; midnight at the end of a day is 2400 (29 departures, 150 arrivals).
- A cancelled flight has neither departure nor arrival, a diverted one may have an arrival but no `arr_delay`. Both are
  facts, not defects. Early is a negative delay.
- `tailnum` may be missing. If it is there, it is a mark of the US register (`N...`).
- `year`, `month` and `day` are the day in New York, and so is `event_date`. `time_hour` is UTC; when clocks go back the
  local hour 1 comes twice, so UTC identifies an observation, the local hour does not.
"""

from datetime import date, timedelta
from typing import Annotated

import narwhals as nw
import pandera.polars as pa
import polars as pl
from pandera.api.polars.types import PolarsData

UTC = Annotated[pl.Datetime, "us", "UTC"]
AIRPORTS = ("EWR", "JFK", "LGA")
TIME_ZONE = "America/New_York"
TAIL_NUMBER = r"^N[0-9A-Z]{2,5}$"


def _rows(data: PolarsData, passes: nw.Expr) -> pl.LazyFrame:
    return nw.from_native(data.lazyframe).select(passes).to_native()


def _minutes(column: str) -> nw.Expr:
    """Minutes after midnight of an `hhmm` column."""
    return nw.col(column) // 100 * 60 + nw.col(column) % 100


def _is_difference(data: PolarsData, *, delay: str, actual: str, scheduled: str) -> pl.LazyFrame:
    return _rows(data, (_minutes(actual) - _minutes(scheduled) - nw.col(delay)) % 1440 == 0)


class NewYork(pa.DataFrameModel):
    """Rows that tell their day and hour in New York, and the hour in UTC too."""

    @pa.dataframe_check(error="year, month and day are the file's day")
    @classmethod
    def _day(cls, data: PolarsData) -> pl.LazyFrame:
        day = nw.col("event_date")
        same = (nw.col("year") == day.dt.year()) & (nw.col("month") == day.dt.month()) & (nw.col("day") == day.dt.day())
        return _rows(data, same)

    @pa.dataframe_check(error="time_hour is the day and hour in New York")
    @classmethod
    def _hour(cls, data: PolarsData) -> pl.LazyFrame:
        local = nw.col("time_hour").dt.convert_time_zone(TIME_ZONE)
        whole = nw.col("time_hour").dt.truncate("1h") == nw.col("time_hour")
        return _rows(data, whole & (local.dt.hour() == nw.col("hour")) & (local.dt.date() == nw.col("event_date")))


class Flights(NewYork):
    """One scheduled departure."""

    year: int = pa.Field(in_range={"min_value": 1987, "max_value": 2100})
    month: int = pa.Field(in_range={"min_value": 1, "max_value": 12})
    day: int = pa.Field(in_range={"min_value": 1, "max_value": 31})
    dep_time: int = pa.Field(nullable=True, in_range={"min_value": 0, "max_value": 2400})
    sched_dep_time: int = pa.Field(in_range={"min_value": 0, "max_value": 2400})
    dep_delay: int = pa.Field(nullable=True, in_range={"min_value": -180, "max_value": 2880})
    arr_time: int = pa.Field(nullable=True, in_range={"min_value": 0, "max_value": 2400})
    sched_arr_time: int = pa.Field(in_range={"min_value": 0, "max_value": 2400})
    arr_delay: int = pa.Field(nullable=True, in_range={"min_value": -240, "max_value": 2880})
    carrier: str = pa.Field(str_matches=r"^[0-9A-Z]{2}$")
    flight: int = pa.Field(in_range={"min_value": 1, "max_value": 9999})
    tailnum: str = pa.Field(nullable=True, str_matches=TAIL_NUMBER)
    origin: str = pa.Field(isin=AIRPORTS)
    dest: str = pa.Field(str_matches=r"^[A-Z]{3}$")
    air_time: int = pa.Field(nullable=True, in_range={"min_value": 5, "max_value": 1200})
    distance: int = pa.Field(in_range={"min_value": 10, "max_value": 10_000})
    hour: int = pa.Field(in_range={"min_value": 0, "max_value": 23})
    minute: int = pa.Field(in_range={"min_value": 0, "max_value": 59})
    time_hour: UTC
    sched_dep: UTC = pa.Field(
        metadata={"derived": lambda: nw.col("time_hour") + nw.col("minute") * nw.lit(timedelta(minutes=1))},
    )
    event_date: date

    @pa.dataframe_check(error="sched_dep_time is hour and minute")
    @classmethod
    def _scheduled(cls, data: PolarsData) -> pl.LazyFrame:
        return _rows(data, nw.col("sched_dep_time") == nw.col("hour") * 100 + nw.col("minute"))

    @pa.dataframe_check(error="dep_time and dep_delay are both there or both missing")
    @classmethod
    def _departed(cls, data: PolarsData) -> pl.LazyFrame:
        return _rows(data, nw.col("dep_time").is_null() == nw.col("dep_delay").is_null())

    @pa.dataframe_check(error="only a flight that departed and arrived has arr_delay")
    @classmethod
    def _arrived(cls, data: PolarsData) -> pl.LazyFrame:
        times = ~nw.any_horizontal(nw.col("dep_time", "arr_time", "air_time").is_null(), ignore_nulls=False)
        return _rows(data, times | nw.col("arr_delay").is_null())

    @pa.dataframe_check(error="dep_delay is dep_time minus sched_dep_time")
    @classmethod
    def _departure_delay(cls, data: PolarsData) -> pl.LazyFrame:
        return _is_difference(data, delay="dep_delay", actual="dep_time", scheduled="sched_dep_time")

    @pa.dataframe_check(error="arr_delay is arr_time minus sched_arr_time")
    @classmethod
    def _arrival_delay(cls, data: PolarsData) -> pl.LazyFrame:
        return _is_difference(data, delay="arr_delay", actual="arr_time", scheduled="sched_arr_time")

    class Config:
        """A carrier uses a flight number once a day from one airport."""

        unique = ("event_date", "carrier", "flight", "origin")


class Weather(NewYork):
    """One hourly observation at an airport: degrees F, percent, mph, inches, millibars, miles."""

    origin: str = pa.Field(isin=AIRPORTS)
    year: int = pa.Field(in_range={"min_value": 1987, "max_value": 2100})
    month: int = pa.Field(in_range={"min_value": 1, "max_value": 12})
    day: int = pa.Field(in_range={"min_value": 1, "max_value": 31})
    hour: int = pa.Field(in_range={"min_value": 0, "max_value": 23})
    temp: float = pa.Field(nullable=True, in_range={"min_value": -40, "max_value": 130})
    dewp: float = pa.Field(nullable=True, in_range={"min_value": -60, "max_value": 95})
    humid: float = pa.Field(nullable=True, in_range={"min_value": 0, "max_value": 100})
    wind_dir: int = pa.Field(nullable=True, in_range={"min_value": 0, "max_value": 360})
    wind_speed: float = pa.Field(nullable=True, in_range={"min_value": 0, "max_value": 150})
    wind_gust: float = pa.Field(nullable=True, in_range={"min_value": 0, "max_value": 200})
    precip: float = pa.Field(in_range={"min_value": 0, "max_value": 12})
    pressure: float = pa.Field(nullable=True, in_range={"min_value": 870, "max_value": 1085})
    visib: float = pa.Field(in_range={"min_value": 0, "max_value": 100})
    time_hour: UTC
    event_date: date

    class Config:
        """One observation an hour and airport."""

        unique = ("event_date", "origin", "time_hour")


class Planes(pa.DataFrameModel):
    """One aircraft of the FAA's register, as of the snapshot's day."""

    tailnum: str = pa.Field(str_matches=TAIL_NUMBER)
    year: int = pa.Field(nullable=True, in_range={"min_value": 1920, "max_value": 2100})
    type: str = pa.Field(str_length={"min_value": 1, "max_value": 100})
    manufacturer: str = pa.Field(str_length={"min_value": 1, "max_value": 100})
    model: str = pa.Field(str_length={"min_value": 1, "max_value": 100})
    engines: int = pa.Field(in_range={"min_value": 1, "max_value": 12})
    seats: int = pa.Field(in_range={"min_value": 1, "max_value": 1000})
    speed: int = pa.Field(nullable=True, in_range={"min_value": 1, "max_value": 2000})
    engine: str = pa.Field(str_length={"min_value": 1, "max_value": 100})
    event_date: date

    class Config:
        """A mark stands once in a snapshot."""

        unique = ("event_date", "tailnum")
