"""What pages read from the systems behind the Connections."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from airflow.sdk.exceptions import AirflowNotFoundException
from kubernetes.client import ApiException

from flightline.hooks.argocd import ArgoCDHook
from flightline.hooks.cluster import ClusterHook
from flightline.hooks.gitops import GitOpsHook
from flightline.hooks.mlflow import MlflowHook
from flightline.ui import lookups
from include.foundation.errors import ServiceUnavailable
from include.foundation.spec import load
from include.stages.promotion.served import Served
from tests.unit.flightline.ui.conftest import version


@pytest.fixture(autouse=True)
def fresh():
    for each in (lookups._deployed, lookups._endpoints, lookups._versions, lookups._evidence):
        each.cache_clear()


@pytest.mark.parametrize(("name", "schema"), [("mlflow", "http"), ("argocd", "https"), ("grafana", "http")])
def test_a_system_has_its_page_where_its_hook_asks_it(monkeypatch, name, schema):
    variable = f"AIRFLOW_CONN_{name.upper()}"
    monkeypatch.setenv(variable, json.dumps({"conn_type": "http", "host": "https://it.example"}))
    assert lookups.outside(name) == "https://it.example"
    monkeypatch.setenv(variable, json.dumps({"conn_type": "http", "host": "it.example"}))
    assert lookups.outside(name) == f"{schema}://it.example"
    monkeypatch.delenv(variable)
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "sqlite://")
    assert lookups.outside(name) == "", "without a Connection there is none"


def test_a_git_that_is_away_is_said_and_hides_nothing_else(monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_GITOPS", json.dumps({"conn_type": "git", "host": "file:///nowhere"}))

    def away(*_):
        raise ServiceUnavailable("git is away")

    monkeypatch.setattr(GitOpsHook, "read", away)
    found = lookups.deployed("flight_delays")
    assert (found.served, found.fault) == ((), "what is deployed is not known: git is away")
    lookups._deployed.cache_clear()
    monkeypatch.setattr(GitOpsHook, "read", lambda *_: {})
    monkeypatch.setattr(lookups, "deploys", away)
    found = lookups.deployed("flight_delays")
    assert ([each.version for each in found.served], found.fault) == ([None, None], ""), "nothing was ever deployed"
    lookups._deployed.cache_clear()
    production = Served(stage="production", version="2")
    monkeypatch.setattr("include.stages.promotion.served.served", lambda *_: (production,))
    found = lookups.deployed("flight_delays")
    assert (found.served, "how deploying goes is not known" in found.fault) == ((production,), True)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ServiceUnavailable("no address (yet)"), "no address (yet)"),
        (AirflowNotFoundException("the conn_id `cluster` isn't defined"), "the conn_id `cluster` isn't defined"),
        (ApiException(status=404, reason="Not Found"), "the cluster says 404 Not Found"),
        (KeyError("a secret"), "the log of the api-server has the reason"),
    ],
)
def test_endpoints_are_asked_once_and_a_stage_without_one_says_why(monkeypatch, error, said):
    asked = []

    def endpoint(_, spec, stage):
        asked.append(stage.name)
        if stage.name == "staging":
            return f"http://10.0.0.1/{spec.slug}"
        raise error

    monkeypatch.setattr(ClusterHook, "endpoint", endpoint)
    for _ in range(3):
        staging, production = lookups.endpoints("flight_delays")
    assert (staging.url, staging.fault) == ("http://10.0.0.1/flight-delays", "")
    assert (production.url, production.fault) == ("", said)
    assert asked == ["staging", "production"]


def test_how_deploying_goes_is_by_git_and_argo_cd(monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_GITOPS", json.dumps({"conn_type": "git", "host": "file:///nowhere"}))
    monkeypatch.setenv("AIRFLOW_CONN_ARGOCD", json.dumps({"conn_type": "http", "host": "https://it.example"}))
    made = datetime.now(UTC) - timedelta(days=1)
    line = f"c0ffee\x1f{made.isoformat()}\x1fflight_delays.promote/run/rollout.production.commit/-1"
    monkeypatch.setattr(GitOpsHook, "history", lambda *_: line)
    synced = [{"revision": "c0ffee", "deployedAt": (made + timedelta(seconds=30)).isoformat()}]
    monkeypatch.setattr(ArgoCDHook, "application", lambda *_: {"status": {"history": synced}})
    found = lookups.deploys(load("flight_delays"))
    assert (found.deploys, found.lead_seconds) == (1, 30)


def test_reports_are_read_once(monkeypatch):
    asked = []
    monkeypatch.setattr(MlflowHook, "read_text", lambda _, run, path: asked.append((run, path)) or "[]")
    for _ in range(3):
        assert len(lookups.evidence(version("2")).faults) == 2
    assert {run for run, _ in asked} == {"run2"}
    assert len(asked) == 3
