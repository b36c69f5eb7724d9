from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from pydantic import ValidationError

from include.foundation.history import join
from include.use_cases.flight_delays import features as flight_delays
from include.use_cases.flight_delays.airports import ZONE_OF
from include.use_cases.flight_delays.features import FEATURES, VIEWS, Request

DAY = date(2013, 4, 1)  # New York is four hours behind UTC
NEW_YORK = ZoneInfo("America/New_York")
INTEGER = ("sched_dep_time", "dep_time", "dep_delay", "sched_arr_time", "arr_time", "arr_delay", "air_time")
FLIGHTS = {
    "event_date": pl.Date,
    "sched_dep": join.UTC,
    "time_hour": join.UTC,
    **dict.fromkeys(("carrier", "tailnum", "origin", "dest"), pl.String),
    **dict.fromkeys(("flight", "distance", *INTEGER), pl.Int64),
}
WEATHER = {
    "event_date": pl.Date,
    "time_hour": join.UTC,
    "origin": pl.String,
    **dict.fromkeys(("temp", "dewp", "humid", "wind_speed", "wind_gust", "precip", "pressure", "visib"), pl.Float64),
    "wind_dir": pl.Int64,
}
PLANES = {
    "event_date": pl.Date,
    "tailnum": pl.String,
    "year": pl.Int64,
    "seats": pl.Int64,
    "manufacturer": pl.String,
    "engine": pl.String,
}


def _clock(moment):
    return moment.hour * 100 + moment.minute


def _flight(at, *, late=None, gain=0, minutes=120, **changes):
    """A flight at New York's `(hour, minute[, day of April])`; `late` None is cancelled, `gain` None is diverted."""
    hour, minute, day = (*at, 1)[:3]
    leaves = datetime(2013, 4, day, hour, minute, tzinfo=NEW_YORK)
    row = {"carrier": "UA", "flight": 1, "tailnum": "N1AA", "origin": "EWR", "dest": "BOS", "distance": 200} | changes
    zone = ZoneInfo(ZONE_OF.get(row["dest"], "America/New_York"))
    arrives = (leaves + timedelta(minutes=minutes)).astimezone(zone)
    departed = late is not None
    arrived = departed and gain is not None
    return {
        "event_date": leaves.date(),
        "sched_dep": leaves.astimezone(UTC),
        "time_hour": leaves.astimezone(UTC).replace(minute=0),
        "sched_dep_time": _clock(leaves),
        "sched_arr_time": _clock(arrives),
        "dep_time": _clock(leaves + timedelta(minutes=late)) if departed else None,
        "dep_delay": late,
        "arr_time": _clock(arrives + timedelta(minutes=late + gain)) if arrived else None,
        "arr_delay": late + gain if arrived else None,
        "air_time": minutes - 30 if arrived else None,
        **row,
    }


def _silver(*flights, weather=(), planes=()):
    return {
        "flights": pl.DataFrame(list(flights), FLIGHTS),
        "weather": pl.DataFrame(list(weather), WEATHER),
        "planes": pl.DataFrame(list(planes), PLANES),
    }


def _history(silver):
    found = flight_delays.history(silver)
    return {name: join.conform(found[name], name=name, view=view) for name, view in VIEWS.items()}


def _joined(silver):
    return join.as_of(flight_delays.requests(silver), _history(silver), VIEWS)


def _computed(silver):
    return flight_delays.features(_joined(silver))


def _utc(hour, minute, day=1):
    return datetime(2013, 4, day, hour, minute, tzinfo=NEW_YORK).astimezone(UTC)


@pytest.mark.parametrize("late", [-9, 0, 1])
def test_a_flight_does_not_see_its_own_departure_even_if_it_left_early(late):
    row = _joined(_silver(_flight((10, 0), late=late))).row(0, named=True)
    assert row["departure__known_at"] is None
    assert (row["airport__left_1h"], row["airport__waiting"]) == (0, 1)


