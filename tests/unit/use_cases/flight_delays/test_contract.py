from datetime import UTC, date, datetime

import polars as pl
import pytest

from include.foundation.spec import load
from include.stages.quality import Contract, Verdict, judge
from include.use_cases.flight_delays.contract import Flights, Planes, Weather

CONTRACTS = {"flights": Contract.of(Flights), "weather": Contract.of(Weather), "planes": Contract.of(Planes)}
FLIGHT = {
    "year": "2013", "month": "1", "day": "1", "dep_time": "517", "sched_dep_time": "515", "dep_delay": "2",
    "arr_time": "830", "sched_arr_time": "819", "arr_delay": "11", "carrier": "UA", "flight": "1545",
    "tailnum": "N14228", "origin": "EWR", "dest": "IAH", "air_time": "227", "distance": "1400", "hour": "5",
    "minute": "15", "time_hour": "2013-01-01T10:00:00Z",
}  # fmt: skip
HOUR = {
    "origin": "EWR", "year": "2013", "month": "2", "day": "12", "hour": "3", "temp": "39.02", "dewp": "26.96",
    "humid": "61.63", "wind_dir": "260", "wind_speed": "10.5", "wind_gust": "NA", "precip": "0",
    "pressure": "1008.3", "visib": "10", "time_hour": "2013-02-12T08:00:00Z",
}  # fmt: skip
PLANE = {
    "tailnum": "N10156", "year": "2004", "type": "Fixed wing multi engine", "manufacturer": "EMBRAER",
    "model": "EMB-145XR", "engines": "2", "seats": "55", "speed": "NA", "engine": "Turbo-fan",
}  # fmt: skip
GONE = {"dep_time": "NA", "dep_delay": "NA", "arr_time": "NA", "arr_delay": "NA", "air_time": "NA"}


def verdict(source: str, *rows: dict[str, str], day: date = date(2013, 1, 1)) -> Verdict:
    frame = pl.DataFrame(rows, schema=dict.fromkeys(CONTRACTS[source].landed, pl.String))
    nulls = load("flight_delays").source(source).null_values
    return judge(CONTRACTS[source], frame.with_columns(event_date=pl.lit(day)), null_values=nulls)


def reasons(source: str, row: dict[str, str], day: date = date(2013, 1, 1)) -> list[str]:
    return verdict(source, row, day=day).failed["reasons"].explode().to_list()


def test_a_flight_is_typed_and_its_scheduled_departure_is_utc() -> None:
    (row,) = verdict("flights", FLIGHT).passed.rows(named=True)
    assert (row["dep_delay"], row["tailnum"]) == (2, "N14228")
    assert row["sched_dep"] == datetime(2013, 1, 1, 10, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    "change",
    [
        GONE,
        {**GONE, "tailnum": "NA"},
        {"arr_delay": "NA", "air_time": "NA"},
        {"arr_time": "NA", "arr_delay": "NA", "air_time": "NA"},
        {"dep_time": "2400", "dep_delay": "1125"},
        {"dep_time": "510", "dep_delay": "-5"},
        {"arr_time": "2400", "arr_delay": "941"},
    ],
    ids=[
        "cancelled",
        "no tail number",
        "diverted",
        "diverted, not landed",
        "midnight",
        "early",
        "arrives at midnight",
    ],
)
def test_known_oddities(change: dict[str, str]) -> None:
    assert reasons("flights", {**FLIGHT, **change}) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"day": "2"}, "year, month and day are the file's day"),
        ({"hour": "6", "sched_dep_time": "615"}, "time_hour is the day and hour in New York"),
        ({"time_hour": "2013-01-02T10:00:00Z"}, "time_hour is the day and hour in New York"),
        ({"time_hour": "2013-01-01T10:30:00Z"}, "time_hour is the day and hour in New York"),
        ({"time_hour": "2013-01-01T10:00:37Z"}, "time_hour is the day and hour in New York"),
        ({"minute": "16"}, "sched_dep_time is hour and minute"),
        ({"dep_delay": "NA"}, "dep_time and dep_delay are both there or both missing"),
        ({"dep_delay": "3"}, "dep_delay is dep_time minus sched_dep_time"),
        ({"arr_delay": "12"}, "arr_delay is arr_time minus sched_arr_time"),
        ({"air_time": "NA"}, "only a flight that departed and arrived has arr_delay"),
        ({"tailnum": "D942DN"}, "tailnum: str_matches('^N[0-9A-Z]{2,5}$'): 'D942DN'"),
        ({"origin": "BOS"}, "origin: isin(('EWR', 'JFK', 'LGA')): 'BOS'"),
        ({"dep_time": "5:17"}, "dep_time: not an integer: '5:17'"),
        ({"time_hour": "2013-01-01 10:00"}, "time_hour: not a timestamp: '2013-01-01 10:00'"),
    ],
)
def test_defects_of_flights(change: dict[str, str], told: str) -> None:
    assert told in reasons("flights", {**FLIGHT, **change})


def test_a_flight_stands_once_a_day() -> None:
    found = verdict("flights", FLIGHT, {**FLIGHT, "tailnum": "N14229"}, {**FLIGHT, "origin": "JFK"})
    assert (found.passed.height, found.failed.height) == (1, 2)
    found = verdict("flights", FLIGHT, FLIGHT, {**FLIGHT, "origin": "JFK"})
    assert (found.passed.height, found.counts) == (2, {"repeats an earlier row": 1})


def test_rows_of_another_day_take_no_good_row_along() -> None:
    found = verdict("flights", FLIGHT, {**FLIGHT, "day": "2", "time_hour": "2013-01-02T10:00:00Z"})
    assert (found.passed.height, found.counts["year, month and day are the file's day"]) == (1, 1)


def test_clocks_going_back_repeat_an_hour_and_going_forward_skip_one() -> None:
    day = date(2013, 11, 3)
    hour = {**HOUR, "month": "11", "day": "3", "hour": "1"}
    twice = verdict(
        "weather", {**hour, "time_hour": "2013-11-03T05:00:00Z"}, {**hour, "time_hour": "2013-11-03T06:00:00Z"}, day=day
    )
    assert twice.failed.is_empty()
    day = date(2013, 3, 10)
    assert (
        reasons("weather", {**HOUR, "month": "3", "day": "10", "hour": "3", "time_hour": "2013-03-10T07:00:00Z"}, day)
        == []
    )


def test_the_wind_at_newark_is_no_wind() -> None:
    day = date(2013, 2, 12)
    assert reasons("weather", HOUR, day) == []
    assert reasons("weather", {**HOUR, "wind_speed": "NA", "wind_dir": "NA", "pressure": "NA"}, day) == []
    told = ["wind_speed: in_range(0, 150): '1048.36058'"]
    assert reasons("weather", {**HOUR, "wind_speed": "1048.36058"}, day) == told


def test_planes() -> None:
    assert reasons("planes", PLANE) == []
    assert reasons("planes", {**PLANE, "seats": "0"}) == ["seats: in_range(1, 1000): '0'"]
