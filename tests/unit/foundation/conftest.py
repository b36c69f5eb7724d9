"""Objects without S3."""

import hashlib
from datetime import UTC, datetime

import pytest

from include.foundation.errors import MissingInput
from include.foundation.lake.objects import Object, Objects


class InMemory(Objects):
    """Objects in a dictionary: what reads and writes whole objects, and no listing or etags."""

    def __init__(self) -> None:
        super().__init__()
        self.held: dict[str, bytes] = {}

    def get(self, uri: str, *, etag: str | None = None) -> bytes:
        if etag is not None or uri not in self.held:
            raise MissingInput(f"{uri} is not there")
        return self.held[uri]

    def stat(self, uri: str) -> Object:
        data = self.get(uri)
        etag = hashlib.sha256(data).hexdigest()
        return Object(uri=uri, size=len(data), etag=etag, modified=datetime(2024, 1, 1, tzinfo=UTC))

    def put(self, uri: str, data: bytes) -> None:
        self.held[uri] = data

    def put_if_absent(self, uri: str, data: bytes) -> bool:
        return self.held.setdefault(uri, data) is data

    def delete(self, uri: str) -> None:
        self.held.pop(uri, None)


@pytest.fixture
def objects() -> InMemory:
    return InMemory()
