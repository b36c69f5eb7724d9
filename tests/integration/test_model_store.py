"""Model files in a real S3."""

import pytest

from include.foundation.artifact import digest, store
from include.foundation.errors import DigestMismatch, MissingInput
from include.foundation.lake.objects import Objects

pytestmark = pytest.mark.integration
DATA = b"bytes of a model"


@pytest.fixture(scope="module")
def objects(s3):
    return Objects(s3)


def test_what_is_put_is_fetched_by_its_digest(objects):
    uri = store.put(objects, "s3://models/", "kept", DATA)
    assert uri == f"s3://models/kept/{digest(DATA)}/model.onnx"
    assert store.put(objects, "s3://models", "kept", DATA) == uri
    assert store.fetch(objects, uri, digest(DATA)) == DATA


def test_a_changed_object_is_neither_fetched_nor_overwritten(objects):
    uri = store.put(objects, "s3://models", "changed", DATA)
    objects.put(uri, b"other bytes")
    with pytest.raises(DigestMismatch, match=uri):
        store.fetch(objects, uri, digest(DATA))
    with pytest.raises(DigestMismatch):
        store.put(objects, "s3://models", "changed", DATA)
    assert objects.get(uri) == b"other bytes"


def test_a_missing_object_is_named(objects):
    uri = store.address("s3://models", "missing", "00")
    with pytest.raises(MissingInput, match=uri):
        store.fetch(objects, uri, "00")
