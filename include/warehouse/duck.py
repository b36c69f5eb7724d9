"""The warehouse on this machine: DuckDB, a process of its own for each question."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from include.foundation.echo import cause
from include.foundation.errors import FlightlineError, InvalidInput, ServiceUnavailable
from include.warehouse import engine
from include.warehouse.question import Answer, Question

if TYPE_CHECKING:
    from include.foundation.lake import Lake

ROOT = Path(__file__).parents[2]
SLACK_SECONDS = 15.0  # to start: imports, extensions, the catalog
SLACK_BYTES = 4 << 20
_ERRORS: dict[str, type[FlightlineError]] = {each.__name__: each for each in (InvalidInput, ServiceUnavailable)}


class DuckWarehouse:
    """DuckDB over the lake's Iceberg REST catalog.

    Args:
        lake: what is read.
    """

    name = "DuckDB"

    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    def start(self, question: Question) -> _Process:
        """Start a process that answers.

        Raises:
            InvalidInput: the lake is none that DuckDB reads.
        """
        to = engine.attachment(properties(self._lake))
        limits = question.limits
        return _Process(
            {
                "sql": question.sql,
                "snapshot": question.snapshot,
                "at": question.at.isoformat() if question.at else None,
                "readable": None if question.readable is None else sorted(question.readable),
                "rows": limits.rows,
                "answer_bytes": limits.answer_bytes,
                "memory_mb": limits.memory_mb,
                "seconds": limits.seconds,
                "lake": asdict(to),
            },
            question,
        )


class _Process:
    """The process of one question. Its environment holds no secrets; what it needs comes through its input."""

    def __init__(self, asked: dict[str, object], question: Question) -> None:
        self._limits, self._cancelled, self._late = question.limits, False, False
        self._since = time.monotonic()
        self._process = subprocess.Popen(
            (sys.executable, "-m", "include.warehouse.worker"),
            cwd=ROOT,
            env={"PATH": os.defpath, "PYTHONPATH": str(ROOT), "HOME": "/nonexistent", "LANG": "C.UTF-8"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # a failing engine could write without end
            start_new_session=True,
        )
        self._clock = threading.Timer(self._limits.seconds + SLACK_SECONDS, self._end_late)
        self._clock.daemon = True
        self._clock.start()
        with suppress(BrokenPipeError), self._process.stdin as sink:  # type: ignore[union-attr]
            sink.write(json.dumps(asked).encode() + b"\n")

    def answer(self) -> Answer:
        """Wait for the answer, and leave no process."""
        import pyarrow as pa

        most = self._limits.answer_bytes + SLACK_BYTES
        try:
            out = self._process.stdout
            said = out.read(most + 1) if out else b""
        finally:
            self._end()
        if self._cancelled:
            raise InvalidInput("it was cancelled")
        if self._late:
            raise InvalidInput(f"it took more than {self._limits.seconds:g} s: read fewer days, or aggregate")
        head, _, body = said.partition(b"\n")
        if not head or len(said) > most:
            raise InvalidInput(
                "the engine ended without an answer: the statement needs more memory or time than it may have"
            )
        told = json.loads(head)
        if "error" in told:
            raise _ERRORS.get(told["error"], InvalidInput)(str(told["message"])[:2_000])
        try:
            rows = pa.ipc.open_stream(body).read_all()
        except pa.ArrowInvalid as error:
            raise InvalidInput(f"the answer broke off: {cause(error)}") from error
        return Answer(rows=rows, cut=told["cut"], seconds=time.monotonic() - self._since, tables=tuple(told["tables"]))

    def cancel(self) -> None:
        """End it."""
        self._cancelled = True
        self._end()

    def _end(self) -> None:
        self._clock.cancel()
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _end_late(self) -> None:
        self._late = True
        self._end()


def properties(lake: Lake) -> dict[str, str]:
    """The catalog's properties with S3's keys among them: those of AWS's own chain where nothing else says them."""
    found = {**(lake.s3.iceberg() if lake.s3 else {}), **lake.catalog_properties}
    if "s3.access-key-id" not in found:
        import boto3

        session = boto3.Session()
        if credentials := session.get_credentials():
            keys = credentials.get_frozen_credentials()
            found |= {"s3.access-key-id": keys.access_key, "s3.secret-access-key": keys.secret_key}
            found |= {"s3.session-token": keys.token} if keys.token else {}
        found |= {"s3.region": session.region_name} if session.region_name and "s3.region" not in found else {}
    return found
