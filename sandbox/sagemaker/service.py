"""SageMaker in the sandbox, started when it is asked for: `python -m sandbox up all sagemaker`."""

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from sandbox.supervisor.home import write
from sandbox.supervisor.service import REPO, SandboxError, Service, answers

SECRET = "flightline/trainer"  # noqa: S105 (its name)


def service(home: Path, *, port: int, images: Path, role: Mapping[str, str], secret: Mapping[str, str]) -> Service:
    """The service.

    Args:
        home: of the sandbox.
        port: where it listens.
        images: the cluster's file of images.
        role: variables that any role gives to a container.
        secret: variables that Secrets Manager holds for jobs.
    """
    state, interpreter = home / "sagemaker", REPO / ".venv" / "aws" / "bin" / "python"
    words: tuple[object, ...] = ("--port", port, "--state", state / "jobs", "--images", images)
    words += ("--role", state / "role.json", "--secrets", state / "secrets.json")

    def prepare() -> None:
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not interpreter.exists():
            raise SandboxError(f"the environment {interpreter.parents[1]} is missing; `make .venv/aws/ready` makes it")
        write(state / "role.json", json.dumps(role))
        write(state / "secrets.json", json.dumps({SECRET: secret}))

    url = f"http://127.0.0.1:{port}"
    return Service(
        name="sagemaker",
        command=(str(interpreter), "-m", "sandbox.sagemaker", *map(str, words)),
        env={"PYTHONPATH": str(REPO)},
        needs=("seaweedfs", "cluster"),
        outlived_by=("postgres", "mlflow", "sigopt"),
        url=url,
        ports=(port,),
        prepare=prepare,
        ready=partial(answers, f"{url}/moto-api/data.json"),
    )
