import json

import pytest

from flightline.exceptions import (
    ArgoCDOperationInProgress,
    ArgoCDRefused,
    ArgoCDSyncWindowClosed,
    ArgoCDUnavailable,
)
from flightline.hooks.argocd import ArgoCDHook

GET = "GET /api/v1/applications/web"
SYNC = "POST /api/v1/applications/web/sync"


@pytest.mark.parametrize(
    ("fields", "url"),
    [
        ({"host": "argocd.agency.gov"}, "https://argocd.agency.gov"),
        ({"host": "https://argocd.agency.gov/"}, "https://argocd.agency.gov"),
        ({"host": "127.0.0.1", "schema": "http", "port": 8080}, "http://127.0.0.1:8080"),
    ],
)
def test_url_of_the_connection(monkeypatch, fields, url):
    monkeypatch.setenv("AIRFLOW_CONN_ARGOCD", json.dumps({"conn_type": "http", **fields}))
    assert ArgoCDHook().url == url
    assert ArgoCDHook().page("web") == f"{url}/applications/argocd/web"


def test_every_call_sends_project_token_and_the_exact_content_type(argo):
    hook = ArgoCDHook(project="flight")
    argo.on(GET, {"metadata": {}})
    argo.on("POST /api/v1/applications", {})
    argo.on(SYNC, {})
    argo.on("DELETE /api/v1/applications/web/operation", {})
    argo.on("GET /api/v1/applications/web/resource-tree", {"nodes": [{"kind": "Pod"}]})
    hook.application("web")
    hook.application("web", refresh=True)
    hook.ensure({"metadata": {"name": "web"}, "spec": {}})
    hook.sync("web", revision="c0ffee", prune=True, infos={"flightline": "d/r/t"})
    hook.terminate("web")
    assert hook.resources("web") == [{"kind": "Pod"}]
    assert len(argo.requests) == 6
    for _, _, query, _, headers in argo.requests:
        assert "project=flight" in query
        assert headers["Authorization"] == "Bearer t0k3n"
        assert headers["Content-Type"] == "application/json"
    assert "refresh=normal" in argo.requests[1][2]
    assert "upsert=true" in argo.requests[2][2]
    ((_, body, _),) = argo.sent(SYNC)
    assert body == {
        "revision": "c0ffee",
        "prune": True,
        "infos": [{"name": "flightline", "value": "d/r/t"}],
        "project": "flight",
    }


LOGS = "GET /api/v1/applications/web/pods/web-1/logs"
POD = {"kind": "Pod", "namespace": "ns", "name": "web-1"}


def entry(content):
    return json.dumps({"result": {"content": content, "podName": "web-1"}}) + "\n"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("KeyError: 'origin'", "KeyError: 'origin'"),
        ("x" * 1000, "x" * 300),
        ("cannot connect with DB_PASSWORD=hunter2 to db", "cannot connect with ***"),
        ('{"api_key": "hunter2"}', '{"***'),
        ("Authorization: Bearer hunter2", "***"),
        ("postgresql://me:hunter2@db/x refused", "postgresql://***db/x refused"),
    ],
)
def test_the_last_log_line_is_bounded_and_tells_no_secret(argo, said, shown):
    argo.on(LOGS, entry(said) + entry(""))
    assert ArgoCDHook().last_log_line("web", POD) == shown
    ((query, _, _),) = argo.sent(LOGS)
    assert "project=default&namespace=ns&tailLines=1" in query


def test_the_container_before_is_asked_when_the_present_one_said_nothing(argo):
    argo.on(LOGS, "", entry("out of memory"))
    assert ArgoCDHook().last_log_line("web", POD) == "out of memory"
    assert "previous=true" in argo.sent(LOGS)[1][0]


@pytest.mark.parametrize("answer", [(404, {"message": "Not Found"}), (500, "<html>"), (None, ""), "[1]", "7"])
def test_without_logs_there_is_no_line(argo, answer):
    argo.on(LOGS, answer)
    assert ArgoCDHook().last_log_line("web", POD) == ""


