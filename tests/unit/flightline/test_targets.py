"""Where a version goes beside its stages, as tasks of a Dag."""

from types import SimpleNamespace
from typing import get_args

import pytest
from airflow.sdk import DAG, task

from flightline import notes, targets
from include.foundation.spec import load

SPEC = load("flight_delays")


def _dag(spec):
    @task
    def choose():
        return {}

    with DAG("promote") as dag:
        first = targets.publish(spec, "choose", choose())
    return dag, first


def test_without_a_target_there_is_no_task_of_one():
    dag, first = _dag(SPEC)
    assert (first, dag.task_ids) == ([], ["choose"])


@pytest.mark.parametrize(
    ("target", "tasks"),
    [("modzy", ["bundle", "card", "publish", "retire"]), ("sagemaker", ["bundle", "variant", "deploy", "retire"])],
)
def test_a_target_s_tasks_stand_in_their_order(target, tasks):
    promotion = SPEC.promotion.model_copy(update={"targets": ("argocd", target)})
    dag, (first,) = _dag(SPEC.model_copy(update={"promotion": promotion}))
    order = [first.task_id]
    while below := dag.get_task(order[-1]).downstream_task_ids:
        (following,) = below
        order.append(following)
    assert order == [f"{target}.{name}" for name in tasks]
    assert first.image == "{{ ti.xcom_pull('choose')['trainer_image'] }}"
    assert f"ti.xcom_pull('{order[2]}')" in str(dag.get_task(order[3]).keep)


def test_every_target_of_the_spec_but_the_stages_has_its_tasks():
    (named, _) = get_args(type(SPEC.promotion).model_fields["targets"].annotation)
    assert {"argocd", *targets.TARGETS} == {*get_args(named)}


def test_a_failure_says_what_it_leaves():
    promotion = SPEC.promotion.model_copy(update={"targets": ("argocd", "sagemaker")})
    dag, _ = _dag(SPEC.model_copy(update={"promotion": promotion}))
    pushed = {}
    for told in dag.get_task("sagemaker.deploy").on_failure_callback:
        told({"ti": SimpleNamespace(xcom_push=pushed.__setitem__), "exception": ValueError("no room " * 200)})
    assert pushed["reason"].startswith("no room no room")
    assert pushed["reason"].endswith(f".... {targets.STAYS}")
    assert len(pushed["reason"]) < notes.LONGEST
