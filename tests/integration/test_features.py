"""Gold and the online table from real flights: any order of runs gives the same rows, and online gives batch's bits."""

import hashlib
import json
import random
import subprocess
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from types import SimpleNamespace

import numpy as np
import pandera.polars as pandera
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from psycopg.conninfo import conninfo_to_dict
from pydantic import BaseModel

from include.foundation.artifact import Metadata, digest, encoded, open_model, store
from include.foundation.artifact.writer import seal
from include.foundation.errors import LeakFound, MissingInput
from include.foundation.history import join
from include.foundation.history.table import Reader
from include.foundation.lake import tables
from include.foundation.lake.commit import replace_days
from include.foundation.lake.connection import Lake
from include.foundation.problem import problem
from include.foundation.spec import View, load, module
from include.foundation.spec.features import Features, Online
from include.foundation.spec.schedule import Schedule
from include.foundation.spec.sources import Source
from include.services.serving.metrics import Metrics
from include.services.serving.predictor import Predictor
from include.services.serving.records import RecordReader
from include.stages.features import stale
from include.stages.features.build import build, compute
from include.stages.features.online import publish_online
from include.stages.features.silver import Silver
from include.stages.ingest import contracts, landing, replay
from include.stages.ingest.run import run as ingest
from include.stages.maintenance.expire import expire
from include.stages.training import dataset
from include.stages.training.frozen import freeze
from include.steps.score import score
from include.use_cases.flight_delays import features as flight_delays
from sandbox.supervisor.service import REPO, python

pytestmark = pytest.mark.integration
SPEC = load("flight_delays")
DAYS = [date(2013, 1, 1) + timedelta(days=n) for n in range(13)]
FLIGHTS = 10_000
MINUTE = timedelta(minutes=1)


@pytest.fixture(scope="module")
def landed(lake) -> str:
    """Where thirteen days of real files have landed."""
    command = (str(python("sandbox")), "-m", "sandbox.demo.landing", "--from", str(DAYS[0]), "--to", str(DAYS[-1]))
    subprocess.run(command, cwd=REPO, env={**lake.env(), "PYTHONPATH": str(REPO)}, check=True, capture_output=True)
    return lake.landing


@pytest.fixture
def empty(new_lake, landed) -> Lake:
    """A lake without tables; the files to ingest are there."""
    return replace(new_lake(), landing=landed)


@pytest.fixture(scope="module")
def full(lake, landed) -> Lake:
    """A lake with silver of all days and gold built in one run."""
    ingest(lake, SPEC, DAYS, run_id="all")
    report = build(lake, SPEC, DAYS[0], DAYS[-1])
    assert report.days == tuple(DAYS)
    assert report.rows > FLIGHTS
    return lake


def _gold(lake, **limits):
    return tables.read(lake, SPEC.gold, **limits)


def _online(dsn, requests):
    reader = Reader(dsn, SPEC.name, flight_delays.VIEWS)
    joined = reader.join(requests.select("event_time", *flight_delays.Request.model_fields))
    reader.close()
    return flight_delays.features(joined)


def test_gold_is_what_the_architecture_says(full):
    gold = _gold(full)
    asked = [name for name in flight_delays.Request.model_fields if name not in flight_delays.FEATURES]
    assert gold.columns == [
        *("id", "event_date", "event_time", "known_at"),
        *asked,
        *flight_delays.FEATURES,
        *("label", "label_known_at"),
    ]
    assert {name: gold.schema[name] for name in flight_delays.FEATURES} == flight_delays.FEATURES
    assert (gold["known_at"] <= gold["event_time"]).all()
    assert (gold["label_known_at"] > gold["event_time"]).all()
    assert gold["label"].null_count() == gold["label_known_at"].null_count() > 0
    assert gold.null_count().select(pl.max_horizontal(pl.all().exclude("known_at"))).item() < gold.height
    made_from = tables.snapshot_summary(full, SPEC.gold, tables.current_snapshot_id(full, SPEC.gold))["made_from"]
    assert str(tables.current_snapshot_id(full, "silver.flight_delays__flights")) in made_from


