"""Systems: the menu's ways to other systems, and the endpoints of what a visitor may see."""

import json
from datetime import UTC, datetime

import pytest

from flightline.ui import lookups
from include.stages.promotion import dora

FIGURES = dora.figures((), last_stage="production", now=datetime.now(UTC))


@pytest.mark.parametrize("name", ["mlflow", "argocd"])
def test_an_entry_leads_to_the_system_of_its_connection(site, monkeypatch, name):
    connection = {"conn_type": "http", "host": f"https://{name}.example"}
    monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(connection))
    answer = site.login("viewer").get(name)
    assert (answer.status_code, answer.headers["location"]) == (307, f"https://{name}.example")


def test_endpoints_are_listed_and_what_is_not_deployed_says_so(site, monkeypatch):
    monkeypatch.setattr(lookups, "deployed", lambda _: lookups.Deployed(dora=FIGURES, fault="<half> is known"))
    page = site.login("viewer").get("endpoints").text
    assert 'href="https://flight_delays.example/staging"' in page
    assert "none: &lt;script&gt;" in page
    assert "0 deploys in 90 days" in page
    assert "&lt;half&gt; is known" in page


def test_endpoints_are_of_use_cases_that_he_may_see(site, monkeypatch):
    monkeypatch.setattr("flightline.ui.access.Visitor.may_read", lambda _, name: name == "digits")
    page = site.login("viewer").get("endpoints").text
    assert "https://digits.example/staging" in page
    assert "flight_delays" not in page
    monkeypatch.setattr("flightline.ui.access.Visitor.may_read", lambda *_: False)
    assert "There is no use case that you may see" in site.get("endpoints").text
