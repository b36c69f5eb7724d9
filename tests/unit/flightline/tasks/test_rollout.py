import json

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

from flightline.hooks.gitops import GitOpsHook
from flightline.tasks import rollout
from include.foundation.spec import load

SPEC = load("flight_delays")


@pytest.mark.parametrize("extra", [{}, {"argocd_repo_url": "https://bot:s3cr3t@git.example/x.git"}])
def test_no_credentials_get_into_the_application(monkeypatch, extra):
    gitops = {"conn_type": "git", "host": "https://bot:s3cr3t@git.example/x.git", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_GITOPS", json.dumps(gitops))
    monkeypatch.setenv("AIRFLOW_CONN_CLUSTER", json.dumps({"conn_type": "kubernetes"}))
    chosen = {"version": "1", "uri": "s3://models/x", "digest": "ab" * 32, "manifest": "cd" * 32}
    chosen |= {"image": "flightline/serving:1", "feature_code": "ef" * 32, "run_id": "r1", "kafka": "{}"}
    chosen |= {"stable": {"staging": None}}
    monkeypatch.setattr(GitOpsHook, "read", lambda *_: {})
    answer = {"by": "ada", "at": "now"}
    rendered = rollout.render.function(SPEC.name, "staging", chosen, answer)
    assert rendered["application"]["spec"]["source"]["repoURL"] == "https://git.example/x.git"
    assert "s3cr3t" not in json.dumps(rendered)


class Ti:
    """A task of a run that was cleared: XCom is full of the run's last life, and only the states tell of this one."""

    dag_id, run_id = "flight_delays.promote", "r"

    def __init__(self, **states):
        self.states = {name.replace("__", "."): state for name, state in states.items()}

    def get_task_states(self, *, dag_id, run_ids):
        assert (dag_id, run_ids) == (self.dag_id, [self.run_id])
        return {self.run_id: self.states}

    def xcom_pull(self, *, task_ids, key="return_value", map_indexes=-1):
        assert (map_indexes >= 0) is (task_ids == "revert.resync"), "that one is mapped"
        left = {"return_value": {"commit": "0ld" * 13, "version": "2", "champion": "1"}, "reason": "it rained"}
        return left[key]


MOVES = [
    {"application": f"flight-delays-{stage}", "commit": f"rollout.{stage}.commit", "sync": f"rollout.{stage}.sync"}
    for stage in ("staging", "production")
]


def test_what_was_synced_is_taken_back_the_latest_first():
    states = {"rollout__staging__commit": "success", "rollout__staging__sync": "success"}
    ti = Ti(**states, rollout__production__commit="success", rollout__production__sync="failed")
    assert rollout.undo.function(MOVES, ti=ti) == ["flight-delays-production", "flight-delays-staging"]
    with pytest.raises(AirflowSkipException, match="nothing was committed"):
        rollout.undo.function(MOVES, ti=Ti(rollout__staging__commit="upstream_failed"))


def report(**states):
    ids = ["revert.undo", "revert.restore", "revert.resync"]
    rollout.report_failure.function("flight_delays", "choose", "revert.restore", ids, ti=Ti(**states))


def test_report_tells_of_this_life_of_the_run():
    with pytest.raises(
        AirflowFailException,
        match=r"version 2 was not promoted, and nothing had .*; the champion is still 1\. prepare: it rained",
    ):
        report(choose="success", prepare="failed", revert__restore="skipped")
    with pytest.raises(AirflowFailException, match="not promoted, and its commits are reverted by 0ld0ld0ld0ld; "):
        report(choose="success", rollout__production__smoke="failed", revert__restore="success")
    with pytest.raises(AirflowFailException, match=r"no version of flight_delays was promoted.* choose: it rained"):
        report(choose="failed", revert__restore="skipped")
    with pytest.raises(AirflowException, match=r"NOT TAKEN BACK, act by hand\. .*revert\.restore: it rained"):
        report(choose="success", rollout__production__smoke="failed", revert__restore="failed")
    with pytest.raises(AirflowException, match=r"NOT TAKEN BACK, act by hand\. revert\.resync_1: it rained"):
        report(choose="success", revert__restore="success", revert__resync_0="success", revert__resync_1="failed")
    with pytest.raises(AirflowSkipException, match="nothing failed"):
        report(choose="success")
