"""Services that only integration tests need."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from sandbox.supervisor.service import Service, answers, free_ports, python, running


@pytest.fixture(scope="session")
def mlflow_url(service_home: Path, s3) -> Iterator[str]:
    """A running MLflow server, artifacts in S3."""
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    options = (
        *("--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
        *("--backend-store-uri", f"sqlite:///{service_home}/mlflow.db", "--artifacts-destination", "s3://mlflow"),
    )
    service = Service(
        name="mlflow",
        command=(str(python("dev")), "-m", "mlflow", "server", *options),
        env={
            **s3.env(),
            "MLFLOW_S3_ENDPOINT_URL": s3.endpoint,
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        },
        ready=partial(answers, f"{url}/health"),
    )
    with running(service, log=service_home / "mlflow.log", timeout_seconds=180):
        yield url
