"""Model files in the object store, at `<models>/<use case>/<sha256>/model.onnx`: written once, checked on each read."""

from include.foundation.artifact.model_file import Scorer, digest, open_model
from include.foundation.errors import DigestMismatch
from include.foundation.lake.objects import Objects


def address(models: str, use_case: str, sha256: str) -> str:
    """URI of a model file, `models` being `Lake.models`."""
    return f"{models.rstrip('/')}/{use_case}/{sha256}/model.onnx"


def put(objects: Objects, models: str, use_case: str, data: bytes) -> str:
    """Store a model file and return its URI. Storing it again changes nothing.

    Raises:
        DigestMismatch: other bytes lie under this digest.
    """
    sha256 = digest(data)
    uri = address(models, use_case, sha256)
    if not objects.put_if_absent(uri, data):
        fetch(objects, uri, sha256)
    return uri


def fetch(objects: Objects, uri: str, sha256: str) -> bytes:
    """Bytes of the model file.

    Raises:
        MissingInput: it is not there.
        DigestMismatch: it is not the pinned one.
    """
    data = objects.get(uri)
    if (actual := digest(data)) != sha256:
        raise DigestMismatch(f"{uri} has SHA-256 {actual}, pinned is {sha256}")
    return data


def scorer(objects: Objects, uri: str, sha256: str) -> Scorer:
    """The model file, opened.

    Raises:
        MissingInput: it is not there.
        DigestMismatch: it is not the pinned one.
        InvalidInput: it is no model file that can be opened.
    """
    return open_model(fetch(objects, uri, sha256), sha256)
