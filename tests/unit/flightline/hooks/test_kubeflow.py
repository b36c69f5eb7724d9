"""What the API answers when something is wrong (its good answers: tests/unit/sandbox/kubeflow/test_api.py)."""

import json

import pytest

from flightline.exceptions import KubeflowRefused, KubeflowUnavailable
from flightline.hooks.kubeflow import API, KubeflowHook


def said(code, message):
    detail = {"@type": "type.googleapis.com/google.rpc.Status", "code": code, "message": message}
    return {"code": code, "message": "rpc error", "details": [detail]}


@pytest.fixture
def hook(server, monkeypatch):
    monkeypatch.setattr("flightline.hooks.rest.time.sleep", lambda seconds: None)
    where = {"host": "127.0.0.1", "port": server.port, "schema": "http", "password": "t0k3n"}
    extra = {"namespace": "team", "page": "https://kubeflow.example/pipeline/"}
    monkeypatch.setenv("AIRFLOW_CONN_KUBEFLOW", json.dumps({"conn_type": "http", **where, "extra": extra}))
    return KubeflowHook()


def test_what_passes_is_tried_again(hook, server):
    server.on(f"GET {API}/runs/r", (503, "upstream connect error"), (429, said(8, "slow down")), {"state": "RUNNING"})
    assert hook.run("r") == {"state": "RUNNING"}
    server.on(f"GET {API}/runs/r", (None, {}))
    with pytest.raises(KubeflowUnavailable, match=f"did not answer GET {API}/runs/r"):
        hook.run("r")


def test_a_run_is_asked_for_once_as_the_api_would_start_another(hook, server):
    server.on(f"POST {API}/runs", (503, "upstream connect error"))
    with pytest.raises(KubeflowUnavailable):
        hook.create({"display_name": "fit"})
    assert len(server.sent(f"POST {API}/runs")) == 1


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((400, said(3, "Invalid input error: no pipeline")), "400: Invalid input error: no pipeline"),
        ((401, said(16, "there is no user identity header")), "401: there is no user"),
        ((400, {"error_message": "Failed to read", "error_details": "eof"}), "400: Failed to read"),
        ((200, "<html>login</html>"), "answered without JSON, is it Kubeflow Pipelines"),
        ((403, "x" * 5000), "403: x{500}\\.\\.\\."),
    ],
)
def test_what_never_passes_is_final_and_told_in_the_other_side_s_words(hook, server, answer, words):
    server.on(f"GET {API}/runs/r", answer)
    with pytest.raises(KubeflowRefused, match=words):
        hook.run("r")


def test_what_another_task_made_meanwhile_is_taken(hook, server):
    name, versions = f"GET {API}/pipelines/names/p", f"GET {API}/pipelines/1/versions"
    server.on(name, (404, said(5, "not found")), {"pipeline_id": "1"})
    server.on(f"POST {API}/pipelines", (409, said(6, "exists")))
    assert hook.pipeline("p") == "1"
    server.on(versions, {}, {"pipeline_versions": [{"name": "v", "pipeline_version_id": "2"}]})
    server.on(f"POST {API}/pipelines/upload_version", (409, {"error_message": "exists"}))
    assert hook.version("1", "v", "a: 1") == "2"
    server.on(f"GET {API}/experiments", {}, {"experiments": [{"display_name": "e", "experiment_id": "3"}]})
    server.on(f"POST {API}/experiments", (409, said(6, "exists")))
    assert hook.experiment("e") == "3"


def test_a_list_is_read_to_its_end_in_the_namespace(hook, server):
    one, two = ({"run_id": each, "created_at": "2026"} for each in "ab")
    server.on(f"GET {API}/runs", {"runs": [two], "next_page_token": "t"}, {"runs": [one]})
    assert [run["run_id"] for run in hook.runs("fit")] == ["a", "b"]
    queries = [query for query, _, _ in server.sent(f"GET {API}/runs")]
    assert all("namespace=team" in query for query in queries)
    assert "page_token=t" in queries[1]


def test_a_run_that_has_ended_is_left_alone(hook, server):
    server.on(f"GET {API}/runs/r", {"state": "CANCELED"})
    hook.terminate("r")
    assert len(server.requests) == 1


def test_a_run_has_a_page(hook):
    assert hook.page("r") == "https://kubeflow.example/pipeline/#/runs/details/r"