@pytest.mark.long
def test_days_in_any_order_while_they_land_give_the_same_gold_and_answers(full, empty, postgres_database):
    days = DAYS[:5]
    lake, dsn = empty, postgres_database()
    order = [days[n] for n in (2, 0, 4, 1, 3)]
    for n, day in enumerate(order):
        ingest(lake, SPEC, [day], run_id=str(n))
        if days[0] in order[: n + 1]:  # the register lands on the first day, and without it nothing can be built
            build(lake, SPEC, day, day)
            publish_online(lake, SPEC, day, day, dsn=dsn)
    expected = _gold(full, end=days[-1])
    assert_frame_equal(_gold(lake), expected, check_exact=True)
    assert_frame_equal(_online(dsn, expected), expected.select(*flight_delays.FEATURES), check_exact=True)


@pytest.mark.long
def test_online_equals_batch_bit_for_bit_on_ten_thousand_flights(full, postgres_database):
    dsn = postgres_database()
    published = publish_online(full, SPEC, DAYS[0], DAYS[-1], dsn=dsn)
    gold = _gold(full)
    assert gold.height >= FLIGHTS

    online = _online(dsn, gold)

    assert_frame_equal(online, gold.select(*flight_delays.FEATURES), check_exact=True)
    for name in online.select(pl.col(pl.Float64)).columns:
        bits = pl.col(name).reinterpret(signed=True)
        assert online.select(bits).equals(gold.select(bits)), name
    assert published.rows["airport"] > FLIGHTS


@pytest.mark.long
def test_scores_are_the_endpoint_s_answers_bit_for_bit_on_ten_thousand_flights(full, postgres_database, monkeypatch):
    """Records as callers send them, with history from PostgreSQL, by serving's own code: many at once, few, and one."""
    model, gold, dsn = module(SPEC.name, "model"), _gold(full), postgres_database()
    publish_online(full, SPEC, DAYS[0], DAYS[-1], dsn=dsn)
    trees = model.fit(
        gold.drop_nulls("label").with_columns(pl.col("label").cast(pl.Int8)),
        {"n_estimators": 60, "num_leaves": 31, "num_threads": 2, "device": "cpu"},
        7,
    )
    metadata = Metadata(
        use_case=SPEC.name, features=tuple(trees.features), categories=trees.categories, created_from={}
    )
    data = seal(model.export(trees), metadata)
    uri = store.put(full.objects(), full.models, SPEC.name, data)
    version = SimpleNamespace(
        version="1",
        digest=digest(data),
        file=lambda _: uri,
        manifest=lambda: SimpleNamespace(feature_code=None),
    )
    monkeypatch.setattr("include.stages.registry.champion", lambda *_: version)
    said = score(SPEC.name, client=None, lake=full, start=DAYS[0], end=DAYS[-1])
    scores = tables.read(full, SPEC.scores)
    assert said["rows"] == scores.height == gold.height >= FLIGHTS
    assert scores["id"].equals(gold.sort("event_date", "event_time", "id")["id"])
    assert scores["probability"].n_unique() > FLIGHTS / 5

    scorer, reader = open_model(data), Reader(dsn, SPEC.name, flight_delays.VIEWS)
    predictor = Predictor(
        features=flight_delays,
        encode=partial(encoded, model, scorer.metadata),
        scorer=scorer,
        read=reader.join,
        look_up=reader.look_up,
        metrics=Metrics(problem(SPEC.problem), use_case=SPEC.name, version="1", stage="test"),
    )
    fields = list(flight_delays.Request.model_fields)
    asked = scores.select("id").join(gold.select("id", *fields), on="id", how="left", maintain_order="left")
    bodies = [flight_delays.Request(**row).model_dump(mode="json") for row in asked.select(fields).to_dicts()]
    records = RecordReader(flight_delays.Request).read(json.dumps({"records": bodies}).encode()).requests
    bits = scores["probability"].to_numpy().view(np.uint32)

    def differ(rows: range, at_once: int) -> int:
        answers = [
            each.fields["probability"]
            for begin in range(rows.start, rows.stop, at_once)
            for each in predictor.predict(records[begin : begin + at_once])
        ]
        return int(
            (np.array(answers, np.float32).view(np.uint32) != bits[rows.start : rows.start + len(answers)]).sum()
        )

    assert differ(range(len(records)), 256) == 0
    assert differ(range(0, 2000), 16) == differ(range(2000, 2500), 1) == 0
    reader.close()


