"""Kubeflow Pipelines in the sandbox, started when it is asked for: `python -m sandbox up all kubeflow`."""

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from sandbox.supervisor.home import write
from sandbox.supervisor.service import REPO, Service, answers, python


def service(home: Path, *, port: int, images: Path, token: str, secret: Mapping[str, str]) -> Service:
    """The service.

    Args:
        home: of the sandbox.
        port: where it listens.
        images: the cluster's file of images.
        token: that clients must send.
        secret: what the Secret `flightline-trainer` of its namespace holds.
    """
    state = home / "kubeflow"
    words: tuple[object, ...] = ("--port", port, "--state", state / "runs", "--images", images)
    words += ("--secrets", state / "secrets.json", "--token-file", state / "token")

    def prepare() -> None:
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        write(state / "token", token)
        write(state / "secrets.json", json.dumps({"flightline-trainer": secret}))

    url = f"http://127.0.0.1:{port}"
    return Service(
        name="kubeflow",
        command=(str(python("sandbox")), "-m", "sandbox.kubeflow", *map(str, words)),
        env={"PYTHONPATH": str(REPO)},
        needs=("cluster",),
        outlived_by=("postgres", "seaweedfs", "mlflow", "sigopt"),
        url=url,
        ports=(port,),
        prepare=prepare,
        ready=partial(answers, f"{url}/apis/v2beta1/healthz"),
    )
