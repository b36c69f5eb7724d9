"""Wait for a state."""

import time
from collections.abc import Callable


def until(state: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not state():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.01)
