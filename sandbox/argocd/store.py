"""Applications and issued tokens in one SQLite file: each change is a transaction, so kill -9 loses no answer."""

import copy
import json
import sqlite3
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

App = dict[str, Any]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS applications (name TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS tokens (account TEXT NOT NULL, id TEXT NOT NULL, PRIMARY KEY (account, id));
CREATE TABLE IF NOT EXISTS secrets (name TEXT PRIMARY KEY, value BLOB NOT NULL);
INSERT OR IGNORE INTO counters VALUES ('resource_version', 0);
"""


def now() -> str:
    """The present as Kubernetes writes it: UTC, whole seconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Store:
    """Thread-safe; every change wakes those that `wait` and calls the `listeners`."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._database.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;" + _SCHEMA)
        self._changed = threading.Condition(threading.RLock())
        self.listeners: set[Callable[[], None]] = set()

    def all(self) -> list[App]:
        """All applications, by name."""
        with self._changed:
            rows = self._database.execute("SELECT body FROM applications ORDER BY name").fetchall()
        return [json.loads(body) for (body,) in rows]

    def get(self, name: str) -> App | None:
        """One application, or None."""
        with self._changed:
            row = self._database.execute("SELECT body FROM applications WHERE name = ?", (name,)).fetchone()
        return json.loads(row[0]) if row else None

    def put(self, app: App) -> App:
        """Write a whole application under a new resourceVersion."""
        with self._changed:
            self._database.execute("BEGIN IMMEDIATE")
            (version,) = self._database.execute(
                "UPDATE counters SET value = value + 1 WHERE name = 'resource_version' RETURNING value"
            ).fetchone()
            app["metadata"]["resourceVersion"] = str(version)
            body = json.dumps(app)
            self._database.execute("INSERT OR REPLACE INTO applications VALUES (?, ?)", (app["metadata"]["name"], body))
            self._database.execute("COMMIT")
            self._notify()
        return app

    def update(self, name: str, change: Callable[[App], None]) -> App | None:
        """Read, change in place and write as one step, if anything changed. None: no such application.

        Whatever `change` raises leaves the application as it was.
        """
        with self._changed:
            app = self.get(name)
            if app is None:
                return None
            before = copy.deepcopy(app)
            change(app)
            return app if app == before else self.put(app)

    def delete(self, name: str) -> None:
        """Forget an application."""
        with self._changed:
            self._database.execute("DELETE FROM applications WHERE name = ?", (name,))
            self._notify()

    def wait(self, done: Callable[[], bool], *, seconds: float) -> bool:
        """Block until `done()` holds after some change; False when the time is over."""
        with self._changed:
            return self._changed.wait_for(done, timeout=seconds)

    def _notify(self) -> None:
        self._changed.notify_all()
        for listener in tuple(self.listeners):
            listener()

    def add_token(self, account: str, token_id: str) -> bool:
        """Remember that a token was issued; False if that id exists."""
        with self._changed:
            cursor = self._database.execute("INSERT OR IGNORE INTO tokens VALUES (?, ?)", (account, token_id))
            return cursor.rowcount == 1

    def has_token(self, account: str, token_id: str) -> bool:
        """Whether a token was issued."""
        query = "SELECT 1 FROM tokens WHERE account = ? AND id = ?"
        with self._changed:
            return self._database.execute(query, (account, token_id)).fetchone() is not None

    def secret(self, name: str, fresh: bytes) -> bytes:
        """The secret of that name; `fresh` becomes it if there is none yet."""
        with self._changed:
            self._database.execute("INSERT OR IGNORE INTO secrets VALUES (?, ?)", (name, fresh))
            (value,) = self._database.execute("SELECT value FROM secrets WHERE name = ?", (name,)).fetchone()
        return bytes(value)
