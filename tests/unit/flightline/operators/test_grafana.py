from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import AirflowNotFoundException, AirflowSkipException

from flightline.hooks.grafana import GrafanaHook
from flightline.operators.grafana import GrafanaAnnotationOperator

TI = SimpleNamespace(dag_id="flight_delays.promote", run_id="manual__1", task_id="annotate")


def _operator() -> GrafanaAnnotationOperator:
    return GrafanaAnnotationOperator(task_id="annotate", text="version 3 is the champion", tags=["deploy"])


def test_a_retry_finds_the_annotation_that_was_made(grafana) -> None:
    assert _operator().execute({"ti": TI}) == _operator().execute({"ti": TI}) == 1
    (made,) = grafana
    assert made["text"] == "version 3 is the champion"
    assert made["tags"] == ["flightline", "flight_delays", "deploy", "flight_delays.promote manual__1 annotate"]


def test_a_refusal_or_no_connection_skips_the_mark_and_not_the_work(grafana, monkeypatch) -> None:
    monkeypatch.setattr(GrafanaHook().get_connection("grafana"), "password", "wrong")
    with pytest.raises(AirflowSkipException, match=r"Grafana did not take the annotation: .*401"):
        _operator().execute({"ti": TI})

    def missing(*_: object) -> None:
        raise AirflowNotFoundException("no such connection")

    monkeypatch.setattr(GrafanaHook, "get_connection", missing)
    with pytest.raises(AirflowSkipException, match="there is no Connection grafana"):
        _operator().execute({"ti": TI})


def test_what_is_shown_is_templated() -> None:
    assert {"text", "tags", "grafana_conn_id"} <= {*GrafanaAnnotationOperator.template_fields}
