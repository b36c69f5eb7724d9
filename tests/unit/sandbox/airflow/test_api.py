"""The API's client against a server that fails now and then."""

import httpx
import pytest

from sandbox.airflow import api
from sandbox.airflow.api import AirflowApi


@pytest.fixture
def answers(monkeypatch):
    """Set what the server answers, in order; each is a status, or an exception to raise. Returns the calls made."""
    monkeypatch.setattr(api.time, "sleep", lambda seconds: None)

    def use(*outcomes, patience=60):
        left, calls = list(outcomes), []

        def handle(request):
            if request.url.path == "/auth/token":
                return httpx.Response(201, json={"access_token": "t"})
            calls.append(request.method)
            outcome = left.pop(0)
            if isinstance(outcome, Exception):
                raise outcome
            return httpx.Response(outcome, json={"dag_run_id": "r", "state": "success"})

        client = AirflowApi(url="http://airflow", username="u", password="p", patience=patience)
        client._http = httpx.Client(base_url="http://airflow", transport=httpx.MockTransport(handle))
        return client, calls

    return use


def test_a_question_is_asked_again_while_the_server_is_away_or_fails(answers):
    client, calls = answers(500, httpx.ReadError("reset"), httpx.ConnectError("refused"), 503, 200)
    assert client.run("d", "r")["state"] == "success"
    assert len(calls) == 5


def test_a_run_is_not_triggered_twice(answers):
    client, calls = answers(httpx.ConnectError("refused"), 200)
    assert client.trigger("d") == "r"
    client, calls = answers(500, 200)
    with pytest.raises(httpx.HTTPStatusError, match="POST /dags/d/dagRuns: 500"):
        client.trigger("d")
    client, calls = answers(httpx.ReadError("reset"), 200)
    with pytest.raises(httpx.ReadError):
        client.trigger("d")
    assert calls == ["POST"]


@pytest.mark.parametrize("outcome", [404, 422])
def test_a_refusal_is_final(answers, outcome):
    client, calls = answers(outcome, 200)
    with pytest.raises(httpx.HTTPStatusError, match=str(outcome)):
        client.run("d", "r")
    assert calls == ["GET"]


def test_without_patience_the_first_failure_is_told(answers):
    client, _ = answers(500, 200, patience=0)
    with pytest.raises(httpx.HTTPStatusError, match="500"):
        client.run("d", "r")
