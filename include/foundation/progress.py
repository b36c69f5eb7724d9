"""What a long fit says while it runs and where it leaves checkpoints: model code asks `current()`, its caller decides.

A model family that has epochs says so; one that has none need not know of this.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

log = logging.getLogger(__name__)


class Progress:
    """A fit's progress, as a line in the log for each epoch. It keeps no checkpoints."""

    def epoch(self, number: int, most: int, measured: Mapping[str, float]) -> None:
        """Epoch `number` (from 1) of at most `most` is over."""
        log.info("epoch %d/%d %s", number, most, " ".join(f"{name} {value:.4f}" for name, value in measured.items()))

    def stopped(self, number: int, most: int) -> None:
        """The fit ends after epoch `number` of `most`: the validation rows show no gain any more."""
        log.info("stopped early after epoch %d of %d", number, most)

    def checkpoint(self, fit: str) -> bytes | None:  # noqa: ARG002
        """The newest checkpoint of the fit of this name; None: begin."""
        return None

    def due(self) -> bool:
        """Whether a checkpoint is wanted now: making one costs time."""
        return False

    def save(self, fit: str, state: bytes) -> None:
        """Keep a checkpoint of a fit in the place of its former one."""


_CURRENT: ContextVar[Progress | None] = ContextVar("progress", default=None)


def current() -> Progress:
    """The progress of the fit that is running."""
    return _CURRENT.get() or Progress()


@contextmanager
def reporting(progress: Progress) -> Iterator[None]:
    """Fits in this block report there."""
    token = _CURRENT.set(progress)
    try:
        yield
    finally:
        _CURRENT.reset(token)
