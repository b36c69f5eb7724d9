"""The run that a job becomes, and how its end is read."""

import json
from types import SimpleNamespace
from typing import ClassVar

import pytest
import yaml
from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import TaskDeferred

from flightline.backends.kubeflow import Kubeflow, pipeline_of
from flightline.backends.protocol import JobFailed
from include.foundation import jobs
from include.foundation.errors import InvalidInput, MissingInput
from include.foundation.jobs import Job, Resources
from sandbox.kubeflow import pipelines

RECORD = "s3://models/_jobs/1.json"
JOB = Job(name="fit", arguments=("-V",), image="flightline/trainer:1", environment={jobs.RESULT: RECORD})


class Hook:
    """The runs that there are."""

    extra: ClassVar = {"service_account": "trainer", "pipeline_root": "s3://models/kfp"}

    def __init__(self):
        self.made, self.rival, self.terminated, self.documents = [], None, [], {}

    def pipeline(self, name):
        return f"pipeline {name}"

    def experiment(self, name):
        return f"experiment {name}"

    def version(self, pipeline_id, name, document):
        self.documents[name] = document
        return name

    def runs(self, part):
        return sorted((run for run in self.made if part in run["display_name"]), key=lambda run: run["run_id"])

    def create(self, request):
        run = {**request, "run_id": str(len(self.made) + 1)}
        self.made += [run, *([{**run, "run_id": "0"}] if self.rival else [])]
        return run

    def run(self, run_id):
        return next((run for run in self.made if run["run_id"] == run_id), None)

    def terminate(self, run_id):
        self.terminated.append(run_id)

    def page(self, run_id):
        return f"page of {run_id}"


class Store(dict):
    def get(self, uri):
        if uri not in self:
            raise MissingInput(uri)
        return self[uri]

    def put(self, uri, data):
        self[uri] = data


@pytest.fixture
def store(monkeypatch):
    kept = Store()
    monkeypatch.setattr("flightline.hooks.lake.LakeHook.lake", SimpleNamespace(objects=lambda: kept))
    return kept


@pytest.fixture
def context():
    pushed = {}
    ti = SimpleNamespace(dag_id="flight_delays.train", task_id="fit", run_id="r", pushed=pushed)
    ti.xcom_push = pushed.__setitem__
    return {"ti": ti, "dag_run": SimpleNamespace(partition_key="news")}


def backend(hook):
    made = Kubeflow(BaseOperator(task_id="fit"), conn_id="kubeflow")
    made._hook = hook
    return made


def started(hook, context):
    with pytest.raises(TaskDeferred) as deferred:
        backend(hook).run(JOB, context)
    return deferred.value.trigger.run_id


def test_the_pipeline_has_what_the_job_says_and_is_named_by_its_content(context):
    job = JOB.model_copy(update={"resources": Resources(cpu="2", memory="3Gi", gpus=1)})
    spec, platform = yaml.safe_load_all(pipeline_of(job))
    (container,) = (each["container"] for each in spec["deploymentSpec"]["executors"].values())
    assert container["image"] == JOB.image
    assert container["resources"] == {
        "resourceCpuRequest": "2",
        "resourceMemoryRequest": "3Gi",
        "resourceMemoryLimit": "3Gi",
        "accelerator": {"resourceType": "nvidia.com/gpu", "resourceCount": "1"},
    }
    assert platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]["exec-step"]["secretAsVolume"]
    hook = Hook()
    versions = [
        backend(hook).request(each, "n-0", context)["pipeline_version_reference"]["pipeline_version_id"]
        for each in (JOB, job, JOB)
    ]
    assert versions[0] == versions[2] != versions[1]


def test_a_run_s_parameters_are_json_of_their_types_with_interval_and_partition(context):
    from datetime import UTC, datetime

    context |= {"data_interval_start": datetime(2026, 1, 1, tzinfo=UTC), "data_interval_end": None}
    request = backend(Hook()).request(JOB, "fit-1-2", context)
    assert json.loads(json.dumps(request)) == request
    assert request["runtime_config"] == {
        "parameters": {
            "arguments": ["-V"],
            "environment": {"FLIGHTLINE_IMAGE": JOB.image},
            "failure": "s3://models/_jobs/1.2.failure.json",
            "result": RECORD,
            "interval_start": "2026-01-01T00:00:00+00:00",
            "partition": "news",
        },
        "pipeline_root": "s3://models/kfp",
    }
    assert request["service_account"] == "trainer"
    assert request["pipeline_version_reference"]["pipeline_id"] == "pipeline flight-delays-train"


