import base64
import json

import pytest

from sandbox.argocd import accounts
from sandbox.argocd.accounts import Accounts
from sandbox.argocd.errors import ArgoError
from sandbox.argocd.store import Store


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state.sqlite"


@pytest.fixture
def known(path):
    return Accounts(Store(path), token="of-the-file", password="open sesame")


def refused(call):
    with pytest.raises(ArgoError) as raised:
        call()
    assert raised.value.http_status == 401
    return str(raised.value)


def test_login_gives_a_token_that_outlives_the_process(known, path):
    token = known.login("admin", "open sesame")
    payload = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert claims["iss"] == "argocd"
    assert claims["exp"] - claims["iat"] == 24 * 3600
    assert known.user(f"Bearer {token}") == "admin"
    assert Accounts(Store(path), token="x").user(f"Bearer {token}") == "admin"


def test_five_failures_block_the_login(known):
    for _ in range(5):
        assert refused(lambda: known.login("admin", "guess")) == "Invalid username or password"
    refused(lambda: known.login("admin", "open sesame"))


def test_without_a_password_nobody_logs_in(path):
    refused(lambda: Accounts(Store(path), token="x").login("admin", ""))


def test_token_of_the_file(known):
    assert known.user("Bearer of-the-file") == "flightline"


@pytest.mark.parametrize("header", [None, "", "Bearer ", "Basic of-the-file", "Bearer nonsense", "Bearer a.b.c"])
def test_others_are_refused(known, header):
    refused(lambda: known.user(header))


def test_forged_token_is_refused(known):
    head, payload, signature = known.login("admin", "open sesame").split(".")
    refused(lambda: known.user(f"Bearer {head}.{payload[:-2]}xx.{signature}"))


def test_issued_tokens(known, path, monkeypatch):
    forever = known.issue("flightline", token_id="ci", seconds=0)
    short = known.issue("flightline", token_id="short", seconds=60)
    again = Accounts(Store(path), token="x")
    assert again.user(f"Bearer {forever}") == "flightline"
    assert again.user(f"Bearer {short}") == "flightline"
    later = accounts.time.time() + 61
    monkeypatch.setattr(accounts.time, "time", lambda: later)
    assert refused(lambda: again.user(f"Bearer {short}")) == "invalid session: token is expired"
    assert again.user(f"Bearer {forever}") == "flightline"


@pytest.mark.parametrize(
    ("account", "status", "message"),
    [("nobody", 404, "does not exist"), ("admin", 500, "apiKey capability"), ("flightline", 500, "already has token")],
)
def test_tokens_that_are_not_issued(known, account, status, message):
    known.issue("flightline", token_id="ci", seconds=0)
    with pytest.raises(ArgoError, match=message) as raised:
        known.issue(account, token_id="ci", seconds=0)
    assert raised.value.http_status == status
