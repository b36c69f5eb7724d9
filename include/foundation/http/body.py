"""JSON bodies: read whole or refused, and never followed deeper than `DEPTH`."""

import re
from typing import Any

import orjson

from include.foundation.http.depth import DEPTH, is_deep
from include.foundation.http.refusal import Refusal

_NO_NUMBER = re.compile(r"-?(NaN|Inf)")


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
