"""What the Spark operator is asked for, against its API as its resource definition tells it."""

import jsonschema
import pytest
from airflow.sdk import BaseOperator
from kubernetes.client import ApiException

from flightline.backends import spark_application
from flightline.backends.protocol import JobFailed
from flightline.backends.spark_application import TRIES, SparkApplication
from include.foundation.errors import InvalidInput
from include.foundation.jobs import Job

JOB = Job(
    name="publish",
    arguments=("-m", "include.steps.data", "ingest", "flight_delays", "--days", "2013-01-01"),
    image="flightline/spark:1",
    environment={"FLIGHTLINE_JOB_RESULT": "s3://models/_jobs/k.json"},
)
# What sparkoperator.k8s.io_sparkapplications.yaml (v1beta2) demands of the fields that are used here.
NAMES = {"type": "array", "items": {"type": "object", "required": ["name"]}}
POD = {
    "cores": {"type": "integer", "minimum": 1},
    "memory": {"type": "string"},
    "memoryOverhead": {"type": "string"},
    "serviceAccount": {"type": "string"},
    "securityContext": {"type": "object"},
    "env": NAMES,
    "envFrom": {"type": "array", "items": {"type": "object"}},
}
SCHEMA = {
    "type": "object",
    "required": ["apiVersion", "kind", "metadata", "spec"],
    "properties": {
        "apiVersion": {"const": "sparkoperator.k8s.io/v1beta2"},
        "kind": {"const": "SparkApplication"},
        "spec": {
            "type": "object",
            "additionalProperties": False,
            "required": ["driver", "executor", "mainApplicationFile", "sparkVersion", "type"],
            "properties": {
                "type": {"enum": ["Java", "Python", "Scala", "R"]},
                "mode": {"enum": ["cluster", "client"]},
                "sparkVersion": {"type": "string"},
                "mainApplicationFile": {"type": "string"},
                "image": {"type": "string"},
                "arguments": {"type": "array", "items": {"type": "string"}},
                "sparkConf": {"type": "object", "additionalProperties": {"type": "string"}},
                "restartPolicy": {"properties": {"type": {"enum": ["Never", "Always", "OnFailure"]}}},
                "timeToLiveSeconds": {"type": "integer"},
                "driver": {"type": "object", "additionalProperties": False, "properties": POD},
                "executor": {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {**POD, "instances": {"type": "integer", "minimum": 1}},
                },
            },
        },
    },
}


class Cluster:
    """Keeps applications, as the API server does, and ends each as the test says."""

    def __init__(self):
        self.there, self.ends = {}, []

    def create_namespaced_custom_object(self, group, version, namespace, plural, body, **_):
        jsonschema.validate(body, SCHEMA)
        assert (group, version, plural) == ("sparkoperator.k8s.io", "v1beta2", "sparkapplications")
        name = body["metadata"]["name"]
        if name in self.there:
            raise ApiException(status=409)
        self.there[name] = body
        return body

    def get_namespaced_custom_object(self, _group, _version, _namespace, _plural, name, **_):
        if name not in self.there:
            raise ApiException(status=404)
        if "status" not in self.there[name] and self.ends:
            state, message = self.ends.pop(0)
            self.there[name]["status"] = {"applicationState": {"state": state, "errorMessage": message}}
        return self.there[name]

    def delete_namespaced_custom_object(self, _group, _version, _namespace, _plural, name, **_):
        if name not in self.there:
            raise ApiException(status=404)
        del self.there[name]


@pytest.fixture
def cluster(monkeypatch):
    made = Cluster()
    monkeypatch.setattr(SparkApplication, "_client", made)
    monkeypatch.setattr(spark_application.time, "sleep", lambda _: None)
    return made


def backend():
    return SparkApplication(BaseOperator(task_id="publish"), conn_id="cluster")


def test_an_application_says_what_the_job_says(cluster):
    cluster.ends = [("COMPLETED", "")]
    backend().run(JOB, {})
    (made,) = cluster.there.values()
    spec = made["spec"]
    assert spec["image"] == "flightline/spark:1"
    assert spec["arguments"] == ["ingest", "flight_delays", "--days", "2013-01-01"]
    assert {"name": "FLIGHTLINE_JOB_RESULT", "value": "s3://models/_jobs/k.json"} in spec["driver"]["env"]
    assert made["metadata"]["labels"]["flightline/job"] == JOB.label
    assert len(made["metadata"]["name"]) < 63


def test_the_same_job_is_rejoined_and_one_that_failed_is_started_again(cluster):
    cluster.ends = [("FAILED", "driver container failed with ExitCode: 1, Reason: Error"), ("COMPLETED", "")]
    with pytest.raises(JobFailed, match="ExitCode: 1") as failed:
        backend().run(JOB, {})
    assert not failed.value.permanent
    backend().run(JOB, {})
    backend().run(JOB, {})
    assert [name[-2:] for name in cluster.there] == ["-0", "-1"]


def test_what_no_retry_can_help_is_permanent(cluster):
    cluster.ends = [("FAILED", "driver container failed with ExitCode: 65, Reason: Error")]
    with pytest.raises(JobFailed) as failed:
        backend().run(JOB, {})
    assert failed.value.permanent
    cluster.ends = [("FAILED", "")] * TRIES
    for _ in range(TRIES - 1):
        with pytest.raises(JobFailed, match="no reason is told"):
            backend().run(JOB, {})
    with pytest.raises(JobFailed, match="20 applications of job"):
        backend().run(JOB, {})


def test_of_two_that_start_at_one_moment_the_second_joins(cluster, monkeypatch):
    first, second = backend(), backend()
    seen = second._get
    asked = []

    def late(name):
        asked.append(name)
        return None if len(asked) == 1 else seen(name)

    monkeypatch.setattr(second, "_get", late)
    cluster.ends = [("COMPLETED", "")]
    first.run(JOB, {})
    second.run(JOB, {})
    assert len(cluster.there) == 1
    assert len(asked) == 2


def test_a_kill_deletes_it_and_one_that_is_gone_is_told(cluster, monkeypatch):
    one = backend()
    monkeypatch.setattr(spark_application.time, "sleep", lambda _: one.kill())
    with pytest.raises(JobFailed, match="is gone") as failed:
        one.run(JOB, {})
    assert cluster.there == {}
    assert not failed.value.permanent
    one.kill()


def test_only_ingest_and_features_are_for_spark(cluster):
    with pytest.raises(InvalidInput, match=r"not -m include\.steps"):
        backend().run(JOB.model_copy(update={"arguments": ("-m", "include.steps", "fit")}), {})
    assert cluster.there == {}
