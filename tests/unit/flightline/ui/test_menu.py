import json

import pytest
from airflow.api_fastapi.core_api.security import get_user
from fastapi.testclient import TestClient

from flightline.hooks.cluster import ClusterHook
from flightline.hooks.gitops import GitOpsHook
from flightline.ui import menu
from include.foundation.errors import ServiceUnavailable


@pytest.fixture
def client(monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_GITOPS", json.dumps({"conn_type": "git", "host": "file:///nowhere"}))
    for name in ("mlflow", "argocd"):
        connection = {"conn_type": "http", "host": f"https://{name}.example"}
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(connection))
    menu._pages.cache_clear()
    yield TestClient(menu.app, follow_redirects=False)
    menu._pages.cache_clear()


@pytest.fixture
def user(client):
    menu._pages().dependency_overrides[get_user] = lambda: "somebody"
    return client


@pytest.mark.parametrize("path", menu.NAMES)
def test_nobody_is_shown_where_the_systems_are_without_a_login(client, path) -> None:
    assert client.get(f"/{path}").status_code == 401


@pytest.mark.parametrize("name", ["mlflow", "argocd"])
def test_an_entry_leads_to_the_system_of_its_connection(user, name) -> None:
    answer = user.get(f"/{name}")
    assert (answer.status_code, answer.headers["location"]) == (307, f"https://{name}.example")


def test_endpoints_are_listed_and_what_is_not_deployed_says_so(user, monkeypatch) -> None:
    def endpoint(_, spec, stage) -> str:
        if stage.name == "staging":
            return f"http://10.0.0.1/{spec.slug}"
        raise ServiceUnavailable("<none> yet")

    monkeypatch.setattr(ClusterHook, "endpoint", endpoint)
    monkeypatch.setattr(GitOpsHook, "history", lambda *_: "")
    page = user.get("/endpoints").text
    assert '<a href="http://10.0.0.1/flight-delays">' in page
    assert "none (&lt;none&gt; yet)" in page
    assert "0 deploys in 90 days" in page
