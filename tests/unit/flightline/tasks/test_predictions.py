"""When the log is read, and when there is nothing that could be."""

import json
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from flightline.tasks import predictions
from include.foundation.errors import MissingInput
from include.foundation.lake import Lake
from include.foundation.spec import load
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


def consume() -> dict[str, Any]:
    found: dict[str, Any] = predictions.consume.function("flight_delays", run_id="r", ti=Notes())
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


def test_nothing_is_joined_before_something_was_logged() -> None:
    with pytest.raises(AirflowSkipException, match=r"silver\.flight_delays__predictions does not exist"):
        predictions.join.function("flight_delays", run_id="r", ti=Notes())


def test_the_log_is_no_source_of_the_features() -> None:
    spec = load("flight_delays")
    assert spec.predictions is not None
    assert spec.predictions.name not in [source.name for source in (*spec.sources, *spec.topics)]
