"""The steps of `promote` that need no server, and the Dag's own commits in a real repository."""

import json
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

from flightline.exceptions import GitOpsInvalid
from flightline.hooks.gitops import GitOpsHook
from flightline.operators.gitops import GitOpsCommitOperator
from flightline.tasks import promote
from include.foundation.spec import load

SPEC = load("flight_delays")
DEPLOYMENT = f"{SPEC.slug}/production/deployment.yaml"


@pytest.fixture(scope="module")
def dag():
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(Path(__file__).parents[4] / "dags").dags["flight_delays.promote"]


class Run:
    """A run of the Dag, as far as the GitOps repository sees it."""

    def __init__(self, dag, run_id):
        self.dag, self.run_id, self.results = dag, run_id, {}

    def task(self, task_id):
        return self._run(self.dag.get_task(task_id))

    def prepare(self):
        files = {f"{SPEC.slug}/{stage.name}/README.md": "room" for stage in SPEC.promotion.stages}
        return self._run(GitOpsCommitOperator(task_id="prepare", files=files, message="Make room"))

    def deploy(self, version):
        commit = GitOpsCommitOperator(task_id="commit", files={DEPLOYMENT: version}, message=f"Deploy {version}")
        return self._run(commit, "rollout.production.commit")

    def pull(self, task_ids, **_):
        """What XCom has, as XComArgs and templates ask for it."""
        return self.results.get(task_ids)

    def _run(self, operator, task_id=None):
        task_id = task_id or operator.task_id
        ti = SimpleNamespace(
            dag_id=self.dag.dag_id, run_id=self.run_id, task_id=task_id, map_index=-1, xcom_pull=self.pull
        )
        operator = operator.prepare_for_execution()
        operator.render_template_fields({"ti": ti, "run_id": self.run_id})
        self.results[task_id] = operator.execute({"ti": ti})
        return self.results[task_id]


@pytest.fixture
def cleared(dag, gitops_origin):
    """A run that failed and was reverted, before another one promoted version 2."""
    older, newer = Run(dag, "older"), Run(dag, "newer")
    older.prepare()
    older.deploy("1")
    older.task("revert.restore")
    newer.prepare()
    newer.deploy("2")
    return older


def deployed(origin):
    command = ["git", "show", f"main:{DEPLOYMENT}"]
    return subprocess.run(command, cwd=origin, check=True, capture_output=True, text=True).stdout


def test_run_that_is_cleared_goes_back_to_what_was_there(cleared, gitops_origin):
    cleared.prepare()
    cleared.deploy("1")
    assert deployed(gitops_origin) == "1"
    cleared.task("revert.restore")
    assert deployed(gitops_origin) == "2"


def test_run_whose_failed_tasks_are_cleared_does_not_take_back_a_newer_run(cleared, gitops_origin):
    with pytest.raises(
        GitOpsInvalid, match=r"of flight_delays\.promote/newer/rollout\.production\.commit/-1: revert by hand"
    ):
        cleared.task("revert.restore")
    assert deployed(gitops_origin) == "2"


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
    rendered = promote.render.function(SPEC.name, "staging", chosen, answer)
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

    def xcom_pull(self, *, task_ids, key="return_value"):
        left = {"return_value": {"commit": "0ld" * 13, "version": "2", "champion": "1"}, "reason": "it rained"}
        return left[key]


MOVES = [
    {"application": f"flight-delays-{stage}", "commit": f"rollout.{stage}.commit", "sync": f"rollout.{stage}.sync"}
    for stage in ("staging", "production")
]


def test_what_was_synced_is_taken_back_the_latest_first():
    states = {"rollout__staging__commit": "success", "rollout__staging__sync": "success"}
    ti = Ti(**states, rollout__production__commit="success", rollout__production__sync="failed")
    assert promote.undo.function(MOVES, ti=ti) == ["flight-delays-production", "flight-delays-staging"]
    with pytest.raises(AirflowSkipException, match="nothing was committed"):
        promote.undo.function(MOVES, ti=Ti(rollout__staging__commit="upstream_failed"))


def report(**states):
    ids = ["revert.undo", "revert.restore", "revert.resync"]
    promote.report_failure.function("flight_delays", "choose", "revert.restore", ids, ti=Ti(**states))


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
    with pytest.raises(AirflowSkipException, match="nothing failed"):
        report(choose="success")