def test_retries_until_it_answers(argo, capsys):
    argo.on(GET, (503, "starting"), (None, ""), (429, {"message": "slow down"}, {"Retry-After": "1"}), {"spec": {}})
    assert ArgoCDHook().application("web") == {"spec": {}}
    assert len(argo.requests) == 4
    said = capsys.readouterr().out
    assert "503 starting" in said
    assert "t0k3n" not in said


def test_retry_after_is_honoured(argo, monkeypatch):
    pauses = []
    monkeypatch.setattr("flightline.hooks.rest.time.sleep", pauses.append)
    argo.on(GET, (429, {}, {"Retry-After": "7"}), (503, {}, {"Retry-After": "9999"}), (502, ""), {"spec": {}})
    ArgoCDHook().application("web")
    assert 7 <= pauses[0] <= 7 * 1.25
    assert 30 <= pauses[1] <= 30 * 1.25
    assert 2 <= pauses[2] <= 2 * 1.25


DOWN = "application spec for web is invalid: InvalidSpecError: rpc error: code = Unavailable desc = connection refused"


def test_a_part_of_argo_cd_that_restarts_is_waited_for(argo):
    argo.on("POST /api/v1/applications", (400, {"code": 3, "message": DOWN}), {"metadata": {"name": "web"}})
    assert ArgoCDHook().ensure({"metadata": {"name": "web"}, "spec": {}}) == {"metadata": {"name": "web"}}
    assert len(argo.requests) == 2
    argo.on("POST /api/v1/applications", (400, {"code": 3, "message": DOWN}))
    with pytest.raises(ArgoCDUnavailable, match="400 application spec for web is invalid"):
        ArgoCDHook().ensure({"metadata": {"name": "web"}, "spec": {}})


def test_gives_up_and_names_the_server_and_the_fault(argo):
    argo.on(GET, (502, {"message": "no upstream"}))
    with pytest.raises(
        ArgoCDUnavailable, match=rf"web: http://127.0.0.1:{argo.port} did not answer GET .*: 502 no upstream"
    ):
        ArgoCDHook().application("web")
    assert len(argo.requests) == 5


def test_refresh_is_asked_once(argo):
    argo.on(GET, (504, {"message": "refresh deadline exceeded"}))
    with pytest.raises(ArgoCDUnavailable):
        ArgoCDHook().application("web", refresh=True)
    assert len(argo.requests) == 1


def test_nobody_listens(monkeypatch):
    monkeypatch.setattr("flightline.hooks.rest.time.sleep", lambda seconds: None)
    monkeypatch.setenv("AIRFLOW_CONN_ARGOCD", json.dumps({"conn_type": "http", "host": "http://127.0.0.1", "port": 9}))
    with pytest.raises(ArgoCDUnavailable, match="ConnectError"):
        ArgoCDHook().application("web")


@pytest.mark.parametrize(
    ("status", "message", "error"),
    [
        (400, "another operation is already in progress", ArgoCDOperationInProgress),
        (403, "cannot sync: blocked by sync window", ArgoCDSyncWindowClosed),
        (400, "unable to resolve 'x' to a commit SHA", ArgoCDRefused),
        (401, "no session information", ArgoCDRefused),
        (403, "permission denied", ArgoCDRefused),
        (404, 'applications.argoproj.io "web" not found', ArgoCDRefused),
        (501, "left out", ArgoCDRefused),
    ],
)
def test_refusals_have_names_and_are_not_repeated(argo, status, message, error):
    argo.on(SYNC, (status, {"error": message, "code": 0, "message": message}))
    with pytest.raises(error, match=f"web: .*{message}"):
        ArgoCDHook().sync("web", revision="x", prune=False, infos={})
    assert len(argo.requests) == 1


def test_another_server(argo):
    argo.on(GET, "<html>please log in</html>")
    with pytest.raises(ArgoCDRefused, match="without JSON, is it Argo CD"):
        ArgoCDHook().application("web")


def test_plain_text_refusal(argo):
    argo.on(SYNC, (415, "Invalid content type"))
    with pytest.raises(ArgoCDRefused, match="415: Invalid content type"):
        ArgoCDHook().sync("web", revision="x", prune=False, infos={})
