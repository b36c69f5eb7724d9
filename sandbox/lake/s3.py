"""S3 by `ministack`, on 127.0.0.1, for one key pair; every object is on disk before its request is answered."""

import urllib.error
import urllib.request
from functools import partial
from pathlib import Path

from sandbox.lake.signing import Request, Signer
from sandbox.supervisor.service import REPO, Service, answers, python

BUCKETS = ("landing", "lake", "models", "mlflow")
REGION = "us-east-1"
_CONFLICT = 409


def service(home: Path, *, port: int, access_key: str, secret_key: str, buckets: tuple[str, ...] = BUCKETS) -> Service:
    """The S3 server with its objects in `home/s3`."""
    host = f"127.0.0.1:{port}"
    signer = Signer(access_key=access_key, secret_key=secret_key, region=REGION)
    return Service(
        name="s3",
        command=(str(python("sandbox")), "-m", "sandbox.lake.s3_server"),
        env={
            "PYTHONPATH": str(REPO),
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(port),
            "SERVICES": "s3",
            "SFTP_ENABLED": "0",
            "IOT_MTLS_ENABLED": "0",
            "S3_PERSIST": "1",
            "S3_DATA_DIR": str(home / "s3"),
            "LOG_LEVEL": "WARNING",
            "AWS_ACCESS_KEY_ID": access_key,
            "AWS_SECRET_ACCESS_KEY": secret_key,
        },
        url=f"http://{host}",
        port=port,
        ready=partial(answers, f"http://{host}/_ministack/ready"),
        bootstrap=partial(create, host, signer, buckets),
    )


def create(host: str, signer: Signer, buckets: tuple[str, ...]) -> None:
    """Create the buckets; one that exists stays as it is."""
    for bucket in buckets:
        request = Request(method="PUT", path=f"/{bucket}", query="", headers={"host": host})
        headers = {**request.headers, **signer.headers(request)}
        call = urllib.request.Request(f"http://{host}/{bucket}", headers=headers, method="PUT")
        try:
            urllib.request.urlopen(call, timeout=10).close()  # noqa: S310 (our own http URL)
        except urllib.error.HTTPError as error:
            if error.code != _CONFLICT:
                raise
