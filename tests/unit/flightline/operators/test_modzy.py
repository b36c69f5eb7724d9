"""Deferral, refusals and kills; publishing and running for real are in tests/integration/test_marketplace.py."""

from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import AirflowFailException, TaskDeferred

from flightline.exceptions import ModzyError, ModzyFailed, ModzyRefused, ModzyTimeout
from flightline.operators.modzy import ModzyPublishOperator, ModzyRetireOperator, ModzyRunOperator

CARD = {
    "use_case": "flight_delays",
    "name": "Flights",
    "version": "3.0.0",
    "image": "flightline/marketplace:flights-v3",
    "digest": "a" * 64,
    "mark": "model sha256:aaa",
    "description": "Late?",
    "tags": [],
    "metadata": {"inputs": [{"name": "input"}], "technicalDetails": "model sha256:aaa"},
    "sample": "{}",
    "expected": [0.5],
}


class Modzy:
    """A marketplace with one model; it notes what it is asked to change."""

    def __init__(self, *versions, image=None, test=None):
        self.status = dict(versions)
        self.image, self.test, self.done = image, test, []

    def find(self, name):
        return "m1" if name == "Flights" else None

    def versions(self, model):
        return list(self.status)

    def version(self, model, version):
        return {"status": self.status[version], "technicalDetails": "model sha256:aaa"}

    def progress(self, model, version, process):
        return self.image if process == "container-image" else self.test

    def change(self, model, version, fields):
        self.done.append((version, fields))
        self.status[version] = fields.get("status", self.status[version])

    def page(self, model, version):
        return f"https://modzy/{model}/{version}"

    def __getattr__(self, name):
        return lambda *_, **__: self.done.append(name)


def context():
    return {"ti": SimpleNamespace(xcom_push=lambda *_, **__: None)}


def with_hook(operator, modzy):
    operator.hook = modzy
    return operator


def publish(modzy):
    return with_hook(ModzyPublishOperator(task_id="publish", card=CARD), modzy)


def test_it_waits_in_the_triggerer_and_keeps_no_secret_there():
    modzy = Modzy(("3.0.0", "draft"))
    with pytest.raises(TaskDeferred) as deferred:
        publish(modzy).execute(context())
    assert modzy.done == ["describe", "set_image"]
    _, fields = deferred.value.trigger.serialize()
    assert fields["process"] == "container-image"
    assert {*fields} == {"conn_id", "model", "version", "process", "job", "deadline", "poll_seconds"}
    assert deferred.value.method_name == "resume"


def test_after_the_pull_comes_the_test_run_and_nothing_is_done_twice():
    modzy = Modzy(("3.0.0", "draft"), image={"percentage": 100})
    event = {"status": "done", "message": "", "deadline": 2e9}
    with pytest.raises(TaskDeferred) as deferred:
        publish(modzy).resume(context(), event=event, **deferred_fields("container-image"))
    assert modzy.done == ["load", "upload_test_input", "start_test"]
    assert deferred.value.trigger.process == "run-process"


def deferred_fields(process):
    return {"model": "m1", "version": "3.0.0", "process": process, "job": ""}


def test_a_failed_test_run_fails_this_try_and_is_done_again_by_the_next():
    failed = {"percentage": 100, "result": {"status": "FAILED", "error": "no such file"}}
    modzy = Modzy(("3.0.0", "draft"), image={"percentage": 100}, test=failed)
    event = {"status": "done", "message": "", "deadline": 2e9}
    with pytest.raises(ModzyFailed, match="the test run failed: no such file"):
        publish(modzy).resume(context(), event=event, **deferred_fields("run-process"))
    with pytest.raises(TaskDeferred):
        publish(modzy).execute(context())
    assert modzy.done == ["load", "upload_test_input", "start_test"]


@pytest.mark.parametrize(("status", "error"), [("timeout", ModzyTimeout), ("error", ModzyError)])
def test_what_the_trigger_says_is_raised(status, error):
    event = {"status": status, "message": "at 7%", "deadline": 0}
    with pytest.raises(error, match=r"Flights 3\.0\.0: container-image.*at 7%"):
        publish(Modzy()).resume(context(), event=event, **deferred_fields("container-image"))


@pytest.mark.parametrize(("status", "error"), [("timeout", ModzyTimeout), ("error", ModzyError)])
def test_a_job_is_cancelled_when_its_wait_is_given_up_or_its_task_is_killed(status, error):
    modzy = Modzy()
    run = with_hook(ModzyRunOperator(task_id="run", model="Flights", source="s3://a", target="s3://b"), modzy)
    run.on_kill()
    assert modzy.done == []
    kept = {"model": "m1", "version": "3.0.0", "process": "job", "job": "j1"}
    with pytest.raises(error):
        run.resume(context(), event={"status": status, "message": "", "deadline": 0}, **kept)
    run.on_kill()
    assert modzy.done == ["cancel", "cancel"]


@pytest.mark.parametrize(
    ("results", "reason"),
    [
        ({"finished": True, "total": 1, "results": {}, "failures": {"1": {"error": "bad"}}}, "1 items failed: 1: bad"),
        ({"finished": True, "total": 2, "results": {"1": {}}, "failures": {}}, "with 1 of 2 items answered"),
    ],
)
def test_a_completed_job_with_failures_has_failed(results, reason):
    modzy = Modzy()
    modzy.results = lambda job: results
    run = with_hook(ModzyRunOperator(task_id="run", model="Flights", source="s3://a", target="s3://b"), modzy)
    kept = {"model": "m1", "version": "3.0.0", "process": "job", "job": "j1"}
    with pytest.raises(ModzyFailed, match=reason):
        run.resume(context(), event={"status": "done", "message": "", "deadline": 0}, **kept)


def test_a_job_needs_one_active_version():
    run = ModzyRunOperator(task_id="run", model="Flights", source="s3://a", target="s3://b")
    with pytest.raises(ModzyRefused, match="has 2 active versions"):
        with_hook(run, Modzy(("1.0.0", "active"), ("2.0.0", "active"))).execute(context())
    run.model = "Trains"
    with pytest.raises(ModzyRefused, match="has no model 'Trains'"):
        run.execute(context())


def test_what_is_kept_must_be_active_before_others_are_retired():
    modzy = Modzy(("1.0.0", "active"), ("2.0.0", "active"), ("3.0.0", "draft"))
    retire = with_hook(ModzyRetireOperator(task_id="retire", model="Flights", keep=["3.0.0"]), modzy)
    with pytest.raises(AirflowFailException, match="is not active"):
        retire.execute(context())
    retire.keep = ["2.0.0"]
    assert retire.execute(context()) == ["1.0.0"]
    assert modzy.done == [("1.0.0", {"status": "inactive"})]
