"""Models: what is shown of versions, and what the buttons do."""

import json
from dataclasses import replace
from pathlib import Path

from flightline.ui import lookups

ROOT = Path(__file__).parents[4]


def test_versions_with_champion_and_metrics(site):
    page = site.login("viewer").get("models/flight_delays").text
    for words in (
        "version 1",
        "version 2",
        "version 3",
        "champion",
        "0.72",
        "failed",
        "Compare",
        "https://mlflow.example",
    ):
        assert words in page
    assert "Train a new version" not in page
    assert "starting a training needs a role" in page
    assert "Train a new version" in site.login("user").get("models/flight_delays").text


def test_grafanas_button_leads_to_the_dashboard_that_is_provisioned(site):
    made = json.loads((ROOT / "deploy/grafana/dashboards/flight_delays.json").read_text())
    assert f'href="https://grafana.example/d/{made["uid"]}"' in site.login("viewer").get("models/flight_delays").text


def test_a_champion_that_lost_its_alias_is_not_one_that_never_was(site, monkeypatch):
    page = site.login("viewer")
    every = [replace(version, champion=False) for version in lookups.versions("flight_delays")]
    monkeypatch.setattr(lookups, "versions", lambda _: every)
    assert "none now: promote a version" in page.get("models/flight_delays").text
    monkeypatch.setattr(lookups, "deployed", lambda _: lookups.Deployed(served=()))
    assert "none yet" in page.get("models/flight_delays").text


def test_a_version_says_how_far_its_gates_are(site):
    page = site.login("viewer").get("models/flight_delays/2").text
    for words in (
        "0.06",
        "-0.1",
        "Slices",
        "ROC",
        "num_leaves",
        "c0ffee",
        "8123456789012345678",
        "hour",
        "Ada",
        "It is the champion",
    ):
        assert words in page


def test_two_are_compared(site):
    page = site.login("viewer").get("models/flight_delays/compare?a=1&b=2").text
    assert "Version 1 and version 2" in page
    assert "0.01" in page
    assert "version 1" in page
    assert page.count("<svg") == 1


def test_a_user_starts_by_airflows_api(site):
    token = site.login("user").token()
    answer = site.post("models/flight_delays/train", token=token, sure="true")
    assert (answer.status_code, site.started) == (200, [("flight_delays.train", {"logical_date": None, "conf": {}})])
    assert 'href="/dags/flight_delays.train/runs/manual__1"' in answer.text


def test_a_viewer_is_refused_even_with_a_token(site):
    token = site.login("viewer").token()
    answer = site.post("models/flight_delays/train", token=token, sure="true")
    assert (answer.status_code, site.started) == (403, [])
    assert "you may not start flight_delays.train" in answer.text


def test_airflow_has_the_last_word(site):
    token = site.login("user").token()
    assert "Roll back to this version" in site.get("models/flight_delays/1").text
    answer = site.post("models/flight_delays/1/promote", token=token, sure="true")
    assert (answer.status_code, "Airflow says no" in answer.text) == (403, True)


def test_only_what_is_meant_and_has_passed_starts(site):
    token = site.login("user").token()
    assert site.post("models/flight_delays/train", token=token).status_code == 400
    assert "has not passed its gates" in site.post("models/flight_delays/3/promote", token=token, sure="true").text
    assert site.post("models/flight_delays/99/promote", token=token, sure="true").status_code == 404
    assert site.started == []


def test_what_monitoring_saw_is_drawn(site):
    page = site.login("viewer").get("models/flight_delays").text
    for title in ("auc on matured labels", "Distance of the answers", "Features that drifted"):
        assert title in page
    assert "Monitoring has seen no window yet" not in page
    assert "Features of answers that differ" in page


def test_a_version_leads_to_its_training_in_airflow(site):
    site.login("viewer")
    assert 'href="/dags/flight_delays.train/runs/manual__1%2B1"' in site.get("models/flight_delays/2").text
    assert "Its training in Airflow" not in site.get("models/flight_delays/1").text