def test_one_request_is_answered_as_many_are(full, postgres_database):
    dsn = postgres_database()
    publish_online(full, SPEC, DAYS[-3], DAYS[-1], dsn=dsn)
    rows = _gold(full, start=DAYS[-1]).gather_every(40)
    alone = pl.concat([_online(dsn, rows[n]) for n in range(rows.height)])
    assert_frame_equal(alone, rows.select(*flight_delays.FEATURES), check_exact=True)


def test_the_online_table_keeps_what_the_newest_days_see(full, postgres_database):
    dsn = postgres_database()
    online = SPEC.features.online.model_copy(update={"retention_days": 2})
    spec = SPEC.model_copy(update={"features": SPEC.features.model_copy(update={"online": online})})
    everything = publish_online(full, SPEC, DAYS[-6], DAYS[-1], dsn=dsn)
    kept = publish_online(full, spec, DAYS[0], DAYS[-1], dsn=dsn)
    old = publish_online(full, spec, DAYS[4], DAYS[5], dsn=dsn)

    assert kept.expired > sum(everything.rows.values()) / 3
    assert old.rows == {}
    recent = _gold(full, start=DAYS[-2])
    asked = recent.filter(pl.col("event_time") >= kept.since)
    assert_frame_equal(_online(dsn, asked), asked.select(*flight_delays.FEATURES), check_exact=True)
    assert _online(dsn, _gold(full, end=DAYS[3]))["airport_left_3h"].null_count() > FLIGHTS / 13


def test_a_lost_online_table_is_made_again_by_any_run_that_covers_its_days(full, postgres_database):
    dsn = postgres_database()
    publish_online(full, SPEC, DAYS[-2], DAYS[-1], dsn=dsn)
    recent = _gold(full, start=DAYS[-2])
    assert_frame_equal(_online(dsn, recent), recent.select(*flight_delays.FEATURES), check_exact=True)


class Sale(BaseModel):
    shop: str


SALES = {"id": pl.String, "event_date": pl.Date, "shop": pl.String, "known_at": join.UTC, "sold": pl.Int64}


@pytest.fixture
def shops(monkeypatch):
    """A small use case, each of whose requests finds the sale before it."""
    view = View(keys=("shop",), max_age=timedelta(hours=20), values={"sold": pl.Int64})
    made = SimpleNamespace(
        __name__="shops",
        Request=Sale,
        VIEWS={"sales": view},
        FEATURES={"sold": pl.Int64},
        requests=lambda silver: silver["sales"].select(
            "id", "event_date", "shop", event_time=pl.col("known_at") - 15 * MINUTE
        ),
        history=lambda silver: silver,
        features=lambda joined: joined.select(sold="sales__sold"),
        labels=lambda silver: silver["sales"].select(
            "id", label=pl.lit(None, pl.Boolean), label_known_at=pl.lit(None, join.UTC)
        ),
        mask=lambda silver, at: silver,
    )
    for stage in ("build", "online"):
        monkeypatch.setattr(f"include.stages.features.{stage}.module", lambda name, part: made)
    monkeypatch.setattr(stale, "digest", lambda *_: "this code")
    return made


def _shops(**features):
    source = Source(name="sales", contract="Sales")
    return SPEC.model_copy(update={"name": "shops", "sources": (source,), "features": Features(**features)})


def _sales(day, hours=0):
    """A sale an hour, twelve shops in turn; the day is that of a place so many hours before UTC."""
    begins = datetime.combine(day, time(0, 30), UTC) - timedelta(hours=hours)
    rows = [(f"{day} {n}", day, f"shop {n % 12}", begins + timedelta(hours=n), day.day * 100 + n) for n in range(24)]
    return pl.DataFrame(rows, SALES, orient="row")


