"""When the log is read, and when there is nothing that could be."""

import json
from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from confluent_kafka import Producer

from flightline.tasks import predictions
from include.foundation.artifact import Metadata
from include.foundation.errors import MissingInput
from include.foundation.lake import Lake, tables
from include.foundation.lake.commit import replace_days
from include.foundation.problem import problem
from include.foundation.spec import load, module
from include.services.serving.metrics import Metrics
from include.services.serving.prediction_log import PredictionLog
from include.stages.ingest.topics import bronze


class Notes:
    def xcom_push(self, *_: Any, **__: Any) -> None:
        pass


@pytest.fixture(autouse=True)
def lake(folder_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> Lake:
    monkeypatch.setattr("flightline.hooks.lake.LakeHook.lake", folder_lake)
    extra = {"bootstrap.servers": "127.0.0.1:1", "log_level": 0}
    monkeypatch.setenv("AIRFLOW_CONN_KAFKA", json.dumps({"conn_type": "kafka", "extra": extra}))
    return folder_lake


def consume(dag_run: Any = None) -> dict[str, Any]:
    found: dict[str, Any] = predictions.consume.function("flight_delays", run_id="r", dag_run=dag_run, ti=Notes())
    return found


def test_without_a_connection_nothing_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_KAFKA")
    with pytest.raises(AirflowSkipException, match="no Connection `kafka`"):
        consume()


def test_without_a_topic_nothing_was_logged_unless_it_was_read_before(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(*_: Any, **__: Any) -> None:
        raise MissingInput("no topic")

    monkeypatch.setattr(predictions, "read_topic", absent)
    with pytest.raises(AirflowSkipException, match=r"no topic predictions\.flight_delays"):
        consume()
    monkeypatch.setattr(bronze, "read_up_to", lambda *_: {"predictions.flight_delays/0": 7})
    with pytest.raises(MissingInput):
        consume()


def test_a_person_who_asks_is_told_that_there_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    by_hand, scheduled = (SimpleNamespace(run_type=each) for each in ("manual", "scheduled"))
    with pytest.raises(AirflowFailException, match=r"silver\.flight_delays__predictions does not exist"):
        predictions.join.function("flight_delays", run_id="r", dag_run=by_hand, ti=Notes())
    monkeypatch.delenv("AIRFLOW_CONN_KAFKA")
    with pytest.raises(AirflowFailException, match="no Connection `kafka`"):
        consume(by_hand)
    with pytest.raises(AirflowSkipException, match="no Connection `kafka`"):
        consume(scheduled)


def test_nothing_is_joined_before_something_was_logged() -> None:
    with pytest.raises(AirflowSkipException, match=r"silver\.flight_delays__predictions does not exist"):
        predictions.join.function("flight_delays", run_id="r", ti=Notes())


def test_what_serving_logs_is_read_and_joined(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    broker = Producer({"test.mock.num.brokers": 1, "log_level": 0})
    (node,) = broker.list_topics(timeout=30).brokers.values()
    kafka = {"bootstrap.servers": f"{node.host}:{node.port}", "log_level": 0}
    monkeypatch.setenv("AIRFLOW_CONN_KAFKA", json.dumps({"conn_type": "kafka", "extra": kafka}))
    features = module("flight_delays", "features")
    names = tuple(features.FEATURES)
    asked = features.Request.model_validate(features.Request.model_config["json_schema_extra"]["examples"][0])
    log = PredictionLog(
        {"bootstrap.servers": kafka["bootstrap.servers"]},
        topic="predictions.flight_delays",
        about={"use_case": "flight_delays", "version": "3", "model_digest": f"sha256:{'a' * 64}", "stage": "staging"},
        metadata=Metadata(use_case="flight_delays", features=names, categories={"carrier": ("UA",)}, created_from={}),
        metrics=Metrics(problem("binary")),
    )
    row, answer = np.arange(len(names), dtype=np.float32), np.float32(0.1)
    log.write("r-1", [vars(asked), None], [row, row * np.nan], [answer, answer])
    log.close()
    gold = pl.DataFrame([{**vars(asked), "id": "g", "label": 1}]).with_columns(
        pl.col("sched_dep").cast(pl.Datetime("us", "UTC")),
        pl.lit(date(2013, 1, 1)).alias("event_date"),
        label_known_at=pl.lit(datetime(2013, 1, 1, 20, tzinfo=UTC)).cast(pl.Datetime("us", "UTC")),
    )
    replace_days(lake, "gold.flight_delays", gold, [date(2013, 1, 1)], {})

    assert {"messages": 2, "quarantined": 0}.items() <= consume().items()
    joined = predictions.join.function("flight_delays", run_id="r", ti=Notes())
    assert {"rows": 2, "found": 1, "labelled": 1}.items() <= joined.items()
    found = tables.read(lake, "predictions.flight_delays").sort("row").to_dicts()
    assert [(each["row"], each["id"], each["label"]) for each in found] == [(0, "g", 1), (1, None, None)]
    assert np.float32(found[0]["answer"][0]) == answer
    assert json.loads(found[0]["features"]) == {name: "UA" if name == "carrier" else n for n, name in enumerate(names)}
    assert {"messages": 0}.items() <= consume().items()
    assert predictions.join.function("flight_delays", run_id="again", ti=Notes())["days"] == []


def test_the_log_is_no_source_of_the_features() -> None:
    spec = load("flight_delays")
    assert spec.predictions is not None
    assert spec.predictions.name not in [source.name for source in (*spec.sources, *spec.topics)]
