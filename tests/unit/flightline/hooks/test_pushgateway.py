import base64
import logging
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from types import SimpleNamespace

import pytest
from airflow.sdk import Connection
from airflow.sdk.exceptions import AirflowNotFoundException

from flightline.hooks.pushgateway import PushgatewayHook
from include.stages.observability import pushed

TASK = SimpleNamespace(dag_id="flight_delays.ingest", task_id="reconcile")


@pytest.fixture
def gateway() -> Iterator[tuple[int, list[tuple[str, str, str, str]]]]:
    """The port of a server, and what it was sent: method, path, authorization, body."""
    taken: list[tuple[str, str, str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            taken.append((self.command, self.path, self.headers.get("authorization", ""), body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port, taken
        server.shutdown()
        thread.join()


def _connect(monkeypatch: pytest.MonkeyPatch, **fields: object) -> PushgatewayHook:
    found = Connection(conn_id="pushgateway", conn_type="http", host="127.0.0.1", **fields)
    monkeypatch.setattr(PushgatewayHook, "get_connection", lambda *_: found)
    return PushgatewayHook()


def test_a_tasks_metrics_are_a_group_of_their_own(gateway, monkeypatch) -> None:
    port, taken = gateway
    _connect(monkeypatch, port=port, login="u", password="p").push(TASK, {pushed.LANDED: {"flights": 3}})
    ((method, path, authorization, body),) = taken
    assert method == "POST"  # PUT would delete the group's other metrics
    assert path == "/metrics/job/flightline/dag/ingest/task/reconcile/use_case/flight_delays"
    assert authorization == f"Basic {base64.b64encode(b'u:p').decode()}"
    assert 'flightline_landed_rows{source="flights"} 3.0' in body


def test_without_a_connection_nothing_is_pushed(monkeypatch) -> None:
    def missing(*_: object) -> None:
        raise AirflowNotFoundException("no such connection")

    monkeypatch.setattr(PushgatewayHook, "get_connection", missing)
    PushgatewayHook().push(TASK, {pushed.RUN_SECONDS: 1.0})


def test_a_gateway_that_is_down_costs_a_warning_not_the_work(gateway, monkeypatch, caplog) -> None:
    hook = _connect(monkeypatch, port=1)
    with caplog.at_level(logging.WARNING):
        hook.push(TASK, {pushed.RUN_SECONDS: 1.0})
    assert "the Pushgateway at http://127.0.0.1:1 took no metrics of flight_delays.ingest" in caplog.text
