"""What pages read from the systems behind the Connections."""

import json

import pytest

from flightline.hooks.gitops import GitOpsHook
from flightline.hooks.mlflow import MlflowHook
from flightline.ui import lookups, systems
from include.foundation.errors import ServiceUnavailable
from include.stages.promotion.served import Served
from tests.unit.flightline.ui.conftest import version


@pytest.fixture(autouse=True)
def fresh():
    for each in (lookups._deployed, lookups._versions, lookups._evidence):
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
    monkeypatch.setattr(systems, "deploys", away)
    found = lookups.deployed("flight_delays")
    assert ([each.version for each in found.served], found.fault) == ([None, None], ""), "nothing was ever deployed"
    lookups._deployed.cache_clear()
    production = Served(stage="production", version="2")
    monkeypatch.setattr("include.stages.promotion.served.served", lambda *_: (production,))
    found = lookups.deployed("flight_delays")
    assert (found.served, "how deploying goes is not known" in found.fault) == ((production,), True)


def test_reports_are_read_once(monkeypatch):
    asked = []
    monkeypatch.setattr(MlflowHook, "read_text", lambda _, run, path: asked.append((run, path)) or "[]")
    for _ in range(3):
        assert len(lookups.evidence(version("2")).faults) == 2
    assert {run for run, _ in asked} == {"run2"}
    assert len(asked) == 3
