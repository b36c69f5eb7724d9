"""Home answers which model serves, trained on what, why promoted, by whom."""

import pytest

from flightline.ui import airflow_api, lookups
from include.foundation.spec.loading import names
from include.stages.promotion.served import Served


def test_it_says_what_serves_and_why(site):
    page = site.login("viewer").get("").text
    assert '<a href="/flightline/models/flight_delays/2"><strong>version 2</strong></a>' in page
    assert "2013-01-01 to 2013-04-30" in page
    assert "snapshot 8123456789012345678" in page
    assert "it passed 1 of 2 gates against version 1" in " ".join(page.split())
    assert "approved by Ada" in page
    assert "production: version 2" in page


@pytest.mark.parametrize(("served", "said"), [("2", "is champion now"), (None, "is champion yet")])
def test_a_champion_that_lost_its_alias_is_not_one_that_never_was(site, monkeypatch, served, said):
    monkeypatch.setattr(lookups, "versions", lambda _: [])
    deployed = lookups.Deployed(served=(Served(stage="production", version=served),))
    monkeypatch.setattr(lookups, "deployed", lambda _: deployed)
    assert f"no version {said}" in site.login("viewer").get("").text


def test_it_says_what_ran_failed_and_waits(site):
    page = site.login("viewer").get("loops").text
    assert page.count("Said &lt;script&gt;") == 5 * len(names())
    assert "Waits for a person" in page
    assert 'href="/dags/flight_delays.promote/runs/run 1/tasks/approve/required_actions"' in page
    assert '<li class="step failed">' in page
    assert "has not run yet" in page


def test_it_says_how_far_behind_the_data_are(site):
    assert "holds no day yet" in site.login("viewer").get("").text, "flights have none"


def test_who_may_see_no_use_case_is_told(site, monkeypatch):
    monkeypatch.setattr("flightline.ui.access.Visitor.may_read", lambda *_: False)
    assert "There is no use case that you may see" in site.login("viewer").get("").text


@pytest.mark.parametrize("path", ["", "models/flight_delays"])
def test_an_airflow_that_is_slow_hides_nothing_else(site, monkeypatch, path):
    monkeypatch.setattr(airflow_api, "SECONDS", 0.0)
    page = site.login("viewer").get(path)
    assert (page.status_code, "Airflow did not answer GET" in page.text) == (200, True), page.text
    assert "2013-01-01 to 2013-04-30" in page.text
