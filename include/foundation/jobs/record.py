"""What a finished job leaves at `<models>/_jobs/<key>.json`: its answer, found again after a lost worker or pod.

No use case is called `_jobs`, so the folder stands beside theirs.
"""

import json
from typing import Any

from include.foundation.errors import InvalidInput, MissingInput
from include.foundation.lake import Lake
from include.foundation.lake.objects import Objects

RESULT = "FLIGHTLINE_JOB_RESULT"  # the variable that tells a job where to write its record
LARGEST_BYTES = 64 << 10  # an answer is ids, digests and figures: it travels in XCom


def address(lake: Lake, key: str) -> str:
    """URI of the record of the job with this key."""
    return f"{lake.models.rstrip('/')}/_jobs/{key}.json"


def write(objects: Objects, uri: str, answer: Any) -> None:
    """Leave the answer, a JSON value. Writing it again replaces it.

    Raises:
        InvalidInput: the answer is larger than 64 KiB.
    """
    data = json.dumps({"answer": answer}, ensure_ascii=False, allow_nan=False).encode()
    if len(data) > LARGEST_BYTES:
        raise InvalidInput(f"a job's answer has {len(data)} bytes, at most {LARGEST_BYTES}: log it or store it instead")
    objects.put(uri, data)


def fail(objects: Objects, uri: str, *, code: int, said: str) -> None:
    """Leave how a job failed, where its system does not tell: the exit code and the last words, 64 KiB at most."""
    objects.put(uri, json.dumps({"code": code, "said": said[-LARGEST_BYTES // 4 :]}).encode())


def failure(lake: Lake, uri: str) -> dict[str, Any] | None:
    """What `fail` left, `{"code": …, "said": …}`; None if nothing was left."""
    try:
        found: dict[str, Any] = json.loads(lake.objects().get(uri))
    except MissingInput:
        return None
    return found


def find(lake: Lake, key: str) -> dict[str, Any] | None:
    """The record, `{"answer": ...}`; None if no job with this key has finished.

    Raises:
        InvalidInput: there is an object, but it is not a record.
    """
    uri = address(lake, key)
    try:
        data = lake.objects().get(uri)
    except MissingInput:
        return None
    try:
        record = json.loads(data)
    except ValueError as error:
        raise InvalidInput(f"{uri} is not a job's record: {error}. Delete it and clear the task") from error
    if not isinstance(record, dict) or "answer" not in record:
        raise InvalidInput(f"{uri} is not a job's record: it has no answer. Delete it and clear the task")
    return record
