"""Bodies of requests to the stand-ins: read up to a limit, and never followed deeper than `DEPTH`."""

import json
from typing import Any

from starlette.requests import Request

from include.foundation.http.depth import DEPTH, is_deep


class TooLarge(Exception):
    """A body of more bytes than are taken: 413."""


async def read(request: Request, most: int) -> bytes:
    """The body of a request; of one that is too large no more than `most` bytes are ever held.

    Raises:
        TooLarge: it has more than `most` bytes.
    """
    body = bytearray()
    declared = request.headers.get("content-length", "0")
    if declared.isdecimal() and int(declared) > most:
        raise TooLarge(f"a body has {most} bytes at most")
    async for chunk in request.stream():
        if len(body) + len(chunk) > most:
            raise TooLarge(f"a body has {most} bytes at most")
        body += chunk
    return bytes(body)


def parse(text: bytes) -> Any:
    """Parsed JSON of at most `DEPTH` levels that can be written as JSON again: finite numbers, no lone surrogates.

    Raises:
        ValueError: it is none.
    """
    if is_deep(text):
        raise ValueError(f"the JSON is nested more than {DEPTH} levels deep")
    value = json.loads(text)
    json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    return value
