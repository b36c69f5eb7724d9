"""How deep JSON is nested, found before anything is parsed: a parser that recurses is never asked to follow it."""

import re

DEPTH = 32  # levels of objects and arrays
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_AS_ARRAYS = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")


def is_deep(body: bytes) -> bool:
    """Whether objects and arrays are nested deeper than `DEPTH`."""
    if body.count(b"[") + body.count(b"{") <= DEPTH:
        return False
    brackets = _STRING.sub(b"", body).translate(_AS_ARRAYS, _NO_BRACKETS)
    for _ in range(DEPTH):
        brackets = brackets.replace(b"[]", b"")
    return b"[" in brackets
