"""When the champion is looked at, and what follows from what was seen."""

from collections import defaultdict
from datetime import date, timedelta
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from flightline import assets
from flightline.hooks.pushgateway import PushgatewayHook
from flightline.tasks import monitor
from include.foundation.errors import MissingInput
from include.foundation.spec import load
from include.stages.observability import pushed

SPEC = load("flight_delays")
UNTIL = date(2013, 4, 30)
SEEN = {
    "champion": "3", "start": "2013-05-15", "end": "2013-05-21", "signals": ["performance"],
    "metric": "auc", "value": 0.61, "answers": 0.02, "drifted": ["dep_delay"], "skew": 0.25,
    "train": True, "reason": "performance in 2 of the last 3 windows",
}  # fmt: skip


class Ti:
    run_id = "manual__1"

    def __init__(self):
        self.pushed = {}

    def xcom_push(self, key, value):
        self.pushed[key] = value


def due(monkeypatch, days, *, champion=True, monitored="", run_type="scheduled", logged=True, trained="4"):
    """Whether it is due, and what the task keeps, with gold for so many days after the champion's training."""
    version = SimpleNamespace(
        version="3",
        tags={"monitored": monitored} if monitored else {},
        manifest=lambda: SimpleNamespace(window=SimpleNamespace(end=UNTIL)),
    )
    monkeypatch.setattr("flightline.hooks.lake.LakeHook", lambda: SimpleNamespace(lake="lake"))
    monkeypatch.setattr("flightline.hooks.mlflow.MlflowHook", lambda: SimpleNamespace(get_conn=lambda: "client"))
    monkeypatch.setattr("include.stages.registry.champion", lambda *_: version if champion else None)
    monkeypatch.setattr("include.stages.registry.newest", lambda *_, tagged: SimpleNamespace(version=trained))
    monkeypatch.setattr("include.foundation.lake.tables.days", lambda *_: [UNTIL + timedelta(days=days)])

    def snapshot(_, identifier):
        if identifier == SPEC.predictions_table and not logged:
            raise MissingInput("no such table")
        return 42

    monkeypatch.setattr("include.foundation.lake.tables.current_snapshot_id", snapshot)
    ti = Ti()
    return monitor.due.function(SPEC.name, dag_run=SimpleNamespace(run_type=run_type), ti=ti), ti.pushed


@pytest.mark.parametrize(
    ("days", "known", "says"),
    [
        (30, {"champion": False}, "there is no champion to watch: promote a version first"),
        (6, {}, "gold ends on 2013-05-06: no whole window of 7 days since 2013-04-30"),
        (-3, {}, "no whole window"),
        (20, {"monitored": "2013-05-14: ordinary"}, "the windows up to 2013-05-14 were looked at"),
    ],
)
def test_nothing_new_to_look_at_is_said(monkeypatch, days, known, says):
    wanted, kept = due(monkeypatch, days, **known)
    assert not wanted
    assert says in kept["note"]
    assert "input" not in kept


@pytest.mark.parametrize(
    ("days", "known", "says"),
    [(30, {"champion": False}, "promote a version first"), (6, {}, "no whole window of 7 days since 2013-04-30")],
)
def test_a_run_by_hand_that_has_nothing_to_look_at_fails(monkeypatch, days, known, says):
    with pytest.raises(AirflowFailException, match=says):
        due(monkeypatch, days, **known, run_type="manual")


def test_a_run_by_hand_looks_again(monkeypatch):
    wanted, kept = due(monkeypatch, 20, monitored="2013-05-14: ordinary", run_type="manual")
    assert wanted
    assert kept["input"].endswith(", asked in manual__1"), "the record of what was seen before is not its answer"


@pytest.mark.parametrize("monitored", ["", "2013-05-07: ordinary"])
def test_a_new_window_is_looked_at_once_for_each_state_of_champion_gold_and_log(monkeypatch, monitored):
    wanted, kept = due(monkeypatch, 14, monitored=monitored)
    assert wanted
    assert kept["input"] == "version 3, trained up to 4, gold 42, predictions 42"
    assert due(monkeypatch, 14, logged=False)[1]["input"] == "version 3, trained up to 4, gold 42, predictions None"
    assert due(monkeypatch, 14, trained="5")[1]["input"] == "version 3, trained up to 5, gold 42, predictions 42"


@pytest.fixture
def pushed_values(monkeypatch):
    """What was pushed."""
    found = {}
    monkeypatch.setattr(PushgatewayHook, "push", lambda _, ti, values: found.update(values))
    return found


def test_what_was_seen_is_pushed(pushed_values):
    monitor.verdict.function(SPEC.name, SEEN, ti=Ti())
    assert pushed_values == {
        pushed.WINDOW_VALUE: {"auc": 0.61},
        pushed.WINDOW_ANSWERS: 0.02,
        pushed.WINDOW_DRIFTED: 1,
        pushed.WINDOW_SIGNAL: {"performance": 1, "features": 0, "answers": 0, "age": 0},
        pushed.WINDOW_SKEW: 0.25,
        pushed.RETRAINING: 1,
    }


def test_a_window_without_labels_has_no_value(pushed_values):
    monitor.verdict.function(SPEC.name, {**SEEN, "value": None, "skew": None}, ti=Ti())
    assert not {pushed.WINDOW_VALUE, pushed.WINDOW_SKEW} & {*pushed_values}


@pytest.mark.usefixtures("pushed_values")
def test_what_was_seen_is_one_sentence():
    ti = Ti()
    monitor.verdict.function(SPEC.name, SEEN, ti=ti)
    assert ti.pushed["note"] == (
        "flight_delays version 3, 2013-05-15 to 2013-05-21: performance; training again: performance in 2 of the last "
        "3 windows"
    )


def test_a_training_is_asked_for_with_its_reason_or_not_at_all():
    asked = SimpleNamespace(keys=[], extra={})
    asked.add_partitions = asked.keys.extend
    events = defaultdict(lambda: asked)
    monitor.retrain.function(SPEC.name, SEEN, outlet_events=events)
    assert [*events] == [assets.retrain(SPEC)]
    assert asked.keys == ["2013-05-21"]
    assert asked.extra == {"champion": "3", "reason": SEEN["reason"]}
    with pytest.raises(AirflowSkipException, match="performance in 2 of the last 3"):
        monitor.retrain.function(SPEC.name, {**SEEN, "train": False}, outlet_events={})
