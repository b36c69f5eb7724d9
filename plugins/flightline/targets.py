"""Where a version goes beside its stages, once it is the champion: a task group for each target of the spec.

A target publishes what serves in production, never anything else: it is a copy, so its failure fails the run and takes
nothing back. Cleared, it goes on where it stood.
"""

from collections.abc import Callable
from typing import Any

from airflow.sdk import TaskGroup, chain

from flightline.operators.jobs import JobOperator
from flightline.operators.modzy import ModzyPublishOperator, ModzyRetireOperator
from flightline.tasks import marketplace
from include.foundation.spec import UseCase

tasks: Any = marketplace  # their results are XComArgs


def modzy(spec: UseCase, choose_id: str, chosen: Any) -> Any:
    """Bundle the version by its own code, publish it, and retire those that it takes over from; the first task."""
    with TaskGroup("modzy"):
        pulled = f"ti.xcom_pull('{choose_id}')"
        bundle = JobOperator(
            task_id="bundle",
            arguments=["bundle", spec.name, "--version", f"{{{{ {pulled}['version'] }}}}"],
            reads={"run": "{{ run_id }}"},  # the history that goes along is that of now
            image=f"{{{{ {pulled}['trainer_image'] }}}}",
        )
        card = tasks.card(spec.name, chosen, bundle.output)
        publish = ModzyPublishOperator(task_id="publish", card=card)
        version = f"{{{{ ti.xcom_pull('{publish.task_id}')['version'] }}}}"
        chain(card, publish, ModzyRetireOperator(task_id="retire", model=spec.title, keep=[version]))
    return bundle


TARGETS: dict[str, Callable[[UseCase, str, Any], Any]] = {"modzy": modzy}


def publish(spec: UseCase, choose_id: str, chosen: Any) -> list[Any]:
    """The first task of each target of the spec, but for the stages themselves."""
    return [TARGETS[name](spec, choose_id, chosen) for name in spec.promotion.targets if name in TARGETS]
