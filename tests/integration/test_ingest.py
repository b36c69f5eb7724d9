"""Ingest against a real S3 and a real catalog."""

import dataclasses
import gzip
import io
import os
import subprocess
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from itertools import product
from pathlib import Path
from types import SimpleNamespace

import pandera.polars as pandera
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from include.foundation.errors import (
    BudgetExceeded,
    InvalidInput,
    MissingInput,
    PermanentError,
    RetryableError,
    UnusualDay,
)
from include.foundation.lake import Lake, tables
from include.foundation.lake.commit import TableWriter, replace_days
from include.foundation.lake.commit_log import RUN_KEY
from include.foundation.spec import UseCase, load, module
from include.foundation.spec.quality import Daily, Levels
from include.foundation.spec.sources import JsonLines, Parquet
from include.stages.ingest import contracts, landing, rows
from include.stages.ingest import replay as replaying
from include.stages.ingest.plan import Plan
from include.stages.ingest.publish import LAYERS, Stage, check, publish
from include.stages.ingest.reconcile import reconcile
from include.stages.ingest.run import run

pytestmark = pytest.mark.integration

REPO = Path(__file__).parents[2]
HEADER = "origin,year,month,day,hour,temp,dewp,humid,wind_dir,wind_speed,wind_gust,precip,pressure,visib,time_hour"
D = [date(2013, 2, 11) + timedelta(days=n) for n in range(4)]
SPEC = load("flight_delays")
WEATHER = SPEC.model_copy(update={"sources": (SPEC.source("weather"),)})


def line(day: date, hour: int, wind: object = 5.0) -> str:
    local, utc = f"{day.year},{day.month},{day.day},{hour}", f"{day}T{hour + 5:02}:00:00Z"
    return f"EWR,{local},39.02,26.96,61.63,260,{wind},NA,0,1008.3,10,{utc}"


def land(lake: Lake, day: date, *lines: str) -> str:
    uri = landing.uri(lake.landing, SPEC.name, "weather", day)
    lake.objects().put(uri, "\n".join([HEADER, *lines, ""]).encode())
    return uri


def state(lake: Lake, spec: UseCase = WEATHER) -> dict[str, list[tuple[object, ...]]]:
    """All rows of all tables. `run_id` is left out: it names the run that wrote a row last."""
    rows = {}
    for source in spec.sources:
        for layer in ("bronze", "quarantine", "silver"):
            frame = tables.read(lake, spec.table(layer, source.name))
            rows[f"{layer}.{source.name}"] = frame.drop("run_id", strict=False).rows()
    return rows


def commits(lake: Lake, spec: UseCase = WEATHER) -> dict[str, int]:
    counts = {}
    for source in spec.sources:
        for layer in ("bronze", "quarantine", "silver"):
            name = spec.table(layer, source.name)
            known = lake.catalog().table_exists(name)
            counts[layer] = len(tables.load(lake, name).snapshots()) if known else 0
    return counts


@pytest.fixture
def weather(new_lake: Callable[[], Lake]) -> Lake:
    lake = new_lake()
    for day in D[:3]:
        land(lake, day, *(line(day, hour) for hour in range(10)))
    return lake


def test_real_days_with_their_real_defect(new_lake: Callable[[], Lake]) -> None:
    lake = new_lake()
    environ = {**os.environ, **lake.env()}
    command = [".venv/sandbox/bin/python", "-m", "sandbox.demo.landing", "--from", "2013-02-11", "--to", "2013-02-13"]
    for word in ("3 files landed, 0 were there", "0 files landed, 3 were there"):
        done = subprocess.run(command, cwd=REPO, env=environ, check=True, capture_output=True, text=True)
        assert f"flights: {word}" in done.stdout
        assert f"weather: {word}" in done.stdout

    report = run(lake, SPEC, D[:3], run_id="first")
    assert {each.source: (each.landed, each.silver, each.quarantined) for each in report.sources} == {
        "flights": (2740, 2739, 1),
        "weather": (216, 215, 1),
        "planes": (3322, 3322, 0),
    }
    (bad,) = tables.read(lake, "quarantine.flight_delays__weather").rows(named=True)
    assert (bad["origin"], bad["hour"], bad["wind_speed"]) == ("EWR", "3", "1048.36058")
    assert bad["reasons"] == ["wind_speed: in_range(0, 150): '1048.36058'"]
    assert bad["source_uri"] == landing.uri(lake.landing, SPEC.name, "weather", D[1])
    landed = lake.objects().get(bad["source_uri"]).splitlines()
    assert b",1048.36058," in landed[bad["source_position"] - 1]
    assert bad["run_id"] == "first"

    silver = tables.read(lake, "silver.flight_delays__weather")
    assert silver["wind_speed"].max() < 60
    flights = tables.read(lake, "silver.flight_delays__flights")
    assert flights.filter(pl.col("dep_time").is_null())["dep_delay"].null_count() > 0
    assert (flights["sched_dep"] - flights["time_hour"]).dt.total_minutes().equals(flights["minute"], check_names=False)
    bronze = tables.read(lake, "bronze.flight_delays__flights", start=D[0], end=D[0])
    header, *lines = lake.objects().get(landing.uri(lake.landing, SPEC.name, "flights", D[0])).decode().splitlines()
    assert [",".join(row) for row in bronze.select(header.split(",")).rows()] == lines
    assert bronze["source_position"].to_list() == list(range(2, len(lines) + 2))