def test_an_aircraft_s_last_departure_and_arrival_are_known_a_minute_after_they_happened():
    silver = _silver(
        _flight((8, 0), late=20, gain=-5, minutes=60),
        _flight((8, 20), flight=2),
        _flight((8, 21), flight=3),
        _flight((9, 15), flight=4),
        _flight((9, 16), flight=5),
        _flight((9, 16), flight=6, tailnum=None),
        _flight((22, 0), flight=7),
    )
    seen = _computed(silver).select("departure_delay", "departure_since", "departure_slack", "arrival_delay").rows()
    assert seen == [
        (None, None, None, None),
        (None, None, None, None),
        (20, 0, -120, None),
        (20, 54, -66, None),
        (20, 55, -65, 15),
        (None, None, None, None),
        (None, None, None, None),  # too long ago
    ]


def test_departures_count_while_they_are_in_the_window():
    left = [_flight((8, 0), late=0), _flight((8, 30), late=40, flight=2), _flight((8, 30), late=500, flight=3)]
    asked = [_flight(at, flight=9, origin=origin) for at, origin in (((9, 0), "EWR"), ((9, 1), "EWR"), ((9, 1), "JFK"))]
    later = [_flight(at, flight=10) for at in ((9, 11), (10, 11), (12, 11))]
    rows = _computed(_silver(*left, *asked, *later))[3:]
    names = ("left_1h", "left_delay_1h", "left_late_1h", "left_3h", "left_delay_3h")
    assert rows.select(f"airport_{name}" for name in names).rows() == [
        (1, 0.0, 0.0, 1, 0.0),
        (0, None, None, 1, 0.0),
        (0, None, None, 0, None),
        (1, 40.0, 1.0, 2, 20.0),
        (0, None, None, 2, 20.0),
        (0, None, None, 0, None),
    ]


def test_flights_wait_until_they_leave_or_are_given_up():
    late = [_flight((8, 0), late=30), _flight((8, 10), flight=2), _flight((8, 20), late=-5, flight=3)]
    asked = [_flight(at, flight=9, late=0) for at in ((8, 20), (8, 30), (8, 31), (11, 9), (11, 10))]
    rows = _computed(_silver(*late, *asked))[3:].select("airport_waiting", "airport_waiting_minutes").rows()
    # Itself waits too; at 8:20 also the one that is about to leave.
    assert rows == [(4, 30), (3, 50), (2, 21), (2, 179), (1, 0)]


def test_arrivals_are_known_by_the_clock_of_their_destination():
    # UA 1545 on the first of January: due in Houston at 8:19, arrived at 8:30 on its clock, 14:30 UTC.
    midnight = datetime(2013, 1, 1, 5, tzinfo=UTC)
    real = _flight((5, 15), late=2, gain=9, minutes=244, dest="IAH", flight=1545) | {
        "event_date": date(2013, 1, 1),
        "sched_dep": midnight + timedelta(hours=5, minutes=15),
        "time_hour": midnight + timedelta(hours=5),
        "sched_arr_time": 819,
    }
    assert flight_delays.history(_silver(real))["arrival"].row(0, named=True) == {
        "tailnum": "N1AA",
        "known_at": datetime(2013, 1, 1, 14, 31, tzinfo=UTC),
        "delay": 11,
    }


@pytest.mark.parametrize("dest", sorted({zone: airport for airport, zone in ZONE_OF.items()}.values()))
@pytest.mark.parametrize("hour", [0, 12, 23])
def test_planned_minutes_do_not_depend_on_clocks(dest, hour):
    silver = _silver(_flight((hour, 5), minutes=345, dest=dest, late=0))
    assert flight_delays.history(silver)["departure"]["planned"].to_list() == [345]


def test_an_arrival_at_an_unknown_place_is_never_known_too_early():
    silver = _silver(_flight((8, 0), late=30, minutes=120, dest="XXX"))
    assert flight_delays.history(silver)["departure"]["planned"].to_list() == [None]
    assert flight_delays.history(silver)["arrival"].is_empty()
    assert flight_delays.labels(silver)["label_known_at"][0] > _utc(10, 30)


