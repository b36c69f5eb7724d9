"""The frame of a controller: keys that changed are reconciled once, soon, and again after a failure."""

import asyncio
import logging

from sandbox.cluster.store import Change

Key = tuple[str, str]
_RETRY_SECONDS = 5.0


class Controller:
    """Base of the controllers. `reconcile` is synchronous: the store has no latency and no stale reads."""

    def __init__(self) -> None:
        self._log = logging.getLogger(type(self).__module__)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._due: dict[Key, asyncio.TimerHandle] = {}

    def start(self) -> None:
        """Begin to work on the running loop."""
        self._loop = asyncio.get_running_loop()

    def stop(self) -> None:
        """Forget everything that is due."""
        self._loop = None
        for handle in self._due.values():
            handle.cancel()
        self._due.clear()

    def observe(self, change: Change) -> None:
        """Wake the keys that a change concerns."""
        raise NotImplementedError

    def reconcile(self, namespace: str, name: str) -> None:
        """Bring one object nearer to what it asks for."""
        raise NotImplementedError

    def wake(self, namespace: str, name: str, after: float = 0.0) -> None:
        """Reconcile the key after so many seconds, unless it is due earlier."""
        if self._loop is None:
            return
        key, due = (namespace, name), self._due.get((namespace, name))
        if due is not None:
            if due.when() <= self._loop.time() + after:
                return
            due.cancel()
        self._due[key] = self._loop.call_later(after, self._run, key)

    def _run(self, key: Key) -> None:
        self._due.pop(key, None)
        try:
            self.reconcile(*key)
        except Exception:  # noqa: BLE001  one broken object must not stop the others
            self._log.exception("%s/%s failed and is tried again in %s s", *key, _RETRY_SECONDS)
            self.wake(*key, after=_RETRY_SECONDS)
