"""Objects in memory, written through to SQLite, with one growing resourceVersion and a history for watches.

Objects handed out are shared and must not be changed in place: `change` gives a copy to edit.
"""

import asyncio
import copy
import json
import sqlite3
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from sandbox.cluster.status import Object, already_exists, expired, not_found

_HISTORY = 2000


class Change(NamedTuple):
    """One committed change; `before` is None for ADDED, `item` is the last state for DELETED."""

    version: int
    type: str
    resource: str
    item: Object
    before: Object | None


class Store:
    """All objects of the cluster. Every method is synchronous, so controllers see no stale caches and take no locks."""

    def __init__(self, path: Path | str) -> None:
        """Open the database, creating it if there is none.

        Raises:
            sqlite3.Error: the file is no database or cannot be written.
        """
        self._db = sqlite3.connect(path, isolation_level=None)
        # WAL without a sync at every commit: what was committed survives the death of this process, as promised.
        self._db.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS objects (resource TEXT, namespace TEXT, name TEXT, body TEXT,"
            " PRIMARY KEY (resource, namespace, name)) WITHOUT ROWID"
        )
        self._db.execute("CREATE TABLE IF NOT EXISTS version (one INTEGER PRIMARY KEY CHECK (one = 1), value INTEGER)")
        self._db.execute("INSERT OR IGNORE INTO version VALUES (1, 0)")
        self.version: int = self._db.execute("SELECT value FROM version").fetchone()[0]
        self._objects: dict[str, dict[tuple[str, str], Object]] = {}
        for resource, namespace, name, body in self._db.execute("SELECT * FROM objects"):
            self._objects.setdefault(resource, {})[namespace, name] = json.loads(body)
        self._history: deque[Change] = deque(maxlen=_HISTORY)
        self._oldest = self.version
        self._listeners: list[Callable[[Change], None]] = []
        self._queues: set[asyncio.Queue[Change]] = set()

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    def find(self, resource: str, namespace: str, name: str) -> Object | None:
        """The object, or None. Cluster-scoped objects have the namespace ''."""
        return self._objects.get(resource, {}).get((namespace, name))

    def get(self, resource: str, namespace: str, name: str) -> Object:
        """The object.

        Raises:
            ApiError: 404.
        """
        item = self.find(resource, namespace, name)
        if item is None:
            raise not_found(resource, name)
        return item

    def list(self, resource: str, namespace: str = "") -> list[Object]:
        """All objects of a resource, in one namespace or everywhere, by name."""
        items = self._objects.get(resource, {})
        return [items[key] for key in sorted(items) if not namespace or key[0] == namespace]

    def all(self) -> Iterator[tuple[str, Object]]:
        """Every object with the name of its resource."""
        for resource, items in list(self._objects.items()):
            for item in list(items.values()):
                yield resource, item

    def add(self, resource: str, item: Object) -> Object:
        """Insert a new object.

        Raises:
            ApiError: 409, the name is taken.
        """
        namespace, name = _key(item)
        if self.find(resource, namespace, name):
            raise already_exists(resource, name)
        return self._commit("ADDED", resource, item, None)

    def change(self, resource: str, namespace: str, name: str, edit: Callable[[Object], None]) -> Object:
        """Let `edit` change a copy and commit it, unless nothing changed.

        Raises:
            ApiError: 404.
        """
        before = self.get(resource, namespace, name)
        item = copy.deepcopy(before)
        edit(item)
        return before if item == before else self._commit("MODIFIED", resource, item, before)

    def remove(self, resource: str, namespace: str, name: str) -> Object:
        """Delete the object and return its last state.

        Raises:
            ApiError: 404.
        """
        before = self.get(resource, namespace, name)
        return self._commit("DELETED", resource, copy.deepcopy(before), before)

    def _commit(self, kind: str, resource: str, item: Object, before: Object | None) -> Object:
        version, key = self.version + 1, _key(item)
        item["metadata"]["resourceVersion"] = str(version)
        with self._transaction():
            if kind == "DELETED":
                self._db.execute(
                    "DELETE FROM objects WHERE resource = ? AND namespace = ? AND name = ?", (resource, *key)
                )
            else:
                body = json.dumps(item, separators=(",", ":"))
                self._db.execute("INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?)", (resource, *key, body))
            self._db.execute("UPDATE version SET value = ?", (version,))
        self.version = version
        if kind == "DELETED":
            del self._objects[resource][key]
        else:
            self._objects.setdefault(resource, {})[key] = item
        change = Change(version, kind, resource, item, before)
        if len(self._history) == _HISTORY:
            self._oldest = self._history[0].version
        self._history.append(change)
        for queue in self._queues:
            queue.put_nowait(change)
        for listener in self._listeners:
            listener(change)
        return item

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def listen(self, listener: Callable[[Change], None]) -> None:
        """Call `listener` with every change, at once.

        It must neither raise nor write: others would see changes out of order.
        """
        self._listeners.append(listener)

    @contextmanager
    def follow(self, since: int) -> Iterator[asyncio.Queue[Change]]:
        """A queue that first holds the changes after version `since` and then receives every new one.

        Raises:
            ApiError: 410, the history does not reach back so far, or is of another cluster.
        """
        if not self._oldest <= since <= self.version:
            raise expired(since, self._oldest)
        queue: asyncio.Queue[Change] = asyncio.Queue()
        for change in self._history:
            if change.version > since:
                queue.put_nowait(change)
        self._queues.add(queue)
        try:
            yield queue
        finally:
            self._queues.discard(queue)


def _key(item: Object) -> tuple[str, str]:
    metadata = item["metadata"]
    return metadata.get("namespace", ""), metadata["name"]