def test_a_flight_that_lands_before_it_leaves_does_not_see_its_own_outcome():
    # It satisfies the contract: due in Boston at 6:19 and there at 3:00 is 199 minutes early.
    odd = _flight((5, 17), late=0, minutes=62) | {"arr_time": 300, "arr_delay": -199, "air_time": 32}
    row = _joined(_silver(odd)).row(0, named=True)
    assert [row[f"{view}__known_at"] for view in ("departure", "arrival", "number")] == [None] * 3
    assert row["airport__landed_3h"] == 0
    assert flight_delays.labels(_silver(odd)).row(0)[1:] == (False, _utc(5, 18))


def test_facts_that_come_a_day_late_are_dropped():
    silver = _silver(_flight((8, 0), late=1438), _flight((8, 0), late=1440, flight=2, tailnum="N2AA"))
    assert _history(silver)["departure"]["tailnum"].to_list() == ["N1AA"]


def test_labels():
    silver = _silver(
        _flight((8, 0), late=15),
        _flight((8, 0), late=16, flight=2),
        _flight((8, 0), flight=3),
        _flight((8, 0), late=99, gain=None, flight=4),
    )
    assert flight_delays.labels(silver).rows() == [
        ("UA1-EWR-20130401T1200Z", False, _utc(10, 16)),
        ("UA2-EWR-20130401T1200Z", True, _utc(10, 17)),
        ("UA3-EWR-20130401T1200Z", None, None),
        ("UA4-EWR-20130401T1200Z", None, None),
    ]


def test_weather_is_known_when_its_hour_is_over():
    hours = [
        {"event_date": DAY, "origin": "EWR", "time_hour": _utc(h, 0), "temp": t} for h, t in ((8, 40.0), (9, 50.0))
    ]
    hours[1]["wind_dir"] = 270
    asked = [_flight(at) for at in ((8, 59), (9, 0), (9, 59), (10, 0), (17, 0))]
    rows = _computed(_silver(*asked, weather=hours))
    assert rows["weather_temp"].to_list() == [None, 40.0, 40.0, 50.0, None]
    assert rows["weather_wind_dir"].to_list() == [None, None, None, 270.0, None]


def test_the_schedule_of_the_hour_is_known_and_no_other():
    asked = [_flight(at, flight=n) for n, at in enumerate(((8, 0), (8, 59), (9, 0), (8, 30)), 1)]
    assert _computed(_silver(*asked))["scheduled_this_hour"].to_list() == [3, 3, 1, 3]


def test_the_register_holds_from_its_snapshot_on():
    planes = [{"event_date": DAY, "tailnum": "N1AA", "year": 2003, "seats": 55, "manufacturer": "EMBRAER"}]
    rows = _computed(_silver(_flight((23, 0, 2)), _flight((23, 0, 2), tailnum="N2AA", flight=2), planes=planes))
    assert rows.select("aircraft_age", "aircraft_seats", "aircraft_manufacturer").rows() == [
        (10, 55, "EMBRAER"),
        (None, None, None),
    ]


def test_the_same_flight_of_yesterday():
    flights = [_flight((8, 0), late=50), _flight((8, 0, 2), late=7), _flight((8, 0, 3), dest="MIA", tailnum="N9ZZ")]
    rows = _computed(_silver(*flights))
    assert rows["number_delay"].to_list() == [None, 50, None]


def test_midnight_is_2400_or_0():
    silver = _silver(_flight((22, 0), minutes=120), _flight((22, 0), flight=2) | {"sched_arr_time": 2400})
    assert flight_delays.requests(silver)["sched_arr"].to_list() == [0, 0]


