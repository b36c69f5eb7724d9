"""Whole S3 objects by URI (`s3://bucket/key`), over boto3."""

import random
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Any

from include.foundation.errors import InvalidInput, MissingInput, ServiceUnavailable

CONFLICTS = 20  # answers that others are writing the same object, before that is an outage


@dataclass(frozen=True, kw_only=True)
class S3:
    """Endpoint and keys of S3; whatever is None is left to boto3's own search.

    Attributes:
        session_token: of temporary keys, such as a REST catalog vends with a table.
    """

    endpoint: str | None = None
    region: str | None = None
    access_key: str | None = None
    secret_key: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> "S3 | None":
        """Settings from AWS's own variables; None when there are none (profile, instance role)."""
        settings = {
            "endpoint": environ.get("AWS_ENDPOINT_URL"),
            "region": environ.get("AWS_REGION"),
            "access_key": environ.get("AWS_ACCESS_KEY_ID"),
            "secret_key": environ.get("AWS_SECRET_ACCESS_KEY"),
        }
        # Temporary keys come with a session token and are renewed: boto3 reads them better itself.
        if not any(settings.values()) or "AWS_SESSION_TOKEN" in environ:
            return None
        return cls(**settings)

    def env(self) -> dict[str, str]:
        """The variables from which `from_env` reads the same settings."""
        settings = {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": self.region,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_SESSION_TOKEN": self.session_token,
        }
        return {name: value for name, value in settings.items() if value is not None}

    @classmethod
    def from_iceberg(cls, properties: Mapping[str, str]) -> "S3":
        """Settings from properties of a pyiceberg catalog."""
        return cls(
            endpoint=properties.get("s3.endpoint"),
            region=properties.get("s3.region"),
            access_key=properties.get("s3.access-key-id"),
            secret_key=properties.get("s3.secret-access-key"),
            session_token=properties.get("s3.session-token"),
        )

    def iceberg(self) -> dict[str, str]:
        """The same settings as properties of a pyiceberg catalog."""
        properties = {
            "s3.endpoint": self.endpoint,
            "s3.region": self.region,
            "s3.access-key-id": self.access_key,
            "s3.secret-access-key": self.secret_key,
            "s3.session-token": self.session_token,
        }
        return {name: value for name, value in properties.items() if value is not None}


@dataclass(frozen=True, kw_only=True)
class Object:
    """What a listing tells about an object. `etag` is without quotes; `modified` is UTC."""

    uri: str
    size: int
    etag: str
    modified: datetime