def test_the_same_call_again_commits_nothing_and_tells_the_same(weather: Lake) -> None:
    first = run(weather, WEATHER, D[:3], run_id="r")
    again = run(weather, WEATHER, D[:3], run_id="r")
    assert commits(weather) == {"bronze": 1, "quarantine": 1, "silver": 1}
    assert again.sources[0].seconds == 0
    assert again.sources[0].model_dump(exclude={"seconds"}) == first.sources[0].model_dump(exclude={"seconds"})


def test_another_run_replaces_what_it_finds(weather: Lake) -> None:
    run(weather, WEATHER, D[:3], run_id="r1")
    before = state(weather)
    run(weather, WEATHER, D[1:2], run_id="r2")
    assert state(weather) == before
    land(weather, D[1], line(D[1], 0, wind=7.5))
    run(weather, WEATHER, D[:3], run_id="r1")
    silver = tables.read(weather, WEATHER.table("silver", "weather"))
    assert silver.filter(event_date=D[1])["wind_speed"].to_list() == [7.5]
    assert silver.height == 21


def test_a_commit_says_what_it_was_made_from(weather: Lake) -> None:
    (published,) = run(weather, WEATHER, D[:3], run_id="r").sources
    told = {
        layer: tables.snapshot_summary(weather, WEATHER.table(layer, "weather"), snapshot)
        for layer, snapshot in published.snapshots.items()
    }
    assert len({each[RUN_KEY] for each in told.values()}) == 1
    assert told["silver"]["bronze_snapshot"] == str(published.snapshots["bronze"])
    assert told["silver"]["quarantine_snapshot"] == str(published.snapshots["quarantine"])
    assert told["quarantine"]["bronze_snapshot"] == str(published.snapshots["bronze"])
    assert told["silver"]["run_id"] == "r"
    assert told["silver"]["days"] == "2013-02-11..2013-02-13"


class Crash(BaseException):
    """A killed process: nothing catches it."""


@pytest.mark.parametrize("survived", [0, 1, 2, 3])
def test_the_rerun_finishes_what_a_crash_cut_short(
    weather: Lake, monkeypatch: pytest.MonkeyPatch, new_lake: Callable[[], Lake], survived: int
) -> None:
    land(weather, D[0], *(line(D[0], hour, wind=5 if hour else 999) for hour in range(15)))
    commit, done = TableWriter.commit, []

    def crash(self: TableWriter, *arguments: object, **named: object) -> int:
        if len(done) == survived:
            raise Crash
        done.append(commit(self, *arguments, **named))
        return done[-1]

    with monkeypatch.context() as patch, pytest.raises(Crash) if survived < 3 else pytest.MonkeyPatch.context():
        patch.setattr(TableWriter, "commit", crash)
        patch.setattr(TableWriter, "discard", lambda self: None)
        run(weather, WEATHER, D[:3], run_id="r")
    assert sum(commits(weather).values()) == survived
    report = run(weather, WEATHER, D[:3], run_id="r")
    assert commits(weather) == {"bronze": 1, "quarantine": 1, "silver": 1}
    assert (report.sources[0].landed, report.sources[0].quarantined) == (35, 1)
    finished = state(weather)
    run(weather, WEATHER, D[:3], run_id="another")
    assert state(weather) == finished


def test_layers_can_be_published_one_by_one(weather: Lake) -> None:
    plan = Plan.of(weather, WEATHER, D[:3])
    for number, layer in enumerate(("bronze", "quarantine", "silver"), start=1):
        (published,) = publish(weather, WEATHER, plan, run_id="r", upto=layer)
        assert sum(commits(weather).values()) == number
        assert published.landed == 30
    assert reconcile(weather, WEATHER, plan, run_id="r") == {"weather": {"landed": 30, "silver": 30, "quarantined": 0}}


