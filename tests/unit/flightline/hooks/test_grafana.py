import httpx
import pytest

from flightline.hooks.grafana import GrafanaHook


def test_what_has_the_key_is_not_made_again(grafana) -> None:
    hook = GrafanaHook()
    assert hook.annotate("run 1", "deployed", ["deploy"]) == hook.annotate("run 1", "deployed", ["deploy"]) == 1
    assert hook.annotate("run 2", "deployed", ["deploy"]) == 2
    assert [each["tags"] for each in grafana] == [["deploy", "run 1"], ["deploy", "run 2"]]


def test_a_refusal_is_an_error(grafana, monkeypatch) -> None:
    monkeypatch.setattr(GrafanaHook().get_connection("grafana"), "password", "wrong")
    with pytest.raises(httpx.HTTPStatusError, match="401"):
        GrafanaHook().annotate("run 1", "deployed", ["deploy"])