@pytest.mark.parametrize("hours", [-12, -5, 0, 10, 14])
@pytest.mark.parametrize("order", ["as they come", "shuffled"])
def test_online_equals_batch_where_a_day_is_a_local_one(new_lake, postgres_database, shops, hours, order):
    lake, dsn, days = new_lake(), postgres_database(), DAYS[:6]
    spec = _shops(lookback_days=1, online=Online(retention_days=4))
    for day in days if order == "as they come" else random.Random(1).sample(days, len(days)):
        replace_days(lake, spec.table("silver", "sales"), _sales(day, hours), [day], {})
        publish_online(lake, spec, day, day, dsn=dsn)

    whole = pl.concat([_sales(day, hours) for day in days])
    asked = shops.requests({"sales": whole}).filter(pl.col("event_date") >= days[-4])
    reader = Reader(dsn, spec.name, shops.VIEWS)
    online = reader.join(asked)
    reader.close()
    batch = join.as_of(asked, {"sales": join.conform(whole, name="sales", view=shops.VIEWS["sales"])}, shops.VIEWS)
    assert_frame_equal(online, batch, check_exact=True)
    assert batch["sales__sold"].null_count() == 0


@pytest.mark.parametrize(
    ("starts", "months"), [(date(2013, 1, 1), {"2013-01", "2013-02"}), (date(2013, 2, 1), {"2013-02"})]
)
def test_a_run_announces_every_month_that_depends_on_its_days(
    new_lake, postgres_database, shops, monkeypatch, starts, months
):
    from airflow.sdk.execution_time.context import OutletEventAccessors

    from flightline import assets
    from flightline.tasks import features

    lake = new_lake()
    s3, extra = lake.s3, {"catalog": dict(lake.catalog_properties), "landing": lake.landing, "models": lake.models}
    connection = {"conn_type": "aws", "login": s3.access_key, "password": s3.secret_key}
    extra |= {"endpoint_url": s3.endpoint, "region_name": s3.region}
    monkeypatch.setenv("AIRFLOW_CONN_LAKE", json.dumps(connection | {"extra": extra}))
    at = conninfo_to_dict(postgres_database())
    online = {"conn_type": "postgres", "host": at["host"], "login": at["user"], "schema": at["dbname"]}
    monkeypatch.setenv("AIRFLOW_CONN_ONLINE", json.dumps(online))
    spec = _shops(lookback_days=1, label_days=1).model_copy(update={"schedule": Schedule(start=starts)})
    monkeypatch.setattr(features, "load", lambda name: spec)
    days = [day for n in range(5) if (day := date(2013, 1, 30) + timedelta(days=n)) >= starts]
    replace_days(lake, spec.table("silver", "sales"), pl.concat([_sales(day) for day in days]), days, {})

    ti = SimpleNamespace(xcom_push=lambda *_: None)

    def run():
        built = features.build.function(spec.name, {"start_date": "2013-02-01", "end_date": "2013-02-01"}, ti=ti)
        events = OutletEventAccessors()
        features.publish.function(spec.name, built, events)
        return built["days"], events[assets.gold(spec)].partition_keys

    near = [str(day) for day in days if date(2013, 1, 31) <= day <= date(2013, 2, 2)]
    assert run() == (near, months)
    assert run() == ([], months), "as a retry after gold's commit"


def test_only_days_that_are_not_up_to_date_are_built(empty, monkeypatch):
    ingest(empty, SPEC, DAYS[:6], run_id="six")
    assert build(empty, SPEC, DAYS[1], DAYS[2]).days == tuple(DAYS[1:5]), "later days look back"
    first = build(empty, SPEC, DAYS[0], DAYS[5])
    assert first.days == tuple(DAYS[:6]), "one span, with the days within it"

    again = build(empty, SPEC, DAYS[0], DAYS[5])
    assert (again.days, again.rows, again.snapshot_id) == ((), 0, first.snapshot_id)

    flights = SPEC.table("silver", "flights")
    replace_days(empty, flights, tables.read(empty, flights, start=DAYS[2], end=DAYS[2])[::2], [DAYS[2]], {})
    assert build(empty, SPEC, DAYS[5], DAYS[5]).days == (), "it looks back two days only"
    assert build(empty, SPEC, DAYS[0], DAYS[5]).days == tuple(DAYS[2:5])

    planes = SPEC.table("silver", "planes")
    replace_days(empty, planes, tables.read(empty, planes), [DAYS[0]], {})
    assert build(empty, SPEC, DAYS[4], DAYS[5]).days == tuple(DAYS[4:6]), "a snapshot holds for every later day"
    tidy = _gold(empty)

    monkeypatch.setattr(stale, "digest", lambda *_: "other code")
    assert build(empty, SPEC, DAYS[0], DAYS[5]).days == tuple(DAYS[:6])
    assert_frame_equal(_gold(empty), tidy, check_exact=True)


