"""`python -m include.services.serving.lines < records.jsonl > answers.jsonl`: what the endpoint would answer, by lines.

A record a line, and its answer, as the endpoint sends it, in the same line of the output; a record that cannot be
answered gets `{"error": …}`. The environment names the model (settings.py). Exit codes as the server's, and 65 where
records could not be answered.
"""

import os

os.environ.setdefault("POLARS_MAX_THREADS", "1")  # as the server: hundreds of rows at a time

import asyncio
import logging
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import BinaryIO

import orjson

from include.foundation.errors import FlightlineError, PermanentError
from include.foundation.http import json_log
from include.foundation.http.refusal import Refusal
from include.services.serving.assembly import BATCH, assemble
from include.services.serving.service import Service, predict_route
from include.services.serving.settings import Settings

log = logging.getLogger("include.services.serving.lines")


async def answer(service: Service, lines: Iterable[bytes], out: BinaryIO) -> int:
    """Answer records, a batch at a time, in their order; how many could not be answered.

    Raises:
        RetryableError: history cannot be read.
    """
    found, failed = predict_route(service.description.name), 0

    async def one(line: bytes) -> bytes | Refusal:
        try:
            answer = await service.answer(found, line)
        except Refusal as refusal:
            return refusal
        if answer.then:
            answer.then()
        return answer.body

    for batch in _batches(line for line in lines if line.strip()):
        for said in await asyncio.gather(*map(one, batch)):
            failed += isinstance(said, Refusal)
            out.write(orjson.dumps(said.content()) if isinstance(said, Refusal) else said)
            out.write(b"\n")
    out.flush()
    return failed


def _batches(lines: Iterable[bytes]) -> Iterator[list[bytes]]:
    left = iter(lines)
    while batch := list(islice(left, BATCH)):
        yield batch


def main() -> int:
    """Answer standard input on standard output. Returns the exit code."""
    json_log.configure(sys.stderr)
    try:
        parts = assemble(Settings.from_env(os.environ))
        failed = asyncio.run(answer(parts.service, sys.stdin.buffer, sys.stdout.buffer))
    except FlightlineError as error:
        log.critical("%s", error)
        return os.EX_CONFIG if isinstance(error, PermanentError) else os.EX_TEMPFAIL
    if parts.prediction_log:
        parts.prediction_log.close()
    if failed:
        log.error("%d records could not be answered; their lines say why", failed)
    return os.EX_DATAERR if failed else 0


if __name__ == "__main__":
    sys.exit(main())
