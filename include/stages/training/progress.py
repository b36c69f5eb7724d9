"""A fit's epochs and checkpoints as the platform keeps them: in the log, in MLflow, in the object store."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from include.foundation.errors import MissingInput
from include.foundation.lake.objects import Objects
from include.foundation.progress import Progress

EVERY_SECONDS = 10.0  # between two checkpoints: what a kill costs at most
Told = Callable[[int, Mapping[str, float]], None]


class Recorded(Progress):
    """Keeps what the fits of one block said.

    Attributes:
        epochs: what each epoch measured, fit after fit.
        ended_early: whether the last fit stopped before its last epoch.
    """

    def __init__(self, on_epoch: Told | None = None) -> None:
        self.epochs: list[Mapping[str, float]] = []
        self.ended_early = False
        self._on_epoch = on_epoch

    def begin(self) -> None:
        """Forget what was said before: the fits of another trial follow."""
        self.epochs, self.ended_early = [], False

    def epoch(self, number: int, most: int, measured: Mapping[str, float]) -> None:
        """See `Progress`."""
        super().epoch(number, most, measured)
        self.epochs.append(dict(measured))
        self.ended_early = False
        if self._on_epoch:
            self._on_epoch(number, measured)

    def stopped(self, number: int, most: int) -> None:
        """See `Progress`."""
        super().stopped(number, most)
        self.ended_early = True

    def facts(self) -> dict[str, Any]:
        """What the tuning service is told beside the metric; nothing of a model without epochs."""
        return {"epochs": len(self.epochs), "ended_early": str(self.ended_early).lower()} if self.epochs else {}


class Checkpointed(Recorded):
    """The same, with checkpoints in the object store: `<models>/_checkpoints/<key>/<fit>.safetensors`.

    Args:
        objects: the store.
        folder: URI of the training run's folder, with a slash at its end.
        on_epoch: told of each epoch, its number first.
        every_seconds: between two checkpoints.
    """

    def __init__(
        self, objects: Objects, folder: str, on_epoch: Told | None = None, *, every_seconds: float = EVERY_SECONDS
    ) -> None:
        super().__init__(on_epoch)
        self._objects, self._folder, self._every = objects, folder, every_seconds
        self._saved = time.monotonic()

    def checkpoint(self, fit: str) -> bytes | None:
        """See `Progress`."""
        try:
            return self._objects.get(self._uri(fit))
        except MissingInput:
            return None

    def due(self) -> bool:
        """See `Progress`."""
        return time.monotonic() - self._saved >= self._every

    def save(self, fit: str, state: bytes) -> None:
        """See `Progress`."""
        self._objects.put(self._uri(fit), state)
        self._saved = time.monotonic()

    def clear(self) -> None:
        """Delete the checkpoints: what they were for is done."""
        for found in list(self._objects.list(self._folder)):
            self._objects.delete(found.uri)

    def _uri(self, fit: str) -> str:
        return f"{self._folder}{fit}.safetensors"
