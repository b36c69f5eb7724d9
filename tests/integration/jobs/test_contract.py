"""What every backend does alike, by the real operator, on the system itself or its stand-in."""

import asyncio
import logging

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from include.foundation import jobs
from tests.integration.jobs.conftest import alive, killed_in, rebuilt

pytestmark = [
    pytest.mark.integration,
    pytest.mark.long,
    pytest.mark.parametrize("task", ["pods", "sagemaker", "kubeflow"], indirect=True),
]


def test_a_job_leaves_a_record_with_its_answer(task, lake_connected):
    task.go.touch()
    first = task.run(seed=1)
    assert set(first) == {"metric", "digest"}
    key = task.operator(seed=1).job(task.context()).key
    assert jobs.find(lake_connected, key) == {"answer": first}
    assert task.run(seed=1, run_id="another") == first
    assert len(task.starts()) == 1, "a second trigger takes the record"


def test_a_second_trigger_and_a_retry_after_a_killed_worker_find_the_job_that_runs(task):
    killed_in(task.start)
    second = task.start(run_id="another")
    retry = task.start()
    task.wait_for(task.starts)
    task.go.touch()
    assert task.finish(retry) == task.finish(second)
    assert len(task.starts()) == 1


def test_a_cleared_task_is_done_again_and_another_input_is_another_job(task):
    task.go.touch()
    first = task.run()
    assert task.run(cleared=1) == first, "the same seed, the same metric"
    assert len(task.starts()) == 2
    assert task.run(cleared=1, reads={"champion": "4"}) == first
    assert len(task.starts()) == 3
    assert task.run(seed=2) != first
    assert len(task.starts()) == 4


@pytest.mark.parametrize("where", ["worker", "triggerer"])
def test_a_killed_task_ends_its_job(task, where):
    operator, _, deferred = task.start()
    task.wait_for(task.starts)
    (pid,) = task.starts()
    assert alive(pid)
    if where == "worker":
        operator.on_kill()
    else:
        asyncio.run(rebuilt(deferred.trigger).on_kill())
    task.wait_for(lambda: not alive(pid))


@pytest.mark.parametrize(("code", "error"), [(1, AirflowException), (jobs.PERMANENT, AirflowFailException)])
def test_a_job_says_by_its_exit_code_whether_a_retry_can_help_and_its_last_words_are_told(
    task, code, error, caplog, capfd
):
    caplog.set_level(logging.INFO)
    task.go.touch()
    with pytest.raises(error) as caught:
        task.run(code=code)
    assert isinstance(caught.value, AirflowFailException) is (code == jobs.PERMANENT)
    assert "the reason why" in f"{caught.value} {caplog.text} {capfd.readouterr().out}"
    with pytest.raises(error):
        task.run(code=code)
    assert len(task.starts()) == 2, "a retry of a failed job is another job"
