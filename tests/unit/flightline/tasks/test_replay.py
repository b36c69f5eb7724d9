"""What a replay is about, by its form, and whom it tells."""

from collections import defaultdict
from datetime import date
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import AirflowFailException

from flightline import assets
from flightline.tasks import replay
from include.foundation.errors import InvalidInput
from include.foundation.spec import load
from include.stages.ingest.replay import Replay, Replayed

SPEC = load("flight_delays")
TABLE = "quarantine.flight_delays__weather"
FORM = {"table": TABLE, "run": None, "reason": "wind", "start_date": "2013-01-01", "end_date": None}
PLAN = Replay(use_case=SPEC.name, source="weather", days=(date(2013, 1, 1), date(2013, 1, 3)), rows=3, snapshot_id=7)


@pytest.fixture(autouse=True)
def lake(monkeypatch):
    monkeypatch.setattr("flightline.hooks.lake.LakeHook", lambda: SimpleNamespace(lake="lake"))


@pytest.fixture
def ti():
    pushed = {}
    return SimpleNamespace(pushed=pushed, xcom_push=pushed.__setitem__, task=SimpleNamespace(outlets=["every asset"]))


def test_the_form_s_table_names_use_case_and_source(monkeypatch):
    asked = []
    monkeypatch.setattr(Replay, "of", lambda *words, **chosen: asked.append((words, chosen)) or PLAN)
    planned = replay.plan.function(FORM)
    assert asked == [
        (("lake", SPEC, "weather"), {"run": None, "reason": "wind", "start": date(2013, 1, 1), "end": None})
    ]
    assert Replay(**planned) == PLAN
    assert {table.partition(".")[0] for table in replay.tables()} == {"quarantine"}


def test_rows_that_are_not_there_fail_at_once(monkeypatch):
    def none(*_, **__):
        raise InvalidInput("quarantine has no rows")

    monkeypatch.setattr(Replay, "of", none)
    with pytest.raises(AirflowFailException, match="has no rows"):
        replay.plan.function(FORM)


def test_what_became_of_the_rows_is_said(monkeypatch, ti):
    done = Replayed(landed=1400, before=1200, quarantined=100, reasons={"wind: negative": 100})
    monkeypatch.setattr("include.stages.ingest.replay.replay", lambda *_, run_id: done)
    assert replay.judge.function(PLAN.model_dump(mode="json"), run_id="r", ti=ti)["quarantined"] == 100
    assert ti.pushed["note"] == (
        "flight_delays weather of 2013-01-01 to 2013-01-03: 1,100 of 1,200 quarantined rows are in silver now, 100 stay"
    )


def test_the_days_are_announced_by_every_daily_table_of_the_use_case_and_of_no_other(monkeypatch, ti):
    totals = {"landed": 5, "silver": 4, "quarantined": 1}
    monkeypatch.setattr("include.stages.ingest.replay.reconcile", lambda *_: totals)
    told = defaultdict(list)
    events = {
        asset: SimpleNamespace(add_partitions=told[name].extend, extra=None)
        for name, asset in assets.silver(SPEC).items()
    }
    assert replay.reconcile.function(PLAN.model_dump(mode="json"), outlet_events=events, ti=ti) == totals
    assert told == {"flights": ["2013-01-01", "2013-01-03"], "weather": ["2013-01-01", "2013-01-03"]}
    assert ti.task.outlets == [*assets.silver(SPEC).values()]
    extra = events[assets.silver(SPEC)["weather"]].extra
    assert extra == {"days": "2013-01-01 to 2013-01-03", "replayed": "weather", **totals}


def test_no_features_are_made_of_the_prediction_log(monkeypatch, ti):
    assert "quarantine.flight_delays__predictions" in replay.tables()
    monkeypatch.setattr("include.stages.ingest.replay.reconcile", lambda *_: {})
    planned = PLAN.model_copy(update={"source": "predictions"}).model_dump(mode="json")
    assert replay.reconcile.function(planned, outlet_events={}, ti=ti) == {}
    assert ti.task.outlets == []
