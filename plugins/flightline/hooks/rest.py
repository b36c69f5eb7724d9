"""One request to a REST API, made again while what stands in its way may pass."""

import random
import time
from collections.abc import Callable, Sequence
from typing import Any

import httpx

RETRY_SECONDS = (0.5, 1.0, 2.0, 4.0)  # before each further try, plus up to a quarter of jitter
PASSING = (429, 500, 502, 503, 504)  # 501 will not pass


class Unanswered(Exception):
    """Every try failed in a way that may pass; says how the last one did."""


def passing(response: httpx.Response) -> bool:
    """Whether an answer says that the same request may be answered later."""
    return response.status_code in PASSING


def answered(
    client: httpx.Client,
    method: str,
    path: str,
    *,
    message: Callable[[httpx.Response], str],
    pauses: Sequence[float] = RETRY_SECONDS,
    may_pass: Callable[[httpx.Response], bool] = passing,
    wait: Callable[[httpx.Response, float], float] = lambda _, pause: pause,
    tell: Callable[[str, float], None] = lambda _fault, _seconds: None,
    **asked: Any,
) -> httpx.Response:
    """The first answer that is final, a success or not.

    Args:
        client: that asks.
        method: of HTTP.
        path: relative to the client's base URL.
        message: what an answer says, for errors.
        pauses: seconds before each further try; none, and there is one try.
        may_pass: whether an answer is none yet.
        wait: seconds after such an answer, given those of `pauses`.
        tell: is told each fault and the seconds until the next try.
        asked: what else `httpx.Client.request` takes.

    Raises:
        Unanswered: nothing final came in all tries.
    """
    for pause in (*pauses, None):
        seconds = pause or 0.0
        try:
            response = client.request(method, path, **asked)
        except httpx.TransportError as error:
            fault = f"{type(error).__name__}: {error}"
        else:
            if not may_pass(response):
                return response
            fault, seconds = f"{response.status_code} {message(response)}", wait(response, seconds)
        if pause is None:
            break
        tell(fault, seconds)
        time.sleep(seconds * random.uniform(1, 1.25))  # noqa: S311 (jitter)
    raise Unanswered(fault)
