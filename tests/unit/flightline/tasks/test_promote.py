"""The steps of `promote` that need no server, and the Dag's own commits in a real repository."""

import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from flightline.exceptions import GitOpsInvalid
from flightline.operators.gitops import GitOpsCommitOperator
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
