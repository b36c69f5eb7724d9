import asyncio
import json
import socketserver
import ssl
from collections.abc import Iterator
from contextlib import suppress
from threading import Thread
from types import SimpleNamespace

import pytest
from airflow.sdk import Connection
from airflow.sdk.exceptions import AirflowNotFoundException

from flightline import notices
from include.foundation.spec import load


@pytest.fixture(params=["none"])
def mail_server(
    request: pytest.FixtureRequest, certificate: tuple[ssl.SSLContext, str]
) -> Iterator[tuple[int, list[str]]]:
    """The port of a server that speaks as much of RFC 5321 and 3207 as a client needs, and the lines that it was sent.

    Its parameter says from when on it speaks TLS.
    """
    lines: list[str] = []

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):  # who does not believe the certificate hangs up
                self.speak(secure=request.param == "ssl")
                self.file.write(b"220 here\r\n")
                self.listen()

        def speak(self, *, secure: bool) -> None:
            if secure:
                self.request = certificate[0].wrap_socket(self.request, server_side=True)
            self.file = self.request.makefile("rwb", buffering=0)

        def listen(self) -> None:
            in_data = False
            for line in iter(lambda: self.file.readline().decode().rstrip("\r\n"), "QUIT"):
                lines.append(line)
                in_data = (in_data or line == "data") and line != "."
                if line == "STARTTLS":
                    self.file.write(b"220 go on\r\n")
                    self.speak(secure=True)
                elif line.startswith("ehlo"):
                    self.file.write(b"250-here\r\n250 STARTTLS\r\n")
                elif not in_data or line == "data":
                    self.file.write(b"354 go on\r\n" if line == "data" else b"250 ok\r\n")
            self.file.write(b"221 bye\r\n")

    with socketserver.TCPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1], lines
        server.shutdown()
        thread.join()


def _mail(port: int, **extra: object) -> Connection:
    said = {"from": "flightline@example.org", "to": "owner@example.org", **extra}
    return _connection(conn_type="smtp", port=port, extra=json.dumps(said))


def _connection(**fields: object) -> Connection:
    return Connection(conn_id="notices", host="127.0.0.1", **fields)


def test_a_failure_names_what_failed_why_and_where_the_remedies_are() -> None:
    subject, text = notices.failure("flight_delays.train", "manual__1", "**fit** failed: the export differs")
    assert subject == "flight_delays.train failed"
    assert "**fit** failed: the export differs" in text
    assert "/dags/flight_delays.train/runs/manual__1" in text
    assert "No task said why" in notices.failure("flight_delays.train", "manual__1", "")[1]


def test_a_webhook_gets_what_slack_takes(server) -> None:
    server.on("POST /T0/B0/secret", {})
    connection = _connection(conn_type="http", port=server.port, password="T0/B0/secret")
    notices.send(connection, subject="x.train failed", text="why")
    assert [body for _, body, _ in server.sent("POST /T0/B0/secret")] == [{"text": "*x.train failed*\nwhy"}]


def test_a_webhook_that_refuses_or_is_away_is_an_error_without_the_secret(server) -> None:
    with pytest.raises(OSError, match="answered 404") as refused:
        notices.send(_connection(conn_type="http", port=server.port, password="secret"), subject="s", text="t")
    with pytest.raises(OSError, match="does not answer") as away:
        notices.send(_connection(conn_type="http", port=1, password="secret"), subject="s", text="t")
    assert "secret" not in f"{refused.value} {away.value}"


def test_mail_says_the_same(mail_server) -> None:
    port, lines = mail_server
    notices.send(_mail(port, tls="none"), subject="x.train failed", text="why")
    assert "Subject: Flightline: x.train failed" in lines
    assert "rcpt TO:<owner@example.org>" in lines
    assert "why" in lines


@pytest.mark.parametrize("mail_server", ["starttls", "ssl"], indirect=True)
def test_mail_goes_only_where_the_certificate_is_believed(mail_server, certificate, request) -> None:
    port, lines = mail_server
    tls = request.node.callspec.params["mail_server"]
    with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
        notices.send(_mail(port, tls=tls), subject="x.train failed", text="why")
    assert "why" not in lines
    for verify in (certificate[1], False):
        lines.clear()
        notices.send(_mail(port, tls=tls, verify=verify), subject="x.train failed", text="why")
        assert "why" in lines


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"conn_type": "smtp", "extra": '{"from": "a@b"}'}, "its extra lacks to"),
        (
            {"conn_type": "smtp", "extra": '{"from": "a@b", "to": "c@d", "tls": "SSL"}'},
            "tls is 'SSL'; it must be one of",
        ),
        ({"conn_type": "ftp"}, r"want http \(a webhook\) or smtp"),
    ],
)
def test_a_connection_that_cannot_be_used_says_why(fields, said) -> None:
    with pytest.raises(ValueError, match=said):
        notices.send(_connection(**fields), subject="s", text="t")


def test_who_is_late_is_told_in_hours(server, monkeypatch) -> None:
    server.on("POST /", {})

    async def found(_: str) -> Connection:
        return _connection(conn_type="http", port=server.port)

    monkeypatch.setattr(Connection, "async_get", found)
    asyncio.run(notices.late(dag_id="x.ingest", hours=6))
    ((_, body, _),) = server.sent("POST /")
    assert body["text"].startswith("*x.ingest is late*\nA run was not over 6 hours after it was queued.")


def test_without_a_connection_nobody_is_told_and_nothing_fails(monkeypatch, caplog) -> None:
    async def missing(_: str) -> Connection:
        raise AirflowNotFoundException("no such connection")

    monkeypatch.setattr(Connection, "async_get", missing)
    asyncio.run(notices.late(dag_id="x.ingest", hours=6))
    assert "x.ingest is late, and there is no Connection notices" in caplog.text


def test_a_deadline_is_counted_from_when_the_run_was_queued() -> None:
    spec = load("flight_delays")
    found = notices.deadline(spec, "ingest")
    assert found.interval.total_seconds() == spec.monitoring.run_hours * 3600
    assert found.callback.kwargs == {"dag_id": "flight_delays.ingest", "hours": spec.monitoring.run_hours}


def test_the_listener_does_not_wait(monkeypatch) -> None:
    given: list[tuple[str, object]] = []
    monkeypatch.setattr(notices, "with_connection", lambda *each: given.append(each))
    monkeypatch.setattr(notices.notes, "of", lambda _: "**fit** failed: disk full")
    notices.on_dag_run_failed(SimpleNamespace(dag_id="x.train", run_id="r"))
    ((conn_id, work),) = given
    assert conn_id == "notices"
    assert "disk full" in work.keywords["text"]