def test_after_an_edit_the_first_run_makes_the_whole_training_window_again(empty, monkeypatch):
    ingest(empty, SPEC, DAYS[:8], run_id="eight")
    build(empty, SPEC, DAYS[0], DAYS[5])
    assert tables.days(empty, SPEC.gold) == DAYS[:8], "with the days that look back into these"
    monkeypatch.setattr(stale, "digest", lambda *_: "edited features.py")
    assert [*stale.made_by_other_code(empty, SPEC, DAYS[:8])] == DAYS[:8]
    short = SPEC.model_copy(update={"training": SPEC.training.model_copy(update={"window_days": 3})})
    report = build(empty, short, DAYS[7], DAYS[7])
    assert (report.first, report.days) == (DAYS[5], tuple(DAYS[5:8])), "no more than training learns from"
    report = build(empty, SPEC, DAYS[7], DAYS[7])
    assert (report.first, report.days) == (DAYS[0], tuple(DAYS[:5]))
    assert stale.made_by_other_code(empty, SPEC, DAYS[:8]) == {}


def test_a_commit_of_another_program_is_not_trusted(empty):
    ingest(empty, SPEC, DAYS[:2], run_id="two")
    build(empty, SPEC, DAYS[0], DAYS[1])
    tables.load(empty, SPEC.gold).delete()
    assert build(empty, SPEC, DAYS[0], DAYS[1]).days == tuple(DAYS[:2])


def test_a_day_that_silver_lost_leaves_gold(empty):
    lake = empty
    ingest(lake, SPEC, DAYS[:3], run_id="three")
    build(lake, SPEC, DAYS[0], DAYS[2])
    for source in SPEC.sources:
        identifier = SPEC.table("silver", source.name)
        if source.every == "day":
            replace_days(lake, identifier, tables.read(lake, identifier).clear(), [DAYS[2]], {})
    report = build(lake, SPEC, DAYS[2], DAYS[2])
    assert (report.rows, report.days) == (0, ())
    assert tables.days(lake, SPEC.gold) == DAYS[:2]


@pytest.mark.parametrize("view", ["departure", "arrival", "weather", "airport"])
def test_a_planted_leak_is_caught_and_nothing_is_published(full, monkeypatch, view):
    sound = flight_delays.history

    def history(silver):
        frames = sound(silver)
        early = pl.col("known_at") - timedelta(hours=1)
        return frames | {view: frames[view].with_columns(early)}

    monkeypatch.setattr(flight_delays, "history", history)
    monkeypatch.setattr(stale, "digest", lambda *_: "other code")
    before = tables.current_snapshot_id(full, SPEC.gold)
    with pytest.raises(LeakFound, match=view):
        build(full, SPEC, DAYS[5], DAYS[6])
    assert tables.current_snapshot_id(full, SPEC.gold) == before


def test_days_that_never_landed_are_missing(full, empty):
    with pytest.raises(MissingInput, match="no rows from 2014-01-01"):
        build(full, SPEC, date(2014, 1, 1), date(2014, 1, 2))
    with pytest.raises(MissingInput, match=r"silver\.flight_delays__flights"):
        build(empty, SPEC, DAYS[0], DAYS[0])


