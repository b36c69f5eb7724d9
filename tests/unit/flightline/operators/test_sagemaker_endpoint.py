"""Every state of an endpoint and what a try does with it, against an endpoint that moves from state to state."""

from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import TaskDeferred

from flightline.exceptions import (
    SageMakerAnswersDiffer,
    SageMakerEndpointFailed,
    SageMakerRefused,
    SageMakerUnavailable,
)
from flightline.hooks.sagemaker_endpoint import MOVING, STILL
from flightline.operators.sagemaker_endpoint import SageMakerDeployOperator, SageMakerRetireOperator
from include.stages.promotion import marketplace

NEW, OLD, MODEL = "f-v2-bbbbbbbbbbbb-11111111", "f-v1-aaaaaaaaaaaa-00000000", "f-v2-bbbbbbbbbbbb"
VARIANT = {
    "use_case": "flight_delays",
    "endpoint": "f",
    "version": "2",
    "digest": "d" * 64,
    "model": {"ModelName": MODEL},
    "config": {"EndpointConfigName": NEW},
    "records": [{}],
    "expected": [],
}


class Hook:
    """An endpoint in one state."""

    def __init__(self, status=None, config=OLD, verified=None):
        self.status, self.config, self.good, self.done = status, config, verified, []

    def describe(self, name):
        if self.status is None:
            return None
        return {"EndpointStatus": self.status, "EndpointConfigName": self.config, "EndpointArn": "arn"}

    def verified(self, arn):
        return self.good

    def invoke(self, name, content):
        return []

    def page(self, name):
        return ""

    def models_of(self, config):
        return [MODEL]

    def configs(self, part):
        return [OLD, NEW, "f-v9-mine"]

    def models(self, part):
        return [OLD[:17], MODEL]

    def remove(self, *, configs, models):
        self.done.append(("remove", configs, models))

    def __getattr__(self, name):
        return lambda *given, **_: self.done.append((name, *given))


@pytest.fixture(autouse=True)
def right(monkeypatch):
    """Answers are compared with success, unless a test says otherwise."""
    said = []

    def check(*_, **__):
        if said:
            raise said[0]

    monkeypatch.setattr(marketplace, "check", check)
    return said


def operator(hook):
    found = SageMakerDeployOperator(task_id="deploy", variant=VARIANT)
    found.hook = hook
    return found


def execute(hook):
    """What a new try does at once, and what it then waits with."""
    with pytest.raises(TaskDeferred) as deferred:
        operator(hook).execute({"ti": SimpleNamespace(xcom_push=lambda *_, **__: None)})
    return [call[0] for call in hook.done if call[0] != "ensure"], deferred.value.kwargs


def resume(hook, *, ordered=True, fault="", status="settled"):
    event = {"status": status, "message": "said", "deadline": 1e12}
    context = {"ti": SimpleNamespace(xcom_push=lambda *_: None)}
    return operator(hook).resume(context, event=event, ordered=ordered, fault=fault)


@pytest.mark.parametrize(
    ("status", "does", "ordered"),
    [
        (None, ["create"], True),
        ("InService", ["update"], True),
        ("OutOfService", ["update"], True),
        ("UpdateRollbackFailed", ["update"], True),
        ("Failed", ["delete"], False),
        *((each, [], False) for each in MOVING),
    ],
)
def test_the_state_decides_what_a_try_begins_with(status, does, ordered):
    assert execute(Hook(status)) == (does, {"ordered": ordered, "fault": ""})


def test_the_api_s_states_are_all_known():
    from botocore.session import get_session

    shape = get_session().get_service_model("sagemaker").shape_for("EndpointStatus")
    assert {*MOVING, *STILL} == {*shape.metadata["enum"]}
    with pytest.raises(SageMakerRefused, match="not known here: 'Hibernating'"):
        resume(Hook("Hibernating"))


def test_an_update_by_another_is_waited_for_and_then_ours_is_ordered():
    hook = Hook("InService")
    with pytest.raises(TaskDeferred) as deferred:
        resume(hook, ordered=False)
    assert (hook.done, deferred.value.kwargs["ordered"]) == ([("update", "f", NEW)], True)


def test_right_answers_are_noted():
    hook = Hook("InService", NEW)
    assert resume(hook) == {"endpoint": "f", "config": NEW, "model": MODEL, "version": "2"}
    assert hook.done == [("set_verified", "arn", NEW)]


@pytest.mark.parametrize(("status", "deleted"), [("InService", False), ("Failed", True), (None, False)])
def test_machines_that_do_not_come_up_fail_the_try(status, deleted):
    hook = Hook(status)
    with pytest.raises(SageMakerEndpointFailed, match=f"did not take {NEW}"):
        resume(hook)
    assert (("delete", "f") in hook.done) is deleted
    assert hook.done[-1] == ("remove", [NEW], [MODEL])


@pytest.mark.parametrize(
    ("verified", "does"), [(OLD, ("update", "f", OLD)), (None, ("delete", "f")), (NEW, ("delete", "f"))]
)
def test_wrong_answers_bring_back_what_was_right(right, verified, does):
    from include.foundation.errors import GateFailed

    right.append(GateFailed("0.1, not 0.2"))
    hook = Hook("InService", NEW, verified)
    with pytest.raises(TaskDeferred) as deferred:
        resume(hook)
    assert (hook.done, deferred.value.kwargs) == ([does], {"ordered": True, "fault": "0.1, not 0.2"})


@pytest.mark.parametrize(
    ("hook", "words"),
    [
        (Hook("InService", OLD), f"serves {OLD} again"),
        (Hook(None), "it is deleted"),
        (Hook("InService", NEW), "AND IT DID NOT GO BACK"),
        (Hook("UpdateRollbackFailed", OLD), "AND IT DID NOT GO BACK"),
    ],
)
def test_having_gone_back_fails_for_good(hook, words):
    with pytest.raises(SageMakerAnswersDiffer, match=words):
        resume(hook, fault="wrong")


def test_a_wait_without_end_fails_the_try_and_a_refusal_fails_for_good():
    hook = Hook("Creating")
    with pytest.raises(SageMakerEndpointFailed, match="its time is over"):
        resume(hook, status="timeout")
    assert hook.done == [("abandon", "f")]
    with pytest.raises(SageMakerRefused, match="f: said"):
        resume(Hook(), status="error")


def test_a_kill_that_sagemaker_refuses_is_a_warning(monkeypatch):
    hook = Hook("Creating")
    hook.abandon = lambda name: (_ for _ in ()).throw(SageMakerUnavailable("gone"))
    found, told = operator(hook), []
    monkeypatch.setattr(type(found), "log", SimpleNamespace(warning=lambda words, *values: told.append(words % values)))
    found.on_kill()
    (words,) = told
    assert words.endswith("is left as it is: gone")


def test_only_what_is_served_is_kept():
    def retire(hook):
        found = SageMakerRetireOperator(task_id="retire", endpoint="f", keep=NEW)
        found.hook = hook
        return found.execute({})

    assert retire(Hook("InService", NEW)) == [OLD, OLD[:17]]
    for other in (Hook("InService", OLD), Hook("Updating", NEW), Hook(None)):
        with pytest.raises(SageMakerEndpointFailed, match="nothing is deleted"):
            retire(other)
        assert other.done == []
