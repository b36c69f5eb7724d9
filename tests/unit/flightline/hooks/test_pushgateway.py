import base64
import logging
import socketserver
import threading
from types import SimpleNamespace

import pytest
from airflow.sdk import Connection
from airflow.sdk.exceptions import AirflowNotFoundException

from flightline.hooks.pushgateway import PushgatewayHook
from include.stages.observability import pushed

TASK = SimpleNamespace(dag_id="flight_delays.ingest", task_id="reconcile")


GROUP = "POST /metrics/job/flightline/dag/ingest/task/reconcile/use_case/flight_delays"


def _connect(monkeypatch: pytest.MonkeyPatch, **fields: object) -> PushgatewayHook:
    found = Connection(conn_id="pushgateway", conn_type="http", host="127.0.0.1", **fields)
    monkeypatch.setattr(PushgatewayHook, "get_connection", lambda *_: found)
    return PushgatewayHook()


def test_a_tasks_metrics_are_a_group_of_their_own(server, monkeypatch) -> None:
    server.on(GROUP, {})  # POST: PUT would delete the group's other metrics
    _connect(monkeypatch, port=server.port, login="u", password="p").push(TASK, {pushed.LANDED: {"flights": 3}})
    ((_, body, headers),) = server.sent(GROUP)
    assert headers["Authorization"] == f"Basic {base64.b64encode(b'u:p').decode()}"
    assert 'flightline_landed_rows{source="flights"} 3.0' in body


def test_without_a_connection_nothing_is_pushed(monkeypatch, caplog) -> None:
    def missing(*_: object) -> None:
        raise AirflowNotFoundException("no such connection")

    monkeypatch.setattr(PushgatewayHook, "get_connection", missing)
    with caplog.at_level(logging.DEBUG):
        PushgatewayHook().push(TASK, {pushed.RUN_SECONDS: 1.0})
    assert [record.levelname for record in caplog.records] == ["DEBUG"]


def test_a_gateway_that_is_down_costs_a_warning_not_the_work(monkeypatch, caplog) -> None:
    hook = _connect(monkeypatch, port=1)
    with caplog.at_level(logging.WARNING):
        hook.push(TASK, {pushed.RUN_SECONDS: 1.0})
    assert "the Pushgateway at http://127.0.0.1:1 took no metrics of flight_delays.ingest" in caplog.text


def test_a_port_that_speaks_no_http_costs_no_more(monkeypatch, caplog) -> None:
    class Alert(socketserver.StreamRequestHandler):
        def handle(self) -> None:  # a TLS port's answer to what is no handshake (RFC 8446, 6)
            self.request.recv(65536)
            self.wfile.write(b"\x15\x03\x03\x00\x02\x02\x0a\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Alert) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        hook = _connect(monkeypatch, port=server.server_address[1])
        with caplog.at_level(logging.WARNING):
            hook.push(TASK, {pushed.RUN_SECONDS: 1.0})
        server.shutdown()
    assert "took no metrics of flight_delays.ingest" in caplog.text