def test_after_a_crash_silver_is_derived_from_the_bronze_that_stands(weather: Lake) -> None:
    plan = Plan.of(weather, WEATHER, D[:3])
    publish(weather, WEATHER, plan, run_id="r", upto="bronze")
    for file in plan.files["weather"]:
        weather.objects().delete(file.uri)
    (published,) = publish(weather, WEATHER, plan, run_id="r")
    assert published.landed == 30
    assert tables.read(weather, WEATHER.table("silver", "weather")).height == 30


MALFORMED = {
    "empty": (b"", "line 1: the file is empty"),
    "header only": (f"{HEADER}\n".encode(), "line 1: the file has a header and no rows"),
    "missing column": (f"{HEADER.replace(',visib', '')}\n".encode(), "line 1: wrong columns (missing visib)"),
    "unknown column": (f"{HEADER},mood\n".encode(), "line 1: wrong columns (unexpected mood)"),
    "other encoding": (f"{HEADER}\n{line(D[1], 0)}\n".encode("utf-16"), "line 1: it is UTF-16"),
    "one bad byte": (f"{HEADER}\n{line(D[1], 0)}\n".encode() + b"\xff\n", "line 3: byte 0xff"),
    "cut in a row": (f"{HEADER}\n{line(D[1], 0)}\n{line(D[1], 1)[:30]}".encode(), "line 3: the last line does not end"),
    "short row": (f"{HEADER}\nEWR,2013\n".encode(), "line 2: 2 fields instead of 15"),
    "open quote": (f'{HEADER}\n"{line(D[1], 0)}\n'.encode(), "line 2: a quote opens and does not close"),
}


@pytest.mark.parametrize("kind", MALFORMED)
def test_a_malformed_file_publishes_nothing(weather: Lake, kind: str) -> None:
    data, told = MALFORMED[kind]
    uri = landing.uri(weather.landing, SPEC.name, "weather", D[1])
    weather.objects().put(uri, data)
    with pytest.raises(InvalidInput) as error:
        run(weather, WEATHER, D[:3], run_id="r")
    assert str(error.value).startswith(f"{uri}: ")
    assert told in str(error.value)
    assert commits(weather) == {"bronze": 0, "quarantine": 0, "silver": 0}


def test_all_malformed_files_of_a_run_are_named(weather: Lake) -> None:
    uris = []
    for day, kind in zip(D[:2], ("short row", "open quote"), strict=True):
        uris.append(landing.uri(weather.landing, SPEC.name, "weather", day))
        weather.objects().put(uris[-1], MALFORMED[kind][0])
    with pytest.raises(InvalidInput, match=r"^2 faults:\n") as error:
        run(weather, WEATHER, D[:3], run_id="r")
    assert all(f"{uri}: line 2: " in str(error.value) for uri in uris)
    assert commits(weather) == {"bronze": 0, "quarantine": 0, "silver": 0}


def test_a_large_file_is_streamed_and_its_rows_are_judged_together(
    weather: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "CHUNK_BYTES", 300)
    spec = WEATHER.model_copy(
        update={
            "sources": (SPEC.source("weather").model_copy(update={"max_row_bytes": 1024}),),
            "quality": WEATHER.quality.model_copy(update={"quarantine_budget": 0.5}),
        }
    )
    land(weather, D[0], *(line(D[0], hour) for hour in range(18)), line(D[0], 0), line(D[0], 1, wind=9))
    (published,) = run(weather, spec, D[:1], run_id="r").sources
    assert published.reasons == {"repeats an earlier row": 1, "not unique: event_date, origin, time_hour": 2}
    silver = tables.read(weather, WEATHER.table("silver", "weather"))
    assert silver["hour"].to_list() == [0, *range(2, 18)]
    bronze = tables.read(weather, WEATHER.table("bronze", "weather"))
    assert bronze["source_position"].to_list() == [*range(2, 22)]


@pytest.mark.parametrize(
    ("settings", "name", "write"),
    [
        ({"format": JsonLines(type="jsonl"), "compression": "gzip"}, "2013-02-11.jsonl.gz", "gzipped JSON lines"),
        ({"format": Parquet(type="parquet")}, "2013-02-11.parquet", "Parquet"),
        ({"files": "many"}, "2013-02-11/part-1.csv", "CSV"),
    ],
)
def test_other_formats_lead_to_the_same_silver(
    new_lake: Callable[[], Lake], weather: Lake, settings: dict[str, object], name: str, write: str
) -> None:
    other = dataclasses.replace(new_lake(), landing=f"{weather.landing}/other")
    frame = pl.read_csv("\n".join([HEADER, *(line(D[0], hour) for hour in range(10))]).encode(), infer_schema=False)
    sink = io.BytesIO()
    if write == "Parquet":
        frame.with_columns(pl.col("year", "month", "day", "hour").cast(pl.Int64)).write_parquet(sink)
    elif write == "CSV":
        frame.write_csv(sink)
    else:
        frame.write_ndjson(sink)
    data = gzip.compress(sink.getvalue()) if write.startswith("gzipped") else sink.getvalue()
    other.objects().put(f"{other.landing}/flight_delays/weather/{name}", data)
    spec = WEATHER.model_copy(update={"sources": (SPEC.source("weather").model_copy(update=settings),)})
    run(other, spec, D[:1], run_id="r")
    run(weather, WEATHER, D[:1], run_id="r")
    assert state(other)["silver.weather"] == state(weather)["silver.weather"]


