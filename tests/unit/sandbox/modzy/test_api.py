"""The API without containers: who may ask, and which step may follow which."""

import json

import pytest
from starlette.testclient import TestClient

from sandbox.modzy.api import MAX_BYTES, Api
from sandbox.modzy.container import Registry
from sandbox.modzy.jobs import Jobs
from sandbox.modzy.models import Models

KEY = {"Authorization": "ApiKey a.b"}
REGISTRY = {"registry": {"url": "none/such:1"}}
INPUT = {"name": "input", "acceptedMediaTypes": "application/json", "maximumSize": 10, "description": ""}


@pytest.fixture
def client(tmp_path):
    (tmp_path / "images.json").write_text(json.dumps({}))
    models = Models(Registry(tmp_path / "images.json", tmp_path / "images"), tmp_path)
    app = Api(models=models, jobs=Jobs(models), key="a.b").app()
    return TestClient(app, base_url="http://127.0.0.1:8000", headers=KEY)


@pytest.fixture
def version(client):
    """The path of a version."""
    made = client.post("/api/models", json={"name": "Flights", "version": "1.0.0"})
    assert made.status_code == 200
    return f"/api/models/{made.json()['identifier']}/versions/1.0.0"


def test_nobody_asks_without_a_key(client):
    answer = client.get("/api/models", headers={"Authorization": "ApiKey a.c"})
    assert (answer.status_code, answer.json()["message"]) == (401, "the API key is not valid")


def test_a_version_has_a_page(client, version):
    page = client.get(version.removeprefix("/api").replace("/versions", ""), headers={"Authorization": ""})
    assert page.status_code == 200
    assert "<h1>Flights 1.0.0</h1><p>draft" in page.text
    assert client.get("/models/none/1.0.0").status_code == 404


def test_what_the_published_client_asks_first_is_answered(client):
    assert client.get("/api/models").json() == []
    (requirement,) = client.get("/api/models/requirements/account").json()
    assert requirement["status"] == "ACTIVE"


@pytest.mark.parametrize(
    ("method", "step", "body", "status"),
    [
        ("POST", "/load-process", None, 400),
        ("POST", "/run-process", None, 400),
        ("PUT", "/sample-input", {}, 400),
        ("PATCH", "", {"inputs": [INPUT]}, 400),
        ("PATCH", "", {"status": "active"}, 400),
        ("PATCH", "", {"status": "inactive"}, 422),
        ("GET", "/container-image", None, 404),
        ("GET", "/run-process", None, 404),
    ],
)
def test_a_step_out_of_order_is_refused(client, version, method, step, body, status):
    answer = client.request(method, version + step, json=body)
    assert answer.status_code == status
    assert {*answer.json()} == {"statusCode", "status", "message", "reportErrorUrl"}


def test_an_image_that_is_not_there_is_told_when_it_is_loaded(client, version):
    assert client.post(f"{version}/container-image", json=REGISTRY).status_code == 200
    while client.get(f"{version}/container-image").json()["percentage"] < 100:
        pass
    while (answer := client.post(f"{version}/load-process")).status_code == 400:
        assert answer.json()["message"] == "image was not pulled yet"
    assert (answer.status_code, answer.json()["message"]) == (422, "failed to pull image none/such:1: not found")


def test_a_version_is_there_once_and_jobs_want_an_active_one(client, version):
    model = version.rpartition("/versions/")[0]
    assert client.post(f"{model}/versions", json={"version": "1.0.0"}).status_code == 409
    assert client.post(f"{model}/versions", json={"version": "1.1.0"}).status_code == 200
    asked = {"model": {"identifier": model.rpartition("/")[2], "version": "1.0.0"}}
    assert client.post("/api/jobs", json=asked).status_code == 422
    assert client.get("/api/jobs/none").status_code == 404


def test_models_outlive_a_restart(client, version, tmp_path):
    again = Models(Registry(tmp_path / "images.json", tmp_path / "images"), tmp_path)
    assert [card["name"] for card in again.cards.values()] == ["Flights"]


def test_a_body_that_is_too_large_or_too_deep_is_refused(client):
    large = client.post("/api/models", headers={"Content-Length": str(MAX_BYTES + 1)}, content=iter([b"{}"]))
    assert (large.status_code, large.json()["message"]) == (413, "a body has 67108864 bytes at most")
    deep = client.post("/api/models", content=b'{"a":' * 5000 + b"1" + b"}" * 5000)
    assert (deep.status_code, "levels deep" in deep.json()["message"]) == (400, True)
