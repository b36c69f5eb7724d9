"""The stand-in for SageMaker, running, and what of it is to go wrong."""

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from include.foundation.lake import S3
from sandbox.supervisor.service import REPO, Service, answers, free_ports, python
from sandbox.supervisor.service import running as service_running


class SageMaker:
    """A running stand-in, and what of it is to go wrong."""

    def __init__(self, url):
        self.url = url

    def fault(self, operation, **fault):
        """Order a fault."""
        body = json.dumps({"operation": operation, **fault}).encode()
        request = urllib.request.Request(f"{self.url}/faults", body, {"Content-Type": "application/json"})
        urllib.request.urlopen(request, timeout=10).close()

    def client(self, service="sagemaker"):
        """boto3."""
        import boto3

        keys = {"aws_access_key_id": "key", "aws_secret_access_key": "secret", "region_name": "us-east-1"}
        return boto3.client(service, endpoint_url=self.url, **keys)

    @property
    def connection(self):
        """The Connection `sagemaker`."""
        extra = {
            "region_name": "us-east-1",
            "endpoint_url": self.url,
            "job_profile": "sandbox",
            "endpoint_profile": "sandbox",
            "execution_role": "arn:aws:iam::123456789012:role/flightline-training",
            "poll_seconds": 0.2,
        }
        return {"conn_type": "aws", "login": "key", "password": "secret", "extra": extra}


def images(path: Path) -> Path:
    """A file of the sandbox's images, of the code that is here."""
    env = {"PYTHONPATH": str(REPO), "FLIGHTLINE_COMMIT": "0" * 40 + "-dirty"}
    entry = {"workdir": str(REPO), "env": env}
    named = {f"flightline/{name}": {"path": str(python(name).parent), **entry} for name in ("trainer", "serving")}
    path.write_text(json.dumps(named))
    return path


@contextmanager
def running(home: Path, known: Path, s3: S3) -> Iterator[SageMaker]:
    """The stand-in, whose containers find S3."""
    (port,) = free_ports(1)
    home.mkdir(exist_ok=True)
    (home / "role.json").write_text(json.dumps(s3.env()))
    words = ("--port", port, "--state", home / "jobs", "--images", known, "--role", home / "role.json")
    url = f"http://127.0.0.1:{port}"
    service = Service(
        name="sagemaker",
        command=(str(python("aws")), "-m", "sandbox.sagemaker", *map(str, words)),
        env={"PYTHONPATH": str(REPO)},
        ready=partial(answers, f"{url}/moto-api/data.json"),
    )
    with service_running(service, log=home / "log"):
        yield SageMaker(url)