def test_a_job_of_several_parts_is_a_pipeline_of_them_all_in_its_image(context):
    parts = {"trials": [["-m", "a"], ["-m", "b"]], "fit": ["c"], "register": ["d"], "gate": ["e"]}
    job = JOB.model_copy(update={"parts": parts, "resources": Resources(cpu="2")})
    spec, _ = yaml.safe_load_all(pipeline_of(job))
    containers = [each["container"] for each in spec["deploymentSpec"]["executors"].values()]
    assert len(containers) == len(parts)
    assert all((each["image"], each["resources"]) == (JOB.image, {"resourceCpuRequest": "2"}) for each in containers)
    request = backend(Hook()).request(job, "train-1-0", context)
    spec, platform = pipelines.read(pipeline_of(job))
    given = pipelines.parameters(spec, request["runtime_config"]["parameters"])
    assert [step.shown for step in pipelines.steps(spec, platform, given)] == [
        "trial",
        "trial",
        "fit",
        "register",
        "gate",
    ]
    assert {name: given[name] for name in parts} == parts


def test_a_retry_rejoins_what_runs_and_starts_the_next_of_what_failed(context):
    hook = Hook()
    for number, state in enumerate(["FAILED", "CANCELED", "SKIPPED"]):
        run_id = started(hook, context)
        assert started(hook, context) == run_id
        assert hook.run(run_id)["display_name"] == f"fit-{JOB.key[:32]}-{number}"
        for between in ("PENDING", "RUNNING", "PAUSED", "CANCELING", state):
            hook.run(run_id)["state"] = between
            if between != state:
                assert started(hook, context) == run_id
    assert len(hook.made) == 3
    assert context["ti"].pushed["job_page"] == f"page of {run_id}"


def test_of_two_that_start_at_once_one_goes_on(context):
    hook = Hook()
    hook.rival = True
    assert started(hook, context) == "0"
    assert hook.terminated == ["1"]


@pytest.mark.parametrize(("code", "permanent"), [(1, False), (65, True), (None, False)])
def test_an_end_without_success_is_told_with_the_last_words(context, store, code, permanent):
    hook = Hook()
    run = hook.run(started(hook, context))
    run |= {
        "state": "FAILED",
        "run_details": {
            "task_details": [{"display_name": "fit", "error": {"message": "Error (exit code 1)" if code else "OOM"}}]
        },
    }
    if code:
        jobs.fail(
            store, "s3://models/_jobs/1.0.failure.json", code=code, said="\n".join(f"line {n}" for n in range(20))
        )
    with pytest.raises(JobFailed, match="is FAILED") as caught:
        backend(hook).resume(JOB, context, {"run_id": run["run_id"], "status": "ended", "message": ""})
    assert caught.value.permanent is permanent
    assert f"exit code {code or 'unknown'}: fit: " in str(caught.value)
    assert str(caught.value).endswith("line 18\n  line 19") is bool(code)


def test_the_exit_code_that_argo_tells_counts_where_no_last_words_could_be_left(context, store):
    hook = Hook()
    run = hook.run(started(hook, context))
    error = {"message": "This step is in Failed state with this message: Error (exit code 65)"}
    run |= {
        "state": "FAILED",
        "run_details": {"task_details": [{"display_name": "fit", "error": error}]},
        "error": {"message": "failed"},
    }
    with pytest.raises(JobFailed) as caught:
        backend(hook).resume(JOB, context, {"run_id": run["run_id"], "status": "ended", "message": ""})
    assert caught.value.permanent


def test_a_run_that_takes_too_long_is_ended_and_one_that_is_gone_can_be_retried(context):
    hook = Hook()
    event = {"run_id": "1", "status": "timeout", "message": "PAUSED"}
    with pytest.raises(JobFailed, match="its time is over; it was PAUSED") as caught:
        backend(hook).resume(JOB, context, event)
    assert hook.terminated == ["1"]
    assert not caught.value.permanent
    with pytest.raises(JobFailed, match="is gone"):
        backend(hook).resume(JOB, context, {**event, "status": "ended"})
    with pytest.raises(JobFailed, match="401") as caught:
        backend(hook).resume(JOB, context, {**event, "status": "error", "message": "401"})
    assert caught.value.permanent


def test_a_job_without_a_place_for_its_record_is_refused(context):
    with pytest.raises(InvalidInput, match="FLIGHTLINE_JOB_RESULT"):
        backend(Hook()).run(JOB.model_copy(update={"environment": {}}), context)