def test_a_day_unlike_the_days_before_it_is_not_published(
    new_lake: Callable[[], Lake], monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = new_lake()
    days = [D[0] + timedelta(days=n) for n in range(10)]
    for day in days[:9]:
        land(lake, day, *(line(day, hour) for hour in range(18)))
    land(lake, days[9], *(line(days[9], hour) for hour in range(9)))
    run(lake, WEATHER, days[:8], run_id="usual")
    for range_, run_id in ((days[8:], "range"), (days[9:], "day")):
        with pytest.raises(UnusualDay, match=r"weather: .*2013-02-20: 9 rows, 18 on a usual day .*`quality.daily`"):
            run(lake, WEATHER, range_, run_id=run_id)
    assert commits(lake) == {"bronze": 1, "quarantine": 1, "silver": 1}

    land(lake, days[9], *(line(days[9], hour, wind="NA") for hour in range(18)))
    with pytest.raises(UnusualDay, match="2013-02-20: wind_speed: 100% without a value, 0% on a usual day"):
        run(lake, WEATHER, days[9:], run_id="no wind")
    land(lake, days[9], *(line(days[9], hour, wind="NA" if hour < 8 else 5) for hour in range(12)))
    for _ in range(2):
        (published,) = run(lake, WEATHER, days[9:], run_id="little wind").sources
        assert published.warnings == (
            "2013-02-20: 12 rows, 18 on a usual day of the 4 weeks before",
            "2013-02-20: wind_speed: 67% without a value, 0% on a usual day of the 4 weeks before",
        )

    # Values that silver did not have; of no other column anything is read.
    daily = Daily(new_values={"weather": {"origin": Levels(warn=0.1, stop=0.2)}})
    watched = WEATHER.model_copy(update={"quality": WEATHER.quality.model_copy(update={"daily": daily})})
    asked, read = [], tables.read
    monkeypatch.setattr(tables, "read", lambda *words, **named: asked.append(named["columns"]) or read(*words, **named))

    def land_from(day: date, airport: str, hours: int) -> None:
        land(lake, day, *(line(day, hour).replace("EWR", airport if hour < hours else "EWR") for hour in range(18)))

    land_from(days[9], "JFK", 4)
    text = r"2013-02-20: origin: 22.2% of the rows have a value that the 4 weeks before do not have: 'JFK'"
    with pytest.raises(UnusualDay, match=f"{text}. If the data are right"):
        run(lake, watched, days[9:], run_id="another airport")
    assert asked == [["event_date", "origin"]]
    land_from(days[8], "JFK", 3)
    for _ in range(2):  # the day itself is not before it
        (published,) = run(lake, watched, days[8:], run_id="airports").sources
        assert published.warnings == (text.replace("02-20", "02-19").replace("22.2", "16.7"),)
    asked.clear()
    (published,) = run(lake, WEATHER, days[8:], run_id="nothing watched").sources
    assert (published.warnings, asked) == ((), [])


HOURLY = WEATHER.model_copy(
    update={
        "sources": (SPEC.source("weather").model_copy(update={"every": "hour"}), SPEC.source("planes")),
        "quality": WEATHER.quality.model_copy(update={"quarantine_budget": 1.0}),
    }
)


def land_hour(lake: Lake, hour: int, *, wind: object = 5) -> datetime:
    """The file of an hour of the first day; at 5:00 UTC it is midnight in New York."""
    at = datetime.combine(D[0], time(hour), UTC)
    uri = landing.expected(lake.landing, SPEC.name, HOURLY.sources[0], at)
    lake.objects().put(uri, "\n".join([HEADER, line(D[0], hour - 5, wind), ""]).encode())
    return at


def ingest_hour(lake: Lake, hour: datetime, run_id: str) -> None:
    plan = Plan.of(lake, HOURLY, [], hours=[hour])
    publish(lake, HOURLY, plan, run_id=run_id)
    reconcile(lake, HOURLY, plan, run_id=run_id)


@pytest.mark.parametrize("order", [(5, 6, 7), (7, 5, 6), (6, 7, 5, 6)])
def test_a_run_on_an_hour_replaces_exactly_that_hour(new_lake: Callable[[], Lake], order: tuple[int, ...]) -> None:
    lake = new_lake()
    winds = {5: 1, 6: 999, 7: 3}
    for number, hour in enumerate(order):
        at = land_hour(lake, hour, wind=winds[hour])
        ingest_hour(lake, at, f"{number}")
        lake.objects().delete(landing.expected(lake.landing, SPEC.name, HOURLY.sources[0], at))  # nobody reads it again
    silver, quarantine = (HOURLY.table(layer, "weather") for layer in ("silver", "quarantine"))
    assert tables.read(lake, silver)["wind_speed"].to_list() == [1, 3]
    assert tables.read(lake, quarantine)["wind_speed"].to_list() == ["999"]
    before = {hour: rows for (hour,), rows in tables.read(lake, silver).group_by("hour")}

    ingest_hour(lake, land_hour(lake, 6, wind=2), "mended")
    assert tables.read(lake, silver)["wind_speed"].to_list() == [1, 2, 3]
    assert tables.read(lake, quarantine).is_empty()
    after = {hour: rows for (hour,), rows in tables.read(lake, silver).group_by("hour")}
    assert all(after[hour].equals(before[hour]) for hour in (0, 2))
    assert tables.counts(lake, silver) == {D[0]: 3}


def test_a_day_or_an_hour_on_which_nothing_happened_is_taken_where_the_spec_says_so(
    weather: Lake, new_lake: Callable[[], Lake]
) -> None:
    def accepting(spec: UseCase) -> UseCase:
        first, *others = spec.sources
        return spec.model_copy(update={"sources": (first.model_copy(update={"empty_files": "accept"}), *others)})

    land(weather, D[1])
    with pytest.raises(InvalidInput, match=r"2013-02-12.csv: .*a header and no rows: .*`empty_files: accept`"):
        run(weather, WEATHER, D[:3], run_id="refused")
    for days in (D[:3], D[1:2], D[1:2]):
        (published,) = run(weather, accepting(WEATHER), days, run_id=f"{days[0]}").sources
        assert published.landed == 10 * (len(days) - 1)
        assert tables.counts(weather, WEATHER.table("silver", "weather")) == {D[0]: 10, D[2]: 10}

    lake, hourly = new_lake(), accepting(HOURLY)
    for hour, wind in ((5, 1), (6, None), (7, 3)):
        at = land_hour(lake, hour, wind=wind)
        if wind is None:
            lake.objects().put(landing.expected(lake.landing, SPEC.name, HOURLY.sources[0], at), f"{HEADER}\n".encode())
        publish(lake, hourly, Plan.of(lake, hourly, [], hours=[at]), run_id=f"{hour}")
    assert tables.read(lake, HOURLY.table("silver", "weather"))["wind_speed"].to_list() == [1, 3]


def test_a_day_without_a_row_is_no_quiet_hour(new_lake: Callable[[], Lake]) -> None:
    lake, first = new_lake(), HOURLY.sources[0].model_copy(update={"empty_files": "accept"})
    levels = HOURLY.quality.model_copy(update={"daily": HOURLY.quality.daily.model_copy(update={"min_days": 2})})
    spec = HOURLY.model_copy(update={"sources": (first,), "quality": levels})
    for number, day in enumerate(D[:3]):
        for hour in range(24):
            at = datetime(day.year, day.month, day.day, hour, tzinfo=UTC)
            text = f"{HEADER}\n" + ("" if number == 2 else f"{line(day, hour)}\n")
            lake.objects().put(landing.expected(lake.landing, SPEC.name, first, at), text.encode())
    publish(lake, spec, Plan.of(lake, spec, D[:2]), run_id="good")
    with pytest.raises(UnusualDay, match="2013-02-13: 0 rows, 24 on a usual day of the 4 weeks before"):
        publish(lake, spec, Plan.of(lake, spec, D[2:3]), run_id="dead")


def test_an_hour_is_not_lost_to_a_run_on_another_one(new_lake: Callable[[], Lake]) -> None:
    lake = new_lake()
    plans = [Plan.of(lake, HOURLY, [], hours=[land_hour(lake, hour, wind=hour)]) for hour in (5, 6)]
    publish(lake, HOURLY, plans[0], run_id="first")
    slow = Stage(lake, HOURLY, plans[0], source="weather", days={D[0]}, run_id="slow", upto="silver")
    slow.fill()
    publish(lake, HOURLY, plans[1], run_id="fast")
    with pytest.raises(RetryableError, match="another run changed 2013-02-11"), slow:
        slow.commit()
    publish(lake, HOURLY, plans[0], run_id="slow")
    reconcile(lake, HOURLY, plans[0], run_id="slow")
    assert tables.read(lake, HOURLY.table("silver", "weather"))["wind_speed"].to_list() == [5, 6]


def test_an_hour_that_has_not_landed_is_named(new_lake: Callable[[], Lake]) -> None:
    lake = new_lake()
    at = land_hour(lake, 5)
    with pytest.raises(MissingInput, match=r"weather/2013-02-11T06\.csv"):
        Plan.of(lake, HOURLY, [], hours=[at, at + timedelta(hours=1)])
    with pytest.raises(MissingInput, match=r"weather/2013-02-11T00\.csv, .* and 20 more"):
        Plan.of(lake, HOURLY, D[:1])


def test_over_budget_nothing_is_published_of_any_source_and_the_reasons_are_told(weather: Lake) -> None:
    flights = "2013,2,11,517,515,2,830,819,11,UA,1545,N14228,EWR,IAH,227,1400,5,15,2013-02-11T10:00:00Z"
    names = "year,month,day,dep_time,sched_dep_time,dep_delay,arr_time,sched_arr_time,arr_delay,carrier,flight,tailnum"
    header = f"{names},origin,dest,air_time,distance,hour,minute,time_hour"
    uri = landing.uri(weather.landing, SPEC.name, "flights", D[0])
    weather.objects().put(uri, f"{header}\n{flights}\n".encode())
    bad = land(weather, D[0], line(D[0], 0), line(D[0], 1, wind=999), line(D[0], 2, wind="calm"))
    told = (
        "weather: 2 of 3 rows (66.7%) fail the contract, the budget is 5.0%; nothing was published\n"
        "| reason | rows | first |\n|---|---:|---|\n"
        f"| wind_speed: not a number | 1 | {bad}:4: 'calm' |\n"
        f"| wind_speed: in_range(0, 150) | 1 | {bad}:3: '999' |"
    )
    for act in (
        lambda: run(weather, SPEC, D[:1], run_id="r"),
        lambda: check(weather, SPEC, Plan.of(weather, SPEC, D[:1])),
    ):
        with pytest.raises(BudgetExceeded) as error:
            act()
        assert str(error.value) == told
    assert commits(weather, SPEC) == {"bronze": 0, "quarantine": 0, "silver": 0}


def test_a_missing_file_is_named_and_a_missing_snapshot_is_none(weather: Lake) -> None:
    near = f"{weather.landing}/{SPEC.name}/Weather/2013-2-14.csv"
    weather.objects().put(near, b"")
    with pytest.raises(MissingInput, match=rf"weather/2013-02-14\.csv; there is {near}$"):
        run(weather, WEATHER, D, run_id="r")
    planes = SPEC.model_copy(update={"sources": (SPEC.source("weather"), SPEC.source("planes"))})
    assert [each.source for each in run(weather, planes, D[:3], run_id="r").sources] == ["weather"]


PLANES = WEATHER.model_copy(update={"sources": (SPEC.source("weather"), SPEC.source("planes"))})


def land_planes(lake: Lake, day: date, maker: str) -> str:
    uri = landing.uri(lake.landing, SPEC.name, "planes", day)
    names = "tailnum,year,type,manufacturer,model,engines,seats,speed,engine"
    lake.objects().put(uri, f"{names}\nN10156,2004,x,{maker},m,2,55,NA,Turbo\n".encode())
    return uri


@pytest.mark.parametrize("survived", [0, 1, 2, 3])
def test_a_snapshot_that_has_gone_from_landing_goes_from_the_lake(weather: Lake, survived: int) -> None:
    land_planes(weather, D[0], "RIGHT")
    run(weather, PLANES, D[:3], run_id="r")
    clean = state(weather, PLANES)
    assert len(clean["silver.planes"]) == 1

    mistake = land_planes(weather, D[1], "WRONG")
    run(weather, PLANES, D[1:2], run_id="mistake")
    assert len(state(weather, PLANES)["silver.planes"]) == 2
    weather.objects().delete(mistake)
    plan = Plan.of(weather, PLANES, D[:3])
    for layer in LAYERS[:survived]:
        publish(weather, PLANES, plan, run_id="r", upto=layer)
    run(weather, PLANES, D[:3], run_id="r")
    assert state(weather, PLANES) == clean
    planes = tables.load(weather, PLANES.table("silver", "planes"))
    assert [each.summary["days"] for each in planes.snapshots()][1:] == ["2013-02-12", "2013-02-11..2013-02-12"]
    run(weather, PLANES, D[:3], run_id="r")
    assert len(tables.load(weather, PLANES.table("silver", "planes")).snapshots()) == 3


def test_a_file_that_changes_during_the_run_is_refused(weather: Lake) -> None:
    plan = Plan.of(weather, WEATHER, D[:3])
    uri = land(weather, D[2], line(D[2], 0))
    with pytest.raises(InvalidInput, match="has changed since the run was planned") as error:
        publish(weather, WEATHER, plan, run_id="r")
    assert uri in str(error.value)
    assert commits(weather) == {"bronze": 0, "quarantine": 0, "silver": 0}


def test_reconcile_names_the_day_whose_rows_do_not_add_up(weather: Lake) -> None:
    run(weather, WEATHER, D[:3], run_id="r")
    silver = WEATHER.table("silver", "weather")
    replace_days(weather, silver, tables.read(weather, silver, start=D[1], end=D[1])[1:], D[1:2], {})
    with pytest.raises(PermanentError, match="weather 2013-02-12: 10 landed, 9 in silver, 0 in quarantine"):
        reconcile(weather, WEATHER, Plan.of(weather, WEATHER, D[:3]), run_id="r")


def test_a_file_that_changed_after_it_was_published_is_named_and_no_other_run_blamed(weather: Lake) -> None:
    plan = Plan.of(weather, WEATHER, D[:1])
    publish(weather, WEATHER, plan, run_id="r")
    uri = land(weather, D[0], line(D[0], 0, wind=9.0))
    with pytest.raises(RetryableError, match=rf"landed files have changed since .*: {uri}; clear `plan`"):
        reconcile(weather, WEATHER, plan, run_id="r")


def filled(lake: Lake, run_id: str) -> Stage:
    """A run on the first day, right before its commits."""
    stage = Stage(
        lake, WEATHER, Plan.of(lake, WEATHER, D[:1]), source="weather", days={D[0]}, run_id=run_id, upto="silver"
    )
    stage.fill()
    stage.confirm()
    return stage


def commit_one(stage: Stage) -> None:
    layer = LAYERS[len(stage._snapshots)]
    stage._commit(layer)


def winds(lake: Lake) -> dict[str, list[object]]:
    name = {layer: WEATHER.table(layer, "weather") for layer in ("bronze", "silver")}
    return {layer: tables.read(lake, table)["wind_speed"].to_list() for layer, table in name.items()}


NEW = {"bronze": ["9.0"], "silver": [9.0]}


def test_a_file_that_changes_before_the_commits_is_refused(weather: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    fill = Stage.fill

    def fill_slowly(self: Stage) -> None:
        fill(self)
        land(weather, D[1], line(D[1], 0, wind=9.0))

    monkeypatch.setattr(Stage, "fill", fill_slowly)
    with pytest.raises(InvalidInput, match=r"changed since the run was planned: \S+2013-02-12\.csv; clear `plan`"):
        run(weather, WEATHER, D[:3], run_id="r")
    assert commits(weather) == {"bronze": 0, "quarantine": 0, "silver": 0}


@pytest.mark.parametrize("winners", [*product("AB", repeat=3)], ids="".join)
def test_runs_that_commit_at_once_leave_the_newest_file_or_the_last_of_them_says_so(
    new_lake: Callable[[], Lake], winners: tuple[str, ...]
) -> None:
    lake, stages, plans = new_lake(), {}, {}
    for run_id, wind in (("A", 1.0), ("B", 9.0)):
        land(lake, D[0], line(D[0], 0, wind))
        stages[run_id], plans[run_id] = filled(lake, run_id), Plan.of(lake, WEATHER, D[:1])
    for winner in winners:
        commit_one(stages["A" if winner == "B" else "B"])
        commit_one(stages[winner])
    if {*winners} != {"B"}:
        with pytest.raises(RetryableError, match="clear `plan`"):
            reconcile(lake, WEATHER, plans[winner], run_id=winner)
        plans[winner] = Plan.of(lake, WEATHER, D[:1])
        publish(lake, WEATHER, plans[winner], run_id=winner)
    reconcile(lake, WEATHER, plans[winner], run_id=winner)
    assert winds(lake) == NEW


def test_between_commits_of_another_run_reconcile_is_to_be_tried_again(weather: Lake) -> None:
    run(weather, WEATHER, D[:1], run_id="A")
    plan = Plan.of(weather, WEATHER, D[:1])
    land(weather, D[0], line(D[0], 0, wind=9.0))
    other = filled(weather, "B")
    for _ in range(2):
        commit_one(other)
        with pytest.raises(RetryableError, match=r"weather 2013-02-11: bronze of B, quarantine of [AB], silver of A"):
            reconcile(weather, WEATHER, plan, run_id="A")
    commit_one(other)
    reconcile(weather, WEATHER, plan, run_id="A")
    assert winds(weather) == NEW


def test_no_data_file_is_left_behind_by_a_failed_run(weather: Lake) -> None:
    land(weather, D[2], *(line(D[2], hour, wind=999) for hour in range(10)))
    with pytest.raises(BudgetExceeded):
        run(weather, WEATHER, D[:3], run_id="r")
    left = weather.objects().list(f"{weather.catalog_properties['warehouse']}/")
    assert [each.uri for each in left if each.uri.endswith(".parquet")] == []


WIND = st.sampled_from([0, 7.5, 149, 999, "calm", "NA"])


@pytest.mark.long
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    winds=st.lists(st.lists(WIND, min_size=1, max_size=5), min_size=3, max_size=3),
    runs=st.lists(st.sets(st.integers(0, 2), min_size=1), max_size=3),
)
def test_any_runs_in_any_order_leave_the_same_rows(
    new_lake: Callable[[], Lake], winds: list[list[object]], runs: list[set[int]]
) -> None:
    spec = WEATHER.model_copy(update={"quality": WEATHER.quality.model_copy(update={"quarantine_budget": 1.0})})
    lake = new_lake()
    for day, values in zip(D, winds, strict=False):
        land(lake, day, *(line(day, hour, wind) for hour, wind in enumerate(values)))
    run(lake, spec, D[:3], run_id="range")
    expected = state(lake)
    for number, days in enumerate(runs):
        run(lake, spec, [D[n] for n in days], run_id=f"again {number}")
        assert state(lake) == expected

    other = dataclasses.replace(new_lake(), landing=lake.landing)
    for number in dict.fromkeys([*(n for days in runs for n in days), 2, 0, 1]):
        run(other, spec, [D[number]], run_id=f"day {number}")
    assert state(other) == expected


def test_rows_enter_silver_once_the_contract_is_mended_and_ingest_agrees(
    weather: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    strict = contracts.contract_of(WEATHER, "Weather")
    land(weather, D[1], *(line(D[1], hour, wind=160 if hour < 2 else 5) for hour in range(19)))
    land(weather, D[2], *(line(D[2], hour, wind=2000 if hour < 1 else 5) for hour in range(19)))
    generous = WEATHER.model_copy(update={"quality": WEATHER.quality.model_copy(update={"quarantine_budget": 0.1})})
    run(weather, generous, D[:3], run_id="first")
    silver = WEATHER.table("silver", "weather")
    untouched = tables.read(weather, silver, start=D[0], end=D[0])

    class Mended(module(SPEC.name, "contract").Weather):  # type: ignore[misc]
        wind_speed: float = pandera.Field(in_range={"min_value": 0, "max_value": 200}, nullable=True)

    monkeypatch.setattr(contracts, "module", lambda *_: SimpleNamespace(Weather=Mended))
    monkeypatch.setattr(replaying, "code_of", lambda _: "mended")
    assert contracts.contract_of(WEATHER, "Weather").columns == strict.columns
    plan = replaying.Replay.of(weather, WEATHER, "weather", run="first", reason="wind_speed")
    assert (plan.days, plan.rows) == (tuple(D[1:3]), 3)
    before = commits(weather)
    done = replaying.replay(weather, WEATHER, plan, run_id="again")
    assert (done.landed, done.before, done.quarantined) == (38, 3, 1)
    assert replaying.reconcile(weather, WEATHER, plan) == {"landed": 38, "silver": 37, "quarantined": 1}
    assert commits(weather) == {**before, "silver": before["silver"] + 1, "quarantine": before["quarantine"] + 1}
    assert tables.read(weather, silver, start=D[0], end=D[0]).equals(untouched)
    assert tables.read(weather, silver, start=D[1], end=D[1])["wind_speed"].to_list()[:3] == [160, 160, 5]
    (held,) = tables.read(weather, WEATHER.table("quarantine", "weather")).rows(named=True)
    assert (held["reasons"], held["run_id"]) == (["wind_speed: in_range(0, 200): '2000'"], "again")

    # The ingest run that was before it still agrees; a run after it makes the same rows.
    files = Plan.of(weather, WEATHER, D[:3])
    assert reconcile(weather, WEATHER, files, run_id="first")["weather"]["quarantined"] == 1
    replayed = state(weather)
    run(weather, generous, D[:3], run_id="second")
    assert state(weather) == replayed
    with pytest.raises(RetryableError, match="other runs were at work"):
        replaying.reconcile(weather, WEATHER, plan)
