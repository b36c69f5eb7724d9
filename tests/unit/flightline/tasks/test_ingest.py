"""What a run on landed files tells the Dags that wait for it, and people."""

from collections import defaultdict
from datetime import date
from types import SimpleNamespace

import pytest

from flightline import assets, lineage
from flightline.tasks import ingest
from include.foundation.spec import load
from include.stages.ingest.plan import Plan

SPEC = load("flight_delays")
DAYS = (date(2013, 1, 1), date(2013, 1, 2))


@pytest.fixture(autouse=True)
def lake(monkeypatch):
    monkeypatch.setattr("flightline.hooks.lake.LakeHook", lambda: SimpleNamespace(lake="lake"))
    monkeypatch.setattr("include.foundation.lake.tables.days", lambda *_: [*DAYS])
    monkeypatch.setattr(lineage, "tell_of_tables", lambda *_: None)


def test_an_event_says_days_and_rows_and_the_note_says_them_in_words(monkeypatch):
    counts = {"landed": 1200, "silver": 1190, "quarantined": 10}
    totals = {source.name: counts for source in SPEC.files}
    monkeypatch.setattr("include.stages.ingest.reconcile.reconcile", lambda *_, run_id: totals)
    told, pushed = defaultdict(list), {}
    events = {
        asset: SimpleNamespace(add_partitions=told[name].extend, extra=None)
        for name, asset in assets.silver(SPEC, SPEC.files).items()
    }
    planned = Plan(use_case=SPEC.name, days=DAYS, files={}).model_dump(mode="json")
    ti = SimpleNamespace(xcom_push=pushed.__setitem__)
    assert ingest.reconcile.function(SPEC.name, planned, run_id="r", outlet_events=events, ti=ti) == totals
    assert told["flights"] == ["2013-01-01", "2013-01-02"]
    (extra,) = {tuple(event.extra.items()) for event in events.values()}
    assert dict(extra) == {"days": "2013-01-01 to 2013-01-02", **counts}
    assert "flights 1,200 landed, 1,190 in silver, 10 in quarantine" in pushed["note"]
