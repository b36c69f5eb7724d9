"""The watch of applications: newline-delimited JSON, or server-sent events with a keepalive."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from sandbox.argocd import selection
from sandbox.argocd.store import App, Store

KEEPALIVE_SECONDS = 15.0


async def changes(store: Store, query: dict[str, Any], *, keepalive: float) -> AsyncIterator[dict[str, Any] | None]:
    """Watch events of the applications that a query shows; None after every `keepalive` seconds of silence.

    With a `name` the present state always comes first; else a `resourceVersion` leaves out what is not newer.
    """
    loop, changed = asyncio.get_running_loop(), asyncio.Event()

    def notify() -> None:
        loop.call_soon_threadsafe(changed.set)

    known: dict[str, App] = {}
    since = 0 if query.get("name") else int(query.get("resourceVersion") or 0)
    store.listeners.add(notify)
    try:
        while True:
            changed.clear()
            present = {app["metadata"]["name"]: app for app in store.all() if selection.shown(app, query)}
            for name, app in present.items():
                if _version(app) > max(since, _version(known.get(name))):
                    yield {"type": "MODIFIED" if name in known or since else "ADDED", "application": app}
            for name in known.keys() - present.keys():
                yield {"type": "DELETED", "application": known[name]}
            known = present
            while not changed.is_set():
                try:
                    await asyncio.wait_for(changed.wait(), keepalive)
                except TimeoutError:
                    yield None
    finally:
        store.listeners.discard(notify)


def _version(app: App | None) -> int:
    return int(app["metadata"]["resourceVersion"]) if app else 0


async def body(
    store: Store, query: dict[str, Any], *, events: bool, paths: list[str], keepalive: float = KEEPALIVE_SECONDS
) -> AsyncIterator[str]:
    """The response body; messages that equal the one before are dropped."""
    last = None
    async for change in changes(store, query, keepalive=keepalive):
        if change is None:
            if events:
                yield ":\n"
            continue
        message = json.dumps(selection.fields({"result": change}, paths), separators=(",", ":"))
        if message != last:
            yield f"data: {message}\n\n" if events else f"{message}\n"
        last = message
