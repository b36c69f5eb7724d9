import pytest

from include.foundation.artifact import digest, store
from include.foundation.errors import DigestMismatch, MissingInput

MODELS = "s3://models/"


def test_what_is_stored_is_fetched_by_its_digest(objects):
    uri = store.put(objects, MODELS, "toy", b"model")
    assert uri == f"s3://models/toy/{digest(b'model')}/model.onnx"
    assert store.fetch(objects, uri, digest(b"model")) == b"model"


def test_storing_again_changes_nothing(objects):
    first = store.put(objects, MODELS, "toy", b"model")
    assert store.put(objects, MODELS, "toy", b"model") == first
    assert objects.held == {first: b"model"}


def test_other_bytes_under_the_digest_are_refused_and_stay(objects):
    """Whoever wrote them: a version that names this digest must not be served by them."""
    uri = store.address(MODELS, "toy", digest(b"model"))
    objects.put(uri, b"other")
    with pytest.raises(DigestMismatch, match=f"{uri} has SHA-256 {digest(b'other')}, pinned is {digest(b'model')}"):
        store.put(objects, MODELS, "toy", b"model")
    with pytest.raises(DigestMismatch):
        store.fetch(objects, uri, digest(b"model"))
    assert objects.held == {uri: b"other"}


def test_a_model_file_that_is_not_there_is_no_empty_one(objects):
    with pytest.raises(MissingInput):
        store.fetch(objects, store.address(MODELS, "toy", digest(b"")), digest(b""))
