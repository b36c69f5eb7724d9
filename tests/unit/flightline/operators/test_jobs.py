"""A job's task: started once, found again, done anew after a clear, failed for good or not."""

from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from flightline.backends.protocol import JobFailed
from flightline.operators.jobs import JobOperator
from include.foundation import jobs
from include.foundation.errors import MissingInput

STARTED = []


class Store(dict):
    def put(self, uri, data):
        self[uri] = data

    def get(self, uri):
        if uri not in self:
            raise MissingInput(uri)
        return self[uri]


class Instant:
    """A backend whose jobs are done when they are started."""

    default_conn_id = "cluster"
    fault = None

    def __init__(self, operator, *, conn_id):
        self.store = operator.store

    @staticmethod
    def image(conn_id, runtime="trainer"):
        return f"image-of-{conn_id}" if runtime == "trainer" else f"{runtime}-of-{conn_id}"

    def run(self, job, context):
        STARTED.append(job)
        if self.fault:
            raise self.fault
        jobs.write(self.store, job.environment[jobs.RESULT], {"number": len(STARTED)})

    def resume(self, job, context, event):
        self.run(job, context)

    def kill(self):
        STARTED.append("killed")


@pytest.fixture
def operator(monkeypatch):
    STARTED.clear()
    store = Store()
    lake = SimpleNamespace(models="s3://models", objects=lambda: store)
    monkeypatch.setattr("flightline.hooks.lake.LakeHook.lake", lake)
    monkeypatch.setattr("flightline.backends.backend", lambda name: Instant)
    monkeypatch.setattr(Instant, "fault", None)
    made = JobOperator(task_id="fit", arguments=["fit", "--run-id", "r"], retries=2)
    object.__setattr__(made, "store", store)
    return made


def context(max_tries=2, run_id="run"):
    return {"ti": SimpleNamespace(max_tries=max_tries, run_id=run_id)}


def test_a_second_trigger_takes_the_answer_of_the_job_that_has_finished(operator):
    assert operator.execute(context()) == {"number": 1}
    assert operator.execute(context(run_id="another")) == {"number": 1}
    (job,) = STARTED
    assert job.image == "image-of-cluster"
    assert job.arguments == ("-m", "include.steps", "fit", "--run-id", "r")


def test_the_parts_of_a_job_are_programs_as_it_is_and_leave_its_key_alone(operator):
    assert operator.execute(context()) == {"number": 1}
    key = operator.job(context()).key
    operator.parts = {"trials": [["trial", "--worker", "0"], ["trial", "--worker", "1"]], "gate": ["gate"]}
    job = operator.job(context())
    program = ["-m", "include.steps"]
    trials = [[*program, "trial", "--worker", "0"], [*program, "trial", "--worker", "1"]]
    assert job.parts == {"trials": trials, "gate": [*program, "gate"]}
    assert job.key == key


def test_a_task_that_was_cleared_is_done_again_once(operator):
    assert operator.execute(context()) == {"number": 1}
    assert operator.execute(context(max_tries=3)) == {"number": 2}
    assert operator.execute(context(max_tries=3)) == {"number": 2}, "a retry of the cleared task"
    assert operator.execute(context(max_tries=3, run_id="another")) == {"number": 3}


def test_other_inputs_are_another_job(operator):
    assert operator.execute(context()) == {"number": 1}
    operator.reads = {"champion": "4"}
    assert operator.execute(context()) == {"number": 2}


@pytest.mark.parametrize(("permanent", "error"), [(True, AirflowFailException), (False, AirflowException)])
@pytest.mark.parametrize("again", [False, True])
def test_how_a_job_failed_decides_whether_it_is_retried(operator, monkeypatch, permanent, error, again):
    monkeypatch.setattr(Instant, "fault", JobFailed("exit code", permanent=permanent))
    with pytest.raises(error, match="exit code") as caught:
        operator.trigger_reentry(context(), {}) if again else operator.execute(context())
    assert isinstance(caught.value, AirflowFailException) is permanent


def test_a_job_that_leaves_no_record_has_not_succeeded(operator, monkeypatch):
    monkeypatch.setattr(Instant, "run", lambda self, job, context: None)
    with pytest.raises(AirflowException, match="left no record at s3://models/_jobs/"):
        operator.execute(context())


def test_a_job_that_another_task_has_seen_end_and_cleared_away_has_succeeded(operator, monkeypatch):
    work = Instant.run

    def cleared_away(self, job, context):
        work(self, job, context)
        raise JobFailed("the pod is not there", permanent=False)

    monkeypatch.setattr(Instant, "run", cleared_away)
    assert operator.execute(context()) == {"number": 1}


def test_a_killed_task_ends_its_job(operator):
    operator.on_kill()
    assert STARTED == ["killed"]
