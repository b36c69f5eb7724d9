"""The real operator against a real bare repository."""

import json
import subprocess
from types import SimpleNamespace

import pytest

from flightline.exceptions import GitOpsInvalid
from flightline.operators.gitops import GitOpsCommitOperator


def git(*arguments, cwd):
    return subprocess.run(["git", *arguments], cwd=cwd, check=True, capture_output=True, text=True).stdout.strip()


def run(operator, *, try_number=1):
    ti = SimpleNamespace(dag_id="d", run_id="r", task_id=operator.task_id, map_index=-1, try_number=try_number)
    return operator.execute({"ti": ti})


def test_operator_commits_and_restores(gitops_origin):
    first = run(GitOpsCommitOperator(task_id="one", message="m", files={"app/x": "1"}))
    second = run(GitOpsCommitOperator(task_id="two", message="m", files={"app/x": "2"}))
    assert second == {
        "commit": git("rev-parse", "main", cwd=gitops_origin),
        "head": git("rev-parse", "main", cwd=gitops_origin),
        "previous": first["commit"],
        "changed": ["app/x"],
    }
    assert json.loads(json.dumps(second)) == second
    restored = run(GitOpsCommitOperator(task_id="three", message="m", restore=("app", second["previous"])))
    assert restored["changed"] == ["app/x"]
    assert git("show", "main:app/x", cwd=gitops_origin) == "1"
    assert run(GitOpsCommitOperator(task_id="two", message="m", files={"app/x": "1"}), try_number=2)["changed"] == []


@pytest.mark.parametrize("change", [{}, {"files": {"a": "b"}, "restore": ("a", "b")}])
def test_operator_wants_exactly_one_kind_of_change(gitops_origin, change):
    with pytest.raises(GitOpsInvalid, match="either files or restore"):
        run(GitOpsCommitOperator(task_id="one", message="m", **change))


def test_operator_templates(gitops_origin):
    operator = GitOpsCommitOperator(
        task_id="one",
        message="for {{ who }}",
        files={"a": "{{ who }}"},
        restore=("a", "{{ sha }}"),
        conn_id="{{ conn }}",
    )
    operator.render_template_fields({"who": "you", "sha": "123", "conn": "gitops"})
    assert (operator.message, operator.files, operator.conn_id) == ("for you", {"a": "you"}, "gitops")
    assert tuple(operator.restore) == ("a", "123")
