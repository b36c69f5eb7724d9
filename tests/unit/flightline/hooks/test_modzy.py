import json

import pytest

from flightline.exceptions import ModzyRefused, ModzyUnavailable
from flightline.hooks.modzy import ModzyHook

VERSION = "/api/models/m1/versions/1.0.0"
REFUSAL = {"statusCode": 422, "status": "Unprocessable Entity", "message": "no such image", "reportErrorUrl": ""}


@pytest.fixture
def modzy(monkeypatch, server):
    """A scripted server behind the Connection `modzy`, without pauses between retries."""
    extra = {"registry": {"username": "puller", "password": "hidden"}, "image": "registry.example/flightline/market"}
    connection = {
        "conn_type": "http",
        "host": "127.0.0.1",
        "schema": "http",
        "port": server.port,
        "password": "public.private",
        "extra": extra,
    }
    monkeypatch.setenv("AIRFLOW_CONN_MODZY", json.dumps(connection))
    monkeypatch.setattr("flightline.hooks.rest.time.sleep", lambda seconds: None)
    return server


def test_the_key_goes_as_modzy_wants_it_and_a_passing_fault_is_waited_out(modzy):
    modzy.on(f"GET {VERSION}", (503, {"message": "restarting"}), (None, {}), {"status": "active"})
    assert ModzyHook().version("m1", "1.0.0") == {"status": "active"}
    first, *_ = modzy.sent(f"GET {VERSION}")
    assert first[2]["Authorization"] == "ApiKey public.private"
    assert len(modzy.sent(f"GET {VERSION}")) == 3


def test_what_may_not_be_repeated_is_not(modzy):
    modzy.on("POST /api/models", (503, {"message": "restarting"}))
    with pytest.raises(ModzyUnavailable, match="503 restarting"):
        ModzyHook().create("Flights", "1.0.0")
    assert len(modzy.sent("POST /api/models")) == 1


def test_a_model_is_found_by_its_whole_name(modzy):
    modzy.on("GET /api/models", [{"modelId": "m1"}, {"modelId": "m2"}])
    modzy.on("GET /api/models/m1", {"name": "Flights of old"})
    modzy.on("GET /api/models/m2", {"name": "Flights"})
    assert ModzyHook().find("Flights") == "m2"
    assert ModzyHook().find("Flight") is None


def test_a_refusal_is_final_and_says_what_modzy_said(modzy):
    modzy.on(f"POST {VERSION}/container-image", (422, REFUSAL))
    with pytest.raises(ModzyRefused, match="with 422: no such image") as caught:
        ModzyHook().set_image("m1", "1.0.0", "an/image:1")
    assert caught.value.status == 422
    ((_, body, _),) = modzy.sent(f"POST {VERSION}/container-image")
    assert body == {"registry": {"url": "an/image:1", "username": "puller", "password": "hidden"}}


def test_a_page_of_another_server_is_no_answer(modzy):
    modzy.on(f"GET {VERSION}", "<html>hello</html>")
    with pytest.raises(ModzyRefused, match="without JSON, is it Modzy"):
        ModzyHook().version("m1", "1.0.0")


def test_a_load_that_is_refused_for_a_moment_is_tried_again(modzy):
    modzy.on(f"POST {VERSION}/load-process", (400, {"message": "not pulled yet"}), (400, {"message": "not yet"}), {})
    ModzyHook().load("m1", "1.0.0")
    modzy.on(f"POST {VERSION}/load-process", (422, {"message": "no such image"}))
    with pytest.raises(ModzyRefused, match="no such image"):
        ModzyHook().load("m1", "1.0.0")
    assert len(modzy.sent(f"POST {VERSION}/load-process")) == 4


def test_progress_that_never_began_is_none(modzy):
    modzy.on(f"GET {VERSION}/run-process", (404, {"message": "none yet"}))
    assert ModzyHook().progress("m1", "1.0.0", "run-process") is None


def test_a_job_is_opened_filled_in_chunks_and_closed(modzy):
    modzy.on("POST /api/jobs", {"jobIdentifier": "j1"})
    modzy.on("GET /api/jobs/features", {"inputChunkMaximumSize": "1K"})
    modzy.on("POST /api/jobs/j1/a/input", {})
    modzy.on("POST /api/jobs/j1/close", {})
    assert ModzyHook().submit("m1", "1.0.0", {"a": {"input": b"x" * 2500}}) == "j1"
    chunks = modzy.sent("POST /api/jobs/j1/a/input")
    assert [body.count("x" * 500) for _, body, _ in chunks] == [2, 2, 1]
    assert not modzy.sent("DELETE /api/jobs/j1")


def test_a_job_that_cannot_be_filled_is_cancelled(modzy):
    modzy.on("POST /api/jobs", {"jobIdentifier": "j1"})
    modzy.on("GET /api/jobs/features", {})
    modzy.on("POST /api/jobs/j1/a/input", (413, {"message": "too large"}))
    modzy.on("DELETE /api/jobs/j1", {})
    with pytest.raises(ModzyRefused, match="too large"):
        ModzyHook().submit("m1", "1.0.0", {"a": {"input": b"x"}})
    assert len(modzy.sent("DELETE /api/jobs/j1")) == 1


def test_pages_and_images_are_the_connection_s(modzy):
    hook = ModzyHook()
    assert hook.page("m1", "1.0.0") == f"http://127.0.0.1:{modzy.port}/models/m1/1.0.0"
    assert hook.image == "registry.example/flightline/market"
