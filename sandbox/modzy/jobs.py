"""Jobs: opened, filled, closed; their items are run one after the other. Kept in memory: a restart forgets them."""

import base64
import binascii
import itertools
import threading
import uuid
from collections.abc import Mapping
from typing import Any

from sandbox.modzy import fields
from sandbox.modzy.errors import ModzyError
from sandbox.modzy.models import Models, Version

ENDED = ("COMPLETED", "CANCELED", "TIMEDOUT")


class Job:
    """One job; `items` are inputs by item and name."""

    def __init__(self, version: Version) -> None:
        self.identifier = str(uuid.uuid4())
        self.version = version
        self.status = "OPEN"
        self.items: dict[str, dict[str, bytearray]] = {}
        self.results: dict[str, dict[str, Any]] = {}
        self.failures: dict[str, dict[str, Any]] = {}

    @property
    def document(self) -> dict[str, Any]:
        """What the API shows of it."""
        done = len(self.results) + len(self.failures)
        return {
            "jobIdentifier": self.identifier,
            "model": {"identifier": self.version.model, "version": self.version.name},
            "status": self.status,
            "total": len(self.items),
            "pending": len(self.items) - done,
            "completed": len(self.results),
            "failed": len(self.failures),
        }


class Jobs:
    """All jobs of a run of the server."""

    def __init__(self, models: Models) -> None:
        self._models = models
        self._jobs: dict[str, Job] = {}

    def submit(self, body: Any) -> dict[str, Any]:
        """A job; open where it has no input. The answer does not tell its status, as Modzy's does not."""
        asked = fields.check(body, fields.JOB)
        job = Job(self._models.active(asked["model"]["identifier"], asked["model"]["version"]))
        if "input" in asked:
            job.items = _sources(asked["input"])
        self._jobs[job.identifier] = job
        if "input" in asked:
            self._start(job)
        return {key: value for key, value in job.document.items() if key != "status"}

    def get(self, identifier: str) -> Job:
        """A job."""
        if identifier not in self._jobs:
            raise ModzyError(404, f"there is no job {identifier[:40]}")
        return self._jobs[identifier]

    def append(self, identifier: str, item: str, name: str, chunk: bytes) -> dict[str, Any]:
        """Add to an input of an open job."""
        job = self._open(identifier)
        if name not in job.version.inputs():
            raise ModzyError(422, f"the version has no input {name[:40]!r}")
        job.items.setdefault(item, {}).setdefault(name, bytearray()).extend(chunk)
        return {}

    def close(self, identifier: str) -> dict[str, Any]:
        """Begin with an open job."""
        job = self._open(identifier)
        if not job.items:
            raise ModzyError(400, "the job has no input")
        self._start(job)
        return job.document

    def cancel(self, identifier: str) -> dict[str, Any]:
        """End a job."""
        job = self.get(identifier)
        if job.status in ENDED:
            raise ModzyError(422, f"the job is {job.status} already")
        job.status = "CANCELED"
        return job.document

    def results(self, identifier: str) -> dict[str, Any]:
        """What is answered so far; 404 while nothing is."""
        job = self.get(identifier)
        if not (job.results or job.failures):
            raise ModzyError(404, "there are no results yet")
        about = {
            key: value
            for key, value in job.document.items()
            if key in ("jobIdentifier", "total", "completed", "failed")
        }
        return {**about, "finished": job.status in ENDED, "results": job.results, "failures": job.failures}

    def history(self, page: int, size: int) -> list[dict[str, Any]]:
        """A page of the jobs, the newest first."""
        found = [job.document for job in reversed(self._jobs.values())]
        return list(itertools.islice(found, (page - 1) * size, page * size))

    def _open(self, identifier: str) -> Job:
        job = self.get(identifier)
        if job.status != "OPEN":
            raise ModzyError(409, f"the job is {job.status}, not open")
        return job

    def _start(self, job: Job) -> None:
        job.status = "SUBMITTED"
        threading.Thread(target=self._run, args=(job,), daemon=True).start()

    def _run(self, job: Job) -> None:
        job.status = "IN_PROGRESS"
        for item, inputs in job.items.items():
            if job.status == "CANCELED":
                return
            (name, data), *more = inputs.items()
            found = self._models.run(job.version, name, bytes(data)) if not more else {"error": "one input at most"}
            (job.failures if found["error"] else job.results)[item] = found
        if job.status != "CANCELED":
            job.status = "COMPLETED"


def _sources(said: Any) -> dict[str, dict[str, bytearray]]:
    kind = fields.check(said, fields.INPUT, "body.input")["type"]
    if kind not in ("text", "embedded"):
        raise ModzyError(422, f"inputs of type {kind[:20]!r} are left out here")
    read = _embedded if kind == "embedded" else _text
    found = {item: {name: read(value) for name, value in _inputs(inputs)} for item, inputs in said["sources"].items()}
    if not found:
        raise ModzyError(400, "body.input.sources is empty")
    return found


def _inputs(said: Any) -> Any:
    if not isinstance(said, Mapping) or not said:
        raise ModzyError(400, "a source must be an object of inputs by name")
    return said.items()


def _text(value: Any) -> bytearray:
    if not isinstance(value, str):
        raise ModzyError(400, "an input of type text must be a string")
    return bytearray(value.encode())


def _embedded(value: Any) -> bytearray:
    head, comma, data = str(value).partition(";base64,")
    if not head.startswith("data:") or not comma:
        raise ModzyError(400, "an embedded input must be a data URI in base64")
    try:
        return bytearray(base64.b64decode(data, validate=True))
    except binascii.Error as error:
        raise ModzyError(400, f"an embedded input is not base64: {error}") from error
