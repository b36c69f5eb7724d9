"""S3 by `ministack`, on 127.0.0.1, every object on disk before its request is answered."""

import urllib.request
from functools import partial
from pathlib import Path

from sandbox.service import Service, answers, python

BUCKETS = ("landing", "lake", "models", "mlflow")
REGION = "us-east-1"


def service(home: Path, *, port: int, access_key: str, secret_key: str, buckets: tuple[str, ...] = BUCKETS) -> Service:
    """The S3 server with its objects in `home/s3`."""
    url = f"http://127.0.0.1:{port}"
    return Service(
        name="s3",
        command=(str(python("sandbox").parent / "ministack"),),
        env={
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(port),
            "SERVICES": "s3",
            "SFTP_ENABLED": "0",
            "IOT_MTLS_ENABLED": "0",
            "S3_PERSIST": "1",
            "S3_DATA_DIR": str(home / "s3"),
            "TMPDIR": str(home / "s3.tmp"),
            "LOG_LEVEL": "WARNING",
            "AWS_ACCESS_KEY_ID": access_key,
            "AWS_SECRET_ACCESS_KEY": secret_key,
        },
        url=url,
        port=port,
        ready=partial(answers, f"{url}/_ministack/ready"),
        prepare=partial((home / "s3.tmp").mkdir, parents=True, exist_ok=True),
        bootstrap=partial(create, url, buckets),
    )


def create(url: str, buckets: tuple[str, ...]) -> None:
    """Create the buckets; one that exists stays as it is."""
    for bucket in buckets:
        request = urllib.request.Request(f"{url}/{bucket}", method="PUT")  # noqa: S310 (our own http URL)
        urllib.request.urlopen(request, timeout=10).close()  # noqa: S310
