"""The API without clusters: which bodies it takes."""

import pytest
from starlette.testclient import TestClient

from sandbox.rancher.api import Api
from sandbox.rancher.tokens import Tokens

LOGINS = ("/v1-public/login", "/v3-public/localProviders/local")


@pytest.fixture
def client(tmp_path):
    tokens = Tokens(tmp_path / "tokens.json", "token-a:s3cr3t")
    return TestClient(Api(members=[], tokens=tokens, password="right", url="http://127.0.0.1:1", old=False))


@pytest.mark.parametrize("path", LOGINS)
def test_who_knows_the_password_gets_a_token(client, path):
    assert client.post(path, json={"username": "admin", "password": "right"}).status_code == 201
    assert client.post(path, json={"username": "admin", "password": "wrong"}).status_code == 401


@pytest.mark.parametrize("path", LOGINS)
@pytest.mark.parametrize(
    ("content", "status"),
    [(b'{"a":' * 5000 + b"1" + b"}" * 5000, 400), (b"[]", 400), (b"{", 400), (b"\xff", 400), (b" " * (2**20 + 1), 413)],
)
def test_what_is_no_plain_json_object_or_too_large_is_refused_before_login(client, path, content, status):
    answer = client.post(path, content=content)
    assert (answer.status_code, answer.json()["type"]) == (status, "error")


@pytest.mark.parametrize("kind", ["tokens", "kubeconfigs"])
@pytest.mark.parametrize("spec", [["a"], "a", {"clusters": {"a": 1}, "ttl": "1"}, {"clusters": [{}], "ttl": []}])
def test_a_spec_of_another_shape_is_refused(client, kind, spec):
    known = {"authorization": "Bearer token-a:s3cr3t"}
    answer = client.post(f"/apis/ext.cattle.io/v1/{kind}", json={"spec": spec}, headers=known)
    assert (answer.status_code, answer.json()["reason"]) == (400, "BadRequest")
