"""Calls to the tuning service that wait while it restarts."""

import random
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import TypeVar

from sigopt.exception import ApiException, ConnectionException

from include.foundation.errors import PermanentError, ServiceUnavailable

T = TypeVar("T")
PATIENCE_SECONDS = 300.0


class RefusedError(PermanentError):
    """The tuning service refused a call.

    Attributes:
        status: the HTTP status.
    """

    def __init__(self, error: ApiException) -> None:
        super().__init__(f"the tuning service refused (HTTP {error.status_code}): {error.message}")
        self.status: int = error.status_code


def patiently(call: Callable[[], T], *, seconds: float = PATIENCE_SECONDS) -> T:
    """Make a call, again and again while the service does not answer. The call must be safe to repeat.

    The client itself repeats only on 429, and sleeps on its own from the fifth failure in a row on.

    Args:
        call: the call.
        seconds: how long to go on trying.

    Raises:
        ServiceUnavailable: no answer in that time, or a fault of the service.
        RefusedError: the service answered with 4xx.
    """
    deadline, pause = time.monotonic() + seconds, 0.25
    while True:
        try:
            return call()
        except ConnectionException as error:
            fault = error
        except ApiException as error:
            if error.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
                raise RefusedError(error) from error
            if error.status_code == HTTPStatus.INTERNAL_SERVER_ERROR:
                raise ServiceUnavailable(f"the tuning service has a fault: {error}") from error
            fault = error
        if time.monotonic() + pause > deadline:
            raise ServiceUnavailable(f"the tuning service did not answer for {seconds:.0f} s: {fault}") from fault
        time.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 (jitter needs no secrecy)
        pause = min(2 * pause, 10)
