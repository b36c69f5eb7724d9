"""Which of the data steps run in the worker, and which as jobs of their engine's image."""

import json
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from airflow.sdk import DAG

from flightline.hooks.lake import LakeHook
from flightline.operators.data import DataJobOperator
from flightline.tasks import features, ingest
from include.foundation.spec import load
from include.foundation.spec.engine import Engine

SPEC = load("flight_delays")


def dag(engine):
    spec = SPEC.model_copy(update={"engine": engine})
    with DAG("d", schedule=None, start_date=datetime(2013, 1, 1, tzinfo=UTC)) as made:
        ingest.published(spec, ingest.plan(spec.name)) >> ingest.reconcile(spec.name, {})
        features.publish(spec.name, features.built(spec))
    return made


def test_polars_runs_in_the_worker():
    made = dag(Engine())
    assert not any(isinstance(task, DataJobOperator) for task in made.tasks)
    assert {"plan", "publish", "reconcile", "build", "publish__1"} == {*made.task_ids}


def test_spark_runs_as_jobs_on_the_backend_of_the_spec():
    made = dag(Engine(name="spark", backend="emr_serverless"))
    publish, build = made.get_task("publish"), made.get_task("build")
    assert {type(publish), type(build)} == {DataJobOperator}
    assert (publish.backend, publish.upstream_task_ids) == ("emr_serverless", {"plan"})
    assert publish.downstream_task_ids == {"reconcile"}
    assert (build.upstream_task_ids, build.downstream_task_ids) == ({"span"}, {"publish__1"})
    assert publish.program == ("-m", "include.steps.data")
    assert {publish.runtime, build.runtime} == {"spark"}


@pytest.mark.parametrize(
    ("backend", "image"),
    [
        ("pods", "flightline/spark:1"),
        ("spark_application", "flightline/spark:1"),
        ("emr_serverless", "ecr.example/spark:1"),
    ],
)
def test_a_spark_job_s_image_is_the_one_that_its_system_names(monkeypatch, backend, image):
    monkeypatch.setattr("include.foundation.evidence.code.image", lambda name: f"{name}:1")
    monkeypatch.setattr(LakeHook, "lake", SimpleNamespace(models="s3://models"))
    for name, extra in (("CLUSTER", {"profile": "gpu"}), ("EMR_SERVERLESS", {"image": "ecr.example/spark"})):
        monkeypatch.setenv(f"AIRFLOW_CONN_{name}", json.dumps({"conn_type": "generic", "extra": extra}))
    task = dag(Engine(name="spark", backend=backend)).get_task("publish")
    ti = SimpleNamespace(dag_id="d", task_id="publish", run_id="r", max_tries=0, map_index=-1, try_number=1)
    assert task.job({"ti": ti}).image == image


@pytest.mark.parametrize("name", ["publish", "build"])
def test_what_a_job_reads_is_in_its_key(name):
    task = dag(Engine(name="spark")).get_task(name)
    assert list(task.reads) == ["files" if name == "publish" else "silver"]
    assert "reads" in task.template_fields
