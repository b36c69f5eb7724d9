import logging
from threading import Event
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import AirflowNotFoundException

from flightline import background


def _connections(monkeypatch: pytest.MonkeyPatch, get: object) -> None:
    monkeypatch.setattr("airflow.models.Connection", SimpleNamespace(get_connection_from_secrets=get))


def test_work_gets_the_connection_while_the_caller_goes_on(monkeypatch) -> None:
    _connections(monkeypatch, lambda conn_id: f"connection {conn_id}")
    free, done, given = Event(), Event(), []

    def work(connection: object) -> None:
        free.wait(10)
        given.append(connection)
        done.set()

    background.with_connection("x", work)
    assert given == []
    free.set()
    assert done.wait(10)
    assert given == ["connection x"]


def test_no_connection_means_no_work(monkeypatch, caplog) -> None:
    def missing(_: str) -> None:
        raise AirflowNotFoundException("no such connection")

    _connections(monkeypatch, missing)
    with caplog.at_level(logging.DEBUG):
        background._do("x", pytest.fail)
    assert caplog.messages == ["there is no Connection x"]


def test_what_goes_wrong_is_in_the_log_and_nowhere_else(monkeypatch, caplog) -> None:
    _connections(monkeypatch, lambda _: None)
    with caplog.at_level(logging.ERROR):
        background._do("x", lambda _: 1 / 0)
    assert "work with Connection x failed" in caplog.text