@pytest.mark.long
def test_what_a_model_was_trained_on_stays_as_it_was_after_a_late_day_a_correction_and_a_replay(
    full, empty, monkeypatch
):
    quality = SPEC.quality.model_copy(update={"quarantine_budget": 0.1})
    spec = SPEC.model_copy(update={"quality": quality})
    lake, late = replace(empty, landing=empty.landing + "-late"), DAYS[2]
    files = [
        found.uri
        for source in spec.files
        for found in full.objects().list(f"{full.landing}/{spec.name}/{source.name}/")
        if found.uri[-14:-4] <= str(DAYS[4])
    ]

    def land(*uris):
        for uri in sorted(uris, key=lambda uri: uri[-14:]):  # day by day
            lake.objects().put(uri.replace(full.landing, lake.landing), full.objects().get(uri))

    land(*files)
    ingest(lake, spec, [day for day in DAYS[:5] if day != late], run_id="in time")
    build(lake, spec, DAYS[0], DAYS[4])
    frozen = freeze(lake, spec, image="none", start=DAYS[0], end=DAYS[4])

    def digest_of(frozen):
        data = dataset.load(lake, spec, frozen)
        parts = (data.train, data.validation, data.fit, data.holdout.whole())
        return hashlib.sha256(b"".join(part.write_ipc(None).getvalue() for part in parts)).hexdigest()

    trained_on, snapshots = digest_of(frozen), [frozen.snapshot_id]

    def news():
        """Gold made anew: the training input is the one of then, and nothing is known before it was."""
        before = _gold(lake)
        build(lake, spec, DAYS[0], DAYS[4])
        snapshots.append(tables.current_snapshot_id(lake, spec.gold))
        gold = _gold(lake)
        assert (gold["known_at"] <= gold["event_time"]).all()
        assert digest_of(frozen) == trained_on
        return before, gold

    land(*(uri for uri in files if str(late) in uri))
    ingest(lake, spec, [late], run_id="late")
    seeing = spec.model_copy(update={"features": spec.features.model_copy(update={"late_hours": 0})})
    assert stale.made_by(seeing) != stale.made_by(spec)
    landed = compute(Silver.current(lake, seeing), DAYS[0], DAYS[4])
    before, gold = news()
    assert_frame_equal(landed.filter(pl.col("event_date") != late), before, check_exact=True)  # as it was answered
    assert landed.filter(pl.col("event_date") == late)["label_known_at"].min() == datetime(2013, 1, 6, tzinfo=UTC)
    assert not gold.filter(pl.col("event_date") != late).equals(before)
    assert {*gold["event_date"]} - {*before["event_date"]} == {late}
    unaffected = pl.col("event_date") < late
    assert_frame_equal(gold.filter(unaffected), before.filter(unaffected), check_exact=True)
    assert_frame_equal(gold, _gold(full, end=DAYS[4]), check_exact=True)

    uri = landing.uri(lake.landing, spec.name, "weather", DAYS[1])
    header, *lines = lake.objects().get(uri).decode().splitlines()
    at = {name: place for place, name in enumerate(header.split(","))}
    rows = [line.split(",") for line in lines]
    noon = next(row for row in rows if row[at["origin"]] == "JFK" and row[at["hour"]] == "12")
    noon[at["temp"]], noon[at["wind_speed"]] = "99.5", "160"
    lake.objects().put(uri, "\n".join([header, *map(",".join, rows), ""]).encode())
    ingest(lake, spec, [DAYS[1]], run_id="corrected")
    before, gold = news()  # the hour is in quarantine, so an older one is the newest that was known
    moved = (pl.col("known_at") != before["known_at"]) | (pl.col("weather_temp").ne_missing(before["weather_temp"]))
    assert gold.filter(moved).height > 0

    class Mended(module(spec.name, "contract").Weather):
        wind_speed: float = pandera.Field(in_range={"min_value": 0, "max_value": 200}, nullable=True)

    monkeypatch.setattr(contracts, "module", lambda *_: SimpleNamespace(Weather=Mended))
    plan = replay.Replay.of(lake, spec, "weather", run="corrected")
    assert replay.replay(lake, spec, plan, run_id="again").quarantined == 0
    assert replay.reconcile(lake, spec, plan)["quarantined"] == 0
    _, gold = news()
    seen = gold.filter((pl.col("origin") == "JFK") & (pl.col("weather_temp") == 99.5))
    assert seen.height > 0
    # The corrected hour, as the first one, is known when it is over.
    assert seen["event_time"].min() >= datetime.fromisoformat(noon[at["time_hour"]]) + timedelta(hours=1)
    assert len({*snapshots}) == 4

    expire(lake, spec.gold, before=datetime.now(UTC) + timedelta(days=1), dry_run=False)
    assert digest_of(frozen) == trained_on
    again = freeze(lake, spec, image="none", start=DAYS[0], end=DAYS[4])
    assert again.key != frozen.key
    assert digest_of(again) != trained_on
