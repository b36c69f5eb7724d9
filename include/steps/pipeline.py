"""`python -m include.steps.pipeline`: compile the pipeline that a step runs in on Kubeflow, in the environment `kfp`.

One component, one task: the order of the steps is the Dag's, which retries, kills and shows each by itself. What a use
case, an image and a job say is put in by the backend, which knows them; what is compiled here is the same for all.
"""

# ruff: noqa: ARG001, PLR0917, S106 (a pipeline's function is never called, and names a Secret)

import sys
from pathlib import Path

from kfp import compiler, dsl, kubernetes

SECRETS = "/etc/flightline"
PATH = Path(__file__).parents[2] / "deploy" / "kubeflow" / "step.yaml"


@dsl.container_component  # type: ignore[untyped-decorator]
def step(arguments: list, environment: dict, failure: str):  # type: ignore[no-untyped-def, type-arg]  # noqa: ANN201
    """Run `python` with these arguments in the training image."""
    return dsl.ContainerSpec(
        image="flightline/trainer",
        command=["python", "-m", "include.steps.component"],
        args=["--arguments", arguments, "--environment", environment, "--failure", failure, "--secrets", SECRETS],
    )


@dsl.pipeline(  # type: ignore[untyped-decorator]
    name="flightline-step", description="A step of a use case's training, started by Airflow"
)
def pipeline(
    arguments: list,  # type: ignore[type-arg]
    environment: dict,  # type: ignore[type-arg]
    failure: str,
    interval_start: str = "",
    interval_end: str = "",
    partition: str = "",
) -> None:
    """The step; interval and partition are those of the Airflow run, for people to see."""
    task = step(arguments=arguments, environment=environment, failure=failure)
    task.set_caching_options(False)  # the record of a job is what is found again
    kubernetes.use_secret_as_volume(task, secret_name="flightline-trainer", mount_path=SECRETS)


if __name__ == "__main__":
    compiler.Compiler().compile(pipeline, sys.argv[1] if len(sys.argv) > 1 else str(PATH))
