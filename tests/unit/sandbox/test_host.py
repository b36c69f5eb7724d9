import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from sandbox.host import OwnAddress

BASE = "http://127.0.0.1:8085"


@pytest.fixture
def client():
    return TestClient(OwnAddress(Starlette(routes=[Route("/", lambda _: PlainTextResponse("in"))])), base_url=BASE)


@pytest.mark.parametrize("host", ["127.0.0.1:8085", "localhost:8085", "LOCALHOST:8085"])
def test_own_address_is_answered(client, host):
    assert client.get("/", headers={"Host": host}).text == "in"


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8085", "127.0.0.1", "localhost:8086", "", "\xff"])
def test_any_other_host_is_refused_with_the_right_ones(client, host):
    answer = client.get("/", headers={"Host": host.encode("latin-1")})
    assert answer.status_code == 421
    assert "127.0.0.1:8085 and localhost:8085" in answer.json()["message"]
