"""What the demo says of runs."""

from datetime import UTC, datetime
from unittest.mock import create_autospec

import pytest

from include.foundation.spec import load
from sandbox.airflow.api import AirflowApi
from sandbox.demo import watch as watching
from sandbox.demo.show import Show
from sandbox.demo.watch import Watch, failures

SINCE = datetime(2026, 1, 1, tzinfo=UTC)


def run(name: str, state: str, queued_at: str = "2026-01-02T00:00:00Z"):
    return {"dag_run_id": name, "state": state, "queued_at": queued_at, "partition_key": None}


def task(name: str, state: str):
    return {"task_id": name, "map_index": -1, "try_number": 1, "state": state, "duration": 1.0}


@pytest.fixture
def api():
    return create_autospec(AirflowApi, instance=True, url="http://airflow")


@pytest.fixture
def watch(api):
    return Watch(api, load("flight_delays"), Show())


@pytest.mark.parametrize(
    ("stage", "returned", "said"),
    [
        ("ingest", {"flights": {"silver": 1200, "quarantined": 3}}, "flights 1,200 in silver, 3 in quarantine"),
        ("features", {"rows": 1234}, "1,234 rows in gold"),
        ("features", None, "gold was up to date"),
        ("score", {"rows": 9, "version": "2"}, "9 answers of version 2"),
        ("score", None, "nothing to score"),
        ("train", "3", "version 3"),
        ("train", None, "not due by the policy"),
        ("promote", {"champion": "3"}, "champion is version 3"),
        ("promote", None, "not promoted"),
    ],
)
def test_what_a_run_did(watch, api, stage, returned, said):
    api.xcom.return_value = returned
    assert watch.what(stage, run("r", "success")) == said


def test_settle_answers_the_approval_shows_each_task_once_and_leaves_older_runs_out(watch, api, capsys, monkeypatch):
    monkeypatch.setattr(watching, "QUIET_SECONDS", 0.0)
    monkeypatch.setattr(watching.time, "sleep", lambda _: None)
    old = run("old", "failed", "2025-12-31T00:00:00Z")
    states = iter(["running", "running", "success", "success", "success"])
    api.runs.side_effect = lambda _: [run("new", next(states)), old]
    waiting = [task("choose", "success"), task("approve", "awaiting_input")]
    api.tasks.side_effect = lambda *_: waiting
    runs = watch.settle(SINCE, ("promote",))
    assert [each["dag_run_id"] for each in runs["promote"]] == ["new"]
    api.approve.assert_called_with("flight_delays.promote", "new", "approve")
    assert capsys.readouterr().out.count("flight_delays.promote: choose success") == 1


def test_settle_gives_up(watch, api):
    api.runs.return_value = [run("new", "running")]
    api.tasks.return_value = []
    with pytest.raises(TimeoutError, match="http://airflow"):
        watch.settle(SINCE, ("train",), timeout=0.1)


def test_failures_name_stage_and_run():
    assert failures({"train": [run("a", "failed"), run("b", "success")], "score": [run("c", "failed")]}) == [
        "train a",
        "score c",
    ]