class Objects:
    """Reads and writes objects. Safe to share between threads.

    Every method raises `MissingInput` naming the URI when the object (or its bucket) is not there, `ServiceUnavailable`
    when S3 does not answer, and `InvalidInput` when the URI is not one.
    """

    def __init__(self, s3: S3 | None = None) -> None:
        self._s3 = s3 or S3()

    def get(self, uri: str, *, etag: str | None = None) -> bytes:
        """The whole object. With `etag`, InvalidInput if it has changed since."""
        with _named(uri):
            wanted = {"IfMatch": etag} if etag else {}
            return bytes(self._client.get_object(**_address(uri), **wanted)["Body"].read())

    def stream(self, uri: str, chunk: int = 1 << 20, *, etag: str | None = None) -> Iterator[bytes]:
        """The object in pieces of `chunk` bytes. With `etag`, InvalidInput if it has changed since."""
        with _named(uri):
            wanted = {"IfMatch": etag} if etag else {}
            yield from self._client.get_object(**_address(uri), **wanted)["Body"].iter_chunks(chunk)

    def stat(self, uri: str) -> Object:
        """Size, etag and time of the object."""
        head = self._head(uri)
        return Object(uri=uri, size=head["ContentLength"], etag=head["ETag"].strip('"'), modified=head["LastModified"])

    def age(self, uri: str) -> float:
        """Seconds since the object was written, by S3's own clock."""
        head = self._head(uri)
        now = parsedate_to_datetime(head["ResponseMetadata"]["HTTPHeaders"]["date"])
        return float((now - head["LastModified"]).total_seconds())

    def _head(self, uri: str) -> dict[str, Any]:
        with _named(uri):
            head: dict[str, Any] = self._client.head_object(**_address(uri))
        return head

    def exists(self, uri: str) -> bool:
        """Whether the object is there."""
        try:
            self.stat(uri)
        except MissingInput:
            return False
        return True

    def list(self, uri: str, *, after: str = "") -> Iterator[Object]:
        """Objects whose URI starts with `uri` and sorts behind `after`, in order. A missing bucket is an error."""
        bucket, prefix = _split(uri)
        start = {"StartAfter": _split(after)[1]} if after else {}
        with _named(uri):
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, **start):
                for item in page.get("Contents", ()):
                    yield Object(
                        uri=f"s3://{bucket}/{item['Key']}",
                        size=item["Size"],
                        etag=item["ETag"].strip('"'),
                        modified=item["LastModified"],
                    )

    def put(self, uri: str, data: bytes) -> None:
        """Write the object, over whatever was there."""
        with _named(uri):
            self._client.put_object(**_address(uri), Body=data)

    def put_if_absent(self, uri: str, data: bytes) -> bool:
        """Write the object unless there is one already (If-None-Match). Returns whether it was written."""
        from botocore.exceptions import ClientError

        for _ in range(CONFLICTS):
            with _named(uri):
                try:
                    self._client.put_object(**_address(uri), Body=data, IfNoneMatch="*")
                except ClientError as error:
                    code = error.response["Error"]["Code"]
                    if code == "PreconditionFailed":
                        return False
                    if code != "ConditionalRequestConflict":
                        raise
                else:
                    return True
            time.sleep(random.uniform(0.05, 0.2))  # noqa: S311 (no secret)
        raise ServiceUnavailable(f"others write {uri} all the time: S3 answers ConditionalRequestConflict")

    def delete(self, uri: str) -> None:
        """Delete the object; nothing happens if there is none."""
        with _named(uri):
            self._client.delete_object(**_address(uri))

    @cached_property
    def _client(self) -> Any:
        import boto3
        from botocore.config import Config

        return boto3.client(
            "s3",
            endpoint_url=self._s3.endpoint,
            region_name=self._s3.region,
            aws_access_key_id=self._s3.access_key,
            aws_secret_access_key=self._s3.secret_key,
            aws_session_token=self._s3.session_token,
            config=Config(
                max_pool_connections=32,
                connect_timeout=5,
                read_timeout=60,
                request_checksum_calculation="when_required",  # S3-compatible stores do not all know checksums
                retries={"mode": "standard", "max_attempts": 5},
                s3={"addressing_style": "path"} if self._s3.endpoint else None,
            ),
        )


def _split(uri: str) -> tuple[str, str]:
    scheme, _, path = uri.partition("://")
    bucket, _, key = path.partition("/")
    if scheme != "s3" or not bucket:
        raise InvalidInput(f"{uri!r} is not an s3://bucket/key address")
    return bucket, key


def _address(uri: str) -> dict[str, str]:
    bucket, key = _split(uri)
    return {"Bucket": bucket, "Key": key}


@contextmanager
def _named(uri: str) -> Iterator[None]:
    """Turn boto's errors into ours, with the URI in the message."""
    from botocore.exceptions import ClientError, HTTPClientError, IncompleteReadError
    from botocore.exceptions import ConnectionError as BotoConnectionError

    try:
        yield
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in {"404", "NoSuchKey", "NoSuchBucket", "NotFound"}:
            raise MissingInput(f"{uri} is not there ({code})") from error
        if code in {"412", "PreconditionFailed"}:
            raise InvalidInput(f"{uri} has changed since the run was planned; plan it again") from error
        if code in {"SlowDown", "ServiceUnavailable", "InternalError", "503", "500"}:
            raise ServiceUnavailable(f"S3 cannot serve {uri} now ({code})") from error
        raise
    except (BotoConnectionError, HTTPClientError, IncompleteReadError) as error:
        raise ServiceUnavailable(f"S3 did not answer for {uri}: {error}") from error
