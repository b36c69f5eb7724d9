"""A value that takes a while to read: shown as it was read last, and read again behind the back of who asks."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Remembered(Generic[T]):
    """Only the first who asks waits. What is older than `seconds` is still given, once, while it is read anew.

    A failure is not remembered: it is raised to who asks next, who then waits for a try of his own.

    Args:
        read: reads the value.
        seconds: for which it counts as fresh.
    """

    def __init__(self, read: Callable[[], T], *, seconds: float) -> None:
        self._read, self._seconds = read, seconds
        self._lock = threading.Lock()
        self._value: tuple[T, float] | None = None

    def __call__(self) -> T:
        """The value. Raises whatever reading it raises."""
        held = self._value
        if held is None:
            with self._lock:
                if (held := self._value) is None:
                    held = self._value = (self._read(), time.monotonic())
        elif time.monotonic() - held[1] > self._seconds and self._lock.acquire(blocking=False):
            threading.Thread(target=self._again, name="remembered", daemon=True).start()
        return held[0]

    def _again(self) -> None:
        try:
            self._value = (self._read(), time.monotonic())
        except Exception:  # noqa: BLE001 (who asks next is told)
            self._value = None
        finally:
            self._lock.release()
