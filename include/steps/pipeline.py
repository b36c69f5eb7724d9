"""`python -m include.steps.pipeline`: compile the pipelines of Kubeflow's runs, in the environment `kfp`.

`step.yaml` runs one step: the order of the steps is then the Dag's, which retries, kills and shows each by itself.
`train.yaml` is a whole training from frozen input to verdict (`training.one_job`). What a use case, an image and a job
say is put in by the backend, which knows them; what is compiled here is the same for all.
"""

# ruff: noqa: ARG001, PLR0917, S106 (a pipeline's function is never called, and names a Secret)

import sys
from pathlib import Path
from typing import Any

from kfp import compiler, dsl, kubernetes

SECRETS = "/etc/flightline"
FOLDER = Path(__file__).parents[2] / "deploy" / "kubeflow"


@dsl.container_component  # type: ignore[untyped-decorator]
def step(arguments: list, environment: dict, failure: str, result: str):  # type: ignore[no-untyped-def, type-arg]  # noqa: ANN201
    """Run `python` with these arguments in the training image."""
    words = ["--arguments", arguments, "--environment", environment, "--failure", failure, "--result", result]
    return dsl.ContainerSpec(
        image="flightline/trainer",
        command=["python", "-m", "include.steps.component"],
        args=[*words, "--secrets", SECRETS],
    )


def task(name: str, **inputs: Any) -> Any:
    """A task of the step, shown by that name."""
    made = step(**inputs).set_display_name(name)
    made.set_caching_options(False)  # the record of a job is what is found again
    return kubernetes.use_secret_as_volume(made, secret_name="flightline-trainer", mount_path=SECRETS)


@dsl.pipeline(  # type: ignore[untyped-decorator]
    name="flightline-step", description="A step of a use case's training, started by Airflow"
)
def one_step(
    arguments: list,  # type: ignore[type-arg]
    environment: dict,  # type: ignore[type-arg]
    failure: str,
    result: str,
    interval_start: str = "",
    interval_end: str = "",
    partition: str = "",
) -> None:
    """The step; interval and partition are those of the Airflow run, for people to see."""
    task("step", arguments=arguments, environment=environment, failure=failure, result=result)


@dsl.pipeline(  # type: ignore[untyped-decorator]
    name="flightline-train", description="A use case's training, from frozen input to verdict, started by Airflow"
)
def train(
    trials: list[list],  # type: ignore[type-arg]
    fit: list,  # type: ignore[type-arg]
    register: list,  # type: ignore[type-arg]
    gate: list,  # type: ignore[type-arg]
    environment: dict,  # type: ignore[type-arg]
    failure: str,
    result: str,
    interval_start: str = "",
    interval_end: str = "",
    partition: str = "",
) -> None:
    """The arguments of each step; the last one leaves the record."""
    of_all = {"environment": environment, "failure": failure}
    with dsl.ParallelFor(trials, name="trials") as arguments:
        last = task("trial", arguments=arguments, result="", **of_all)
    for name, words, record in (("fit", fit, ""), ("register", register, ""), ("gate", gate, result)):
        last = task(name, arguments=words, result=record, **of_all).after(last)


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    for name, pipeline in (("step", one_step), ("train", train)):
        compiler.Compiler().compile(pipeline, str(folder / f"{name}.yaml"))