clocks = st.tuples(st.integers(0, 23), st.sampled_from([0, 5, 30, 59]), st.integers(1, 4))
flights = st.lists(
    st.builds(
        _flight,
        clocks,
        late=st.none() | st.integers(-20, 300) | st.integers(1300, 1500),
        gain=st.none() | st.integers(-400, 60),
        minutes=st.integers(40, 400),
        carrier=st.sampled_from(["UA", "B6"]),
        tailnum=st.sampled_from(["N1AA", "N2AA", None]),
        origin=st.sampled_from(["EWR", "JFK"]),
        dest=st.sampled_from(["BOS", "LAX", "HNL", "XXX"]),
        flight=st.integers(1, 5),
    ),
    min_size=1,
    max_size=25,
    unique_by=lambda f: (f["event_date"], f["carrier"], f["flight"], f["origin"]),
)


@settings(max_examples=60, deadline=None)
@given(flights=flights, at=clocks)
def test_what_was_known_does_not_depend_on_what_happened_later(flights, at):
    hour, minute, day = at
    moment = _utc(hour, minute, day)
    silver = _silver(*flights)
    known = flight_delays.mask(silver, moment)
    before, after = _history(known), _history(silver)
    for name in VIEWS:
        rows = pl.col("known_at") <= moment
        by = [*VIEWS[name].keys, "known_at"]
        assert_frame_equal(before[name].filter(rows).sort(by), after[name].filter(rows).sort(by), check_exact=True)
    assert flight_delays.requests(known).equals(flight_delays.requests(silver))
    assert flight_delays.labels(known).drop_nulls("label").filter(pl.col("label_known_at") > moment).is_empty()


@settings(max_examples=40, deadline=None)
@given(flights=flights, day=st.integers(1, 4))
def test_features_of_a_day_need_the_lookback_and_nothing_else(flights, day):
    whole = _silver(*flights)
    wanted = pl.col("event_date") == date(2013, 4, day)
    near = pl.col("event_date").is_between(date(2013, 4, day) - timedelta(days=2), date(2013, 4, day))
    part = {name: frame.filter(near) for name, frame in whole.items()}
    expected = _computed(whole).filter(flight_delays.requests(whole).select(wanted).to_series())
    found = _computed(part).filter(flight_delays.requests(part).select(wanted).to_series())
    assert_frame_equal(found, expected, check_exact=True)


@settings(max_examples=20, deadline=None)
@given(flights=flights)
def test_a_row_s_features_do_not_depend_on_its_neighbours(flights):
    joined = _joined(_silver(*flights))
    together = flight_delays.features(joined)
    alone = pl.concat([flight_delays.features(joined[row]) for row in range(joined.height)])
    assert_frame_equal(alone, together, check_exact=True)


def test_features_are_what_they_say():
    rows = _computed(_silver(_flight((8, 0), late=5), _flight((9, 0))))
    assert rows.schema == pl.Schema(FEATURES)
    assert not rows.select(pl.col(pl.Float64).is_nan().any()).row(0).count(True)


def test_a_request_of_gold_is_a_request_of_a_caller():
    silver = _silver(_flight((8, 0), late=5, dest="LAX"), _flight((8, 0), flight=2, tailnum=None))
    asked = flight_delays.requests(silver)
    for row in asked.to_dicts():
        request = Request.model_validate({name: row[name] for name in Request.model_fields})
        assert request.event_time == row["event_time"]
        assert Request.model_validate_json(request.model_dump_json()) == request


def test_the_example_is_a_request():
    Request.model_validate(Request.model_config["json_schema_extra"]["examples"][0])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("carrier", "United"),
        ("flight", 0),
        ("flight", "1545x"),
        ("tailnum", "D-ABCD"),
        ("origin", "BOS"),
        ("dest", "bos"),
        ("sched_dep", "2013-01-01T05:15:00"),  # without an offset
        ("sched_dep", "0001-01-01T00:00:00Z"),
        ("sched_arr", 1440),
        ("distance", -1),
        ("dep_delay", 5),
    ],
)
def test_a_faulty_request_names_its_field(field, value):
    example = Request.model_config["json_schema_extra"]["examples"][0]
    with pytest.raises(ValidationError) as caught:
        Request.model_validate(example | {field: value})
    assert [error["loc"] for error in caught.value.errors()] == [(field,)]
