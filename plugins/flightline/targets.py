"""Where a version goes beside its stages, once it is the champion: a task group for each target of the spec.

A target publishes what serves in production, never anything else: it is a copy, so its failure fails the run and takes
nothing back. Cleared, it goes on where it stood.
"""

from collections.abc import Callable
from typing import Any

from airflow.sdk import TaskGroup, chain

from flightline import notes
from flightline.operators.jobs import JobOperator
from flightline.operators.modzy import ModzyPublishOperator, ModzyRetireOperator
from flightline.operators.sagemaker_endpoint import SageMakerDeployOperator, SageMakerRetireOperator
from flightline.tasks import endpoint, marketplace
from include.foundation.echo import cut
from include.foundation.spec import UseCase

STAYS = "What serves in production stays as it is: clear this task, and it goes on where it stood."
card_of: Any = marketplace.card  # their results are XComArgs
variant_of: Any = endpoint.variant


def keep_reason(context: Any) -> None:
    """`on_failure_callback`: keep why a target failed, and what that leaves, for the run's note."""
    reason = cut(str(context.get("exception")), notes.LONGEST // 2)
    context["ti"].xcom_push(notes.REASON, f"{reason}. {STAYS}")


def modzy(spec: UseCase, choose_id: str, chosen: Any) -> Any:
    """Bundle the version by its own code, publish it, and retire those that it takes over from; the first task."""
    with _group("modzy"):
        bundle = _bundle(spec, choose_id)
        card = card_of(spec.name, chosen, bundle.output)
        publish = ModzyPublishOperator(task_id="publish", card=card)
        version = f"{{{{ ti.xcom_pull('{publish.task_id}')['version'] }}}}"
        chain(card, publish, ModzyRetireOperator(task_id="retire", model=spec.title, keep=[version]))
    return bundle


def sagemaker(spec: UseCase, choose_id: str, chosen: Any) -> Any:
    """Bundle the version by its own code, let the endpoint serve it, and delete what served before; the first task."""
    with _group("sagemaker"):
        bundle = _bundle(spec, choose_id)
        variant = variant_of(spec.name, chosen, bundle.output)
        deploy = SageMakerDeployOperator(task_id="deploy", variant=variant)
        said = f"ti.xcom_pull('{deploy.task_id}')"
        retire = SageMakerRetireOperator(
            task_id="retire", endpoint=f"{{{{ {said}['endpoint'] }}}}", keep=f"{{{{ {said}['config'] }}}}"
        )
        chain(variant, deploy, retire)
    return bundle


def _group(name: str) -> TaskGroup:
    told = {"on_failure_callback": keep_reason}
    return TaskGroup(name, default_args=told)  # type: ignore[arg-type]  # as its attrs field is typed


def _bundle(spec: UseCase, choose_id: str) -> JobOperator:
    """Equal content gives an equal archive, so two targets of one run make it once."""
    pulled = f"ti.xcom_pull('{choose_id}')"
    return JobOperator(
        task_id="bundle",
        arguments=["bundle", spec.name, "--version", f"{{{{ {pulled}['version'] }}}}"],
        reads={"run": "{{ run_id }}"},  # the history that goes along is that of now
        image=f"{{{{ {pulled}['trainer_image'] }}}}",
    )


TARGETS: dict[str, Callable[[UseCase, str, Any], Any]] = {"modzy": modzy, "sagemaker": sagemaker}


def publish(spec: UseCase, choose_id: str, chosen: Any) -> list[Any]:
    """The first task of each target of the spec, but for the stages themselves."""
    return [TARGETS[name](spec, choose_id, chosen) for name in spec.promotion.targets if name in TARGETS]
