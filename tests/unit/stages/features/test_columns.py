"""Which columns of silver gold is made of: of `flight_delays`, as its code is known to read them."""

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from include.foundation.lake import tables
from include.foundation.lake.commit import replace_days
from include.foundation.spec import load, module
from include.stages.features import columns
from include.use_cases.flight_delays.features import FEATURES

LAST = date(2013, 4, 3)
SPEC = load("flight_delays")


@pytest.fixture(scope="module")
def silver():
    """Three days of three airports: a flight each half hour, an aircraft flies every few hours."""
    flights = []
    for number in range(3 * 40):
        day, slot = divmod(number, 40)
        at = datetime(2013, 4, 1, 10, tzinfo=UTC) + timedelta(days=day, minutes=22 * slot)
        local = at - timedelta(hours=4)
        minutes, late, gain = 60 + number % 7 * 20, number * 7 % 50 - 10, number % 9 - 4
        arrives = (local.hour * 60 + local.minute + minutes) % 1440
        flights.append(
            {
                "event_date": local.date(),
                "sched_dep": at,
                "time_hour": at.replace(minute=0),
                "minute": local.minute,
                "carrier": ("UA", "AA")[number // 3 % 2],
                "flight": 1 + slot,
                "tailnum": f"N{number % 5}AA",
                "origin": ("EWR", "JFK", "LGA")[number % 3],
                "dest": ("BOS", "ATL", "ORD", "MIA")[number % 4],
                "distance": 100 + number,
                "sched_arr_time": arrives // 60 * 100 + arrives % 60,
                "dep_delay": late,
                "arr_delay": late + gain,
                "air_time": 40 + number,
            }
        )
    hours = [datetime(2013, 4, 1, 4, tzinfo=UTC) + timedelta(hours=n) for n in range(72)]
    weather = [
        {
            "event_date": (hour - timedelta(hours=4)).date(),
            "time_hour": hour,
            "origin": origin,
            "wind_dir": (n + more) % 36 * 10,
            **{name: float((n + more) % 17) for name in ("temp", "dewp", "humid", "wind_speed", "wind_gust", "precip")},
            **{name: float((n + more) % 13) for name in ("pressure", "visib")},
        }
        for n, hour in enumerate(hours)
        for more, origin in enumerate(("EWR", "JFK", "LGA"))
    ]
    planes = [
        {
            "event_date": date(2013, 4, 1),
            "tailnum": f"N{n}AA",
            "year": 1990 + n,
            "seats": 100 + n,
            "manufacturer": f"M{n}",
        }
        for n in range(5)
    ]
    for n, plane in enumerate(planes):
        plane["engine"] = f"E{n}"
    return {name: pl.DataFrame(rows) for name, rows in (("flights", flights), ("weather", weather), ("planes", planes))}


@pytest.fixture(scope="module")
def traced(silver):
    return columns.trace(module("flight_delays", "features"), silver)


def features(traced, source, column):
    return {name for name in traced[source].get(column, ()) if name in FEATURES}


def test_a_column_of_weather_or_of_the_register_is_one_feature(traced):
    for name in ("temp", "wind_dir", "visib"):
        assert traced["weather"][name] == [f"weather_{name}"]
    assert traced["planes"]["manufacturer"] == ["aircraft_manufacturer"]
    assert traced["planes"]["year"] == ["aircraft_age"]


def test_keys_count_for_all_that_is_found_by_them(traced):
    found = {name for name in FEATURES if name.startswith("weather_")}
    assert features(traced, "weather", "origin") == found == features(traced, "weather", "time_hour")
    assert found < features(traced, "flights", "origin")
    assert "aircraft_age" in features(traced, "flights", "tailnum") & features(traced, "planes", "tailnum")
    assert "arrival_delay" in features(traced, "flights", "tailnum")
    assert features(traced, "flights", "distance") == {"distance"}


def test_what_happened_feeds_histories_and_not_the_timetable(traced):
    arrived = features(traced, "flights", "arr_delay")
    assert {"arrival_delay", "arrival_since", "airport_landed_3h", "number_delay"} <= arrived
    assert not arrived & {"distance", "hour", "carrier", "departure_delay", "weather_temp"}
    assert {"departure_delay", "airport_left_delay_3h", "route_waiting"} <= features(traced, "flights", "dep_delay")
    assert {"label", "label_known_at"} <= {*traced["flights"]["arr_delay"]}


def test_the_time_of_the_request_counts_for_all(traced):
    moved = features(traced, "flights", "sched_dep")
    assert {"hour", "weekday", "aircraft_age", "weather_temp", "airport_left_1h", "clock_minutes"} <= moved
    assert not moved & {"carrier", "origin", "flight", "distance"}


def test_what_is_not_read_is_not_there(traced):
    assert not {"air_time", "minute", "event_date"} & {*traced["flights"]}
    assert "engine" not in traced["planes"]
    assert features(traced, "flights", "time_hour") == {"scheduled_this_hour"}


def test_rows_that_the_code_refuses_and_constant_columns_do_not_stop_it():
    rows = pl.DataFrame({"event_date": [LAST] * 3, "scan": ["a", "b", "c"], "image": ["P2 8 8 16" + " 0" * 64] * 3})
    at = pl.lit(datetime(2013, 4, 3, tzinfo=UTC)).cast(pl.Datetime("us", "UTC"))
    silver = {"scans": rows.with_columns(scanned_at=at, digit=pl.Series([1, 2, 3]), keyed_at=at)}
    found = columns.trace(module("digits", "features"), silver)["scans"]
    assert {"pixel_00", "pixel_77", "image"} <= {*found["image"]}, "all white"
    assert found["digit"] == ["label"]


def test_it_is_kept_beside_gold_and_counts_for_the_code_that_was_asked(silver, folder_lake, monkeypatch):
    assert columns.known(folder_lake, SPEC) == {} == columns.look(folder_lake, SPEC), "there is nothing yet"
    for source, rows in silver.items():
        replace_days(folder_lake, SPEC.table("silver", source), rows, rows["event_date"].unique(), {})
    gold = pl.DataFrame({"event_date": [LAST], "id": ["a"]})
    replace_days(folder_lake, SPEC.gold, gold, [LAST], {})
    before = tables.current_snapshot_id(folder_lake, SPEC.gold)
    with monkeypatch.context() as once:
        seen = {"flights": {"origin": ["origin", "weather_temp"]}, "weather": {"temp": ["weather_temp"]}}
        once.setattr(columns, "trace", lambda _, frames: seen if frames.keys() == silver.keys() else {})
        found = columns.look(folder_lake, SPEC)
    made = {"origin": (("flights", "origin"),), "weather_temp": (("flights", "origin"), ("weather", "temp"))}
    assert found == made == columns.known(folder_lake, SPEC)
    assert tables.current_snapshot_id(folder_lake, SPEC.gold) == before, "no row has changed"
    with monkeypatch.context() as again:
        again.setattr(columns, "trace", lambda *_: pytest.fail("looked twice"))
        assert columns.look(folder_lake, SPEC) == found
    monkeypatch.setattr(columns, "_code", lambda _: "other code")
    assert columns.known(folder_lake, SPEC) == {}
