import time

from sandbox.rancher.tokens import Tokens


def test_a_token_holds_until_its_time_or_its_revocation(tmp_path, monkeypatch):
    tokens = Tokens(tmp_path / "tokens.json", "token-first:secret")
    short, long = tokens.make("token-", seconds=60), tokens.make("token-", seconds=0, cluster="c-m-1")
    assert tokens.find("token-first:secret")
    assert tokens.find(short)
    assert tokens.find(long).cluster == "c-m-1"
    assert tokens.find(f"{short}x") is None
    assert tokens.find("token-none:x") is None
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 61)
    assert tokens.find(short) is None
    assert tokens.find(long)
    assert tokens.revoke(long.partition(":")[0])
    assert not tokens.revoke(long.partition(":")[0])
    assert tokens.find(long) is None


def test_tokens_outlive_a_restart_and_their_secrets_are_not_kept(tmp_path):
    made = Tokens(tmp_path / "tokens.json", "token-first:secret").make("token-", seconds=60)
    text = (tmp_path / "tokens.json").read_text()
    assert made.partition(":")[2] not in text
    assert "secret" not in text
    assert Tokens(tmp_path / "tokens.json", "token-other:x").find(made)
