"""JSON bodies: read whole or refused, and never followed deeper than `DEPTH`."""

import re
from typing import Any

import orjson

from include.foundation.http.refusal import Refusal

DEPTH = 32  # levels of objects and arrays
_NO_NUMBER = re.compile(r"-?(NaN|Inf)")
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_AS_ARRAYS = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")


def parse(body: bytes) -> Any:
    """Parsed JSON: finite numbers, no lone surrogates, at most `DEPTH` levels.

    Raises:
        Refusal: 400.
    """
    if is_deep(body):
        raise Refusal(400, f"the body is nested more than {DEPTH} levels deep")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        no_number = _NO_NUMBER.match(error.doc, error.pos)
        hint = "; JSON has no NaN and no infinity: send null for a missing value" if no_number else ""
        raise Refusal(400, f"the body is not JSON: {error}{hint}") from None


def is_deep(body: bytes) -> bool:
    """Whether objects and arrays are nested deeper than `DEPTH`, found before anything is parsed."""
    if body.count(b"[") + body.count(b"{") <= DEPTH:
        return False
    brackets = _STRING.sub(b"", body).translate(_AS_ARRAYS, _NO_BRACKETS)
    for _ in range(DEPTH):
        brackets = brackets.replace(b"[]", b"")
    return b"[" in brackets
