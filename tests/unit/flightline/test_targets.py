"""Where a version goes beside its stages, as tasks of a Dag."""

from airflow.sdk import DAG, task

from flightline import targets
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


def test_the_marketplace_s_tasks_stand_in_their_order():
    promotion = SPEC.promotion.model_copy(update={"targets": ("argocd", "modzy")})
    dag, (first,) = _dag(SPEC.model_copy(update={"promotion": promotion}))
    order = [first.task_id]
    while below := dag.get_task(order[-1]).downstream_task_ids:
        (following,) = below
        order.append(following)
    assert order == ["modzy.bundle", "modzy.card", "modzy.publish", "modzy.retire"]
    assert first.image == "{{ ti.xcom_pull('choose')['trainer_image'] }}"
    assert dag.get_task("modzy.retire").keep == ["{{ ti.xcom_pull('modzy.publish')['version'] }}"]
