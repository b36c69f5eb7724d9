"""What starts a training run, told from the events that Airflow hands to the task."""

import json
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import AirflowFailException
from airflow.sdk.execution_time.comms import AssetEventDagRunReferenceResult
from airflow.sdk.execution_time.context import TriggeringAssetEventsAccessor

from flightline import assets
from flightline.tasks import train
from include.foundation.errors import InvalidInput
from include.foundation.spec import load
from include.stages.observability import pushed

SPEC = load("flight_delays")


class AskedThePolicyError(Exception):
    pass


def due(monkeypatch, *started_by, run_type="asset_triggered"):
    """What the task says of a run that these assets' events started."""

    def ask():
        raise AskedThePolicyError

    monkeypatch.setattr("flightline.hooks.mlflow.MlflowHook", ask)
    nowhere = dict.fromkeys(("source_task_id", "source_dag_id", "source_run_id", "source_map_index"))
    events = [
        AssetEventDagRunReferenceResult.model_validate(
            {
                "asset": {"name": asset.name, "uri": asset.uri, "extra": {}},
                "extra": {},
                "source_aliases": [],
                "timestamp": datetime(2013, 5, 1, tzinfo=UTC),
                **nowhere,
            }
        )
        for asset in started_by
    ]
    run, found = SimpleNamespace(run_type=run_type), TriggeringAssetEventsAccessor.build(events)
    return train.due.function(SPEC.name, dag_run=run, triggering_asset_events=found)


def test_news_in_gold_train_by_the_policy_only(monkeypatch):
    with pytest.raises(AskedThePolicyError):
        due(monkeypatch, assets.gold(SPEC))


def test_who_asks_for_a_new_version_gets_one(monkeypatch):
    assert due(monkeypatch, assets.gold(SPEC), assets.retrain(SPEC))
    assert due(monkeypatch, run_type="manual")


def test_a_champion_that_lost_its_alias_stops_a_training_before_its_trials(monkeypatch):
    def lost(_client, _name):
        raise InvalidInput("promote version 3 to give it back")

    monkeypatch.setenv("AIRFLOW_CONN_MLFLOW", json.dumps({"conn_type": "http", "host": "127.0.0.1", "port": 1}))
    monkeypatch.setenv("AIRFLOW_CONN_LAKE", json.dumps({"conn_type": "aws"}))
    monkeypatch.setattr("include.stages.registry.champion", lost)
    with pytest.raises(AirflowFailException, match="promote version 3 to give it back"):
        train.freeze.function(SPEC.name, params={})


@pytest.mark.parametrize(("extra", "cost"), [({}, None), ({"hour_price": 6}, 0.02), ({"hour_price": "free"}, None)])
def test_a_training_costs_what_its_connection_says_of_an_hour(monkeypatch, extra, cost):
    monkeypatch.setenv("AIRFLOW_CONN_CLUSTER", json.dumps({"conn_type": "kubernetes", "extra": extra}))
    took = train._took("pods", {"seconds": 12.0, "gpu_seconds": 0.0, "cpu_seconds": 10.0, "memory_bytes": 1.0})
    assert took == {
        pushed.TRAINED_SECONDS: 12,
        pushed.TRAINED_GPU_SECONDS: 0,
        **({} if cost is None else {pushed.TRAINED_COST: cost}),
    }


def test_jobs_that_said_nothing_cost_nothing_known():
    assert train._took("pods", {}) == {}


def verdict(monkeypatch, *, gate, champion):
    """What `verdict` announces of version 2, and the sentence that it says."""
    gates = [("rows", True, "enough"), ("floor", False, "mae 9 must be at most 6"), ("champion", False, "is worse")]
    report = {"gates": [dict(zip(("name", "passed", "detail"), each, strict=True)) for each in gates]}
    hook = SimpleNamespace(
        get_conn=lambda: None, read_text=lambda _, path: json.dumps(report) if "json" in path else ""
    )
    monkeypatch.setattr("flightline.hooks.mlflow.MlflowHook", lambda: hook)
    monkeypatch.setattr("flightline.hooks.pushgateway.PushgatewayHook", lambda: SimpleNamespace(push=lambda *_: None))
    found = SimpleNamespace(gate=gate, manifest=lambda: SimpleNamespace(metrics={}))
    monkeypatch.setattr("include.stages.registry.get", lambda *_: found)
    held = champion and SimpleNamespace(version=champion)
    monkeypatch.setattr("include.stages.registry.champion", lambda *_: held)
    monkeypatch.setattr("include.stages.training.usage.total", lambda *_: {})
    announced, said = [], []
    events = {assets.model(SPEC): SimpleNamespace(add_partitions=announced.append, extra={})}
    ti = SimpleNamespace(xcom_push=lambda _, text: said.append(text))
    train.verdict.function(SPEC.name, {"run_id": "r", "frozen": {"window": {}}}, "2", outlet_events=events, ti=ti)
    return announced, said


@pytest.mark.parametrize("champion", [None, "1"])
def test_a_version_that_passed_is_announced(monkeypatch, champion):
    assert verdict(monkeypatch, gate="passed", champion=champion) == (["2"], ["version 2 passed its gates"])


def test_nobody_is_asked_to_promote_the_champion(monkeypatch):
    announced, (said,) = verdict(monkeypatch, gate="passed", champion="2")
    assert (announced, said[:33]) == ([], "version 2 is the champion already")


def test_a_version_that_failed_is_told_with_the_gates_that_it_failed(monkeypatch):
    with pytest.raises(AirflowFailException, match="floor: mae 9 must be at most 6; gate champion: is worse"):
        verdict(monkeypatch, gate="failed", champion="1")
