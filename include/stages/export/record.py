"""Times that were measured once: the same files ship the same one, whoever fits them again, wherever.

A choice by measured time would else give one digest today and another tomorrow. The record is found by the files'
digests, the version of onnxruntime and the code that measures; the first that is written stays.
"""

import json
from collections.abc import Mapping
from typing import Any

import onnxruntime
from pydantic import TypeAdapter, ValidationError

from include.foundation.artifact import digest
from include.foundation.echo import cause, listing
from include.foundation.errors import InvalidInput, MissingInput
from include.foundation.evidence import code
from include.foundation.evidence.manifest import content_key
from include.foundation.lake.objects import Objects
from include.stages.export.forms.form import Matrix
from include.stages.export.timing import Times, measure

RECORD = TypeAdapter(dict[str, Times])


def times(objects: Objects, models: str, files: Mapping[str, bytes], rows: Matrix) -> dict[str, Times]:
    """What the files took when they were first measured, by name: read, else measured now and kept.

    Args:
        objects: the store.
        models: where model files are kept (`Lake.models`).
        files: model files by the name of their form.
        rows: encoded rows to ask, [n, features].

    Raises:
        InvalidInput: what lies there is no such record.
    """
    key = content_key(
        files={name: digest(data) for name, data in files.items()},
        onnxruntime=onnxruntime.__version__,
        code=code.digest("include.stages.export.timing"),
    )
    uri = f"{models.rstrip('/')}/_exports/{key}.json"
    try:
        return _read(uri, objects.get(uri), files)
    except MissingInput:
        found = measure(files, rows)
    if objects.put_if_absent(uri, _written(found)):
        return found
    return _read(uri, objects.get(uri), files)


def _written(found: Mapping[str, Times]) -> bytes:
    said: dict[str, Any] = {name: each.model_dump() for name, each in found.items()}
    return json.dumps(said, sort_keys=True).encode()


def _read(uri: str, data: bytes, files: Mapping[str, bytes]) -> dict[str, Times]:
    try:
        found = RECORD.validate_json(data)
    except ValidationError as error:
        raise InvalidInput(f"{uri} is no record of times: {cause(error)}. Delete it and fit again") from error
    if found.keys() != files.keys():
        raise InvalidInput(f"{uri} has the times of {listing(found) or 'nothing'}. Delete it and fit again")
    return found
