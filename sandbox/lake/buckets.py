"""Make the buckets of SeaweedFS and write to each, so that its first user need not wait. Runs in `.venv/sandbox`.

    AWS_... python -m sandbox.lake.buckets landing models --catalogs lake

A server that has just come up answers before its volumes do: that a write and a read succeed says that all is there.
"""

import argparse
import time
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

_SECONDS = 30.0
_THERE = {"BucketAlreadyOwnedByYou", "BucketAlreadyExists", "ConflictException"}


def make(buckets: list[str], catalogs: list[str]) -> None:
    """Make what is missing, and return when all of it takes writes."""
    s3, tables = _client("s3"), _client("s3tables")
    for bucket in buckets:
        _until_it_works(lambda bucket=bucket: s3.create_bucket(Bucket=bucket))
    for name in catalogs:
        _until_it_works(lambda name=name: tables.create_table_bucket(name=name))
    for bucket in (*buckets, *catalogs):
        address = {"Bucket": bucket, "Key": "sandbox/ready/data/ready"}  # a catalog takes files of tables alone
        _until_it_works(lambda address=address: s3.put_object(**address, Body=b"ready"))
        _until_it_works(lambda address=address: s3.get_object(**address)["Body"].read())
        s3.delete_object(**address)


def _client(name: str) -> Any:
    return boto3.client(name, config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}))


def _until_it_works(act: Any) -> None:
    deadline = time.monotonic() + _SECONDS
    while True:
        try:
            act()
        except (ClientError, BotoCoreError) as error:
            if isinstance(error, ClientError) and error.response["Error"]["Code"] in _THERE:
                return
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("buckets", nargs="*")
    parser.add_argument("--catalogs", nargs="*", default=[])
    asked = parser.parse_args()
    make(asked.buckets, asked.catalogs)
