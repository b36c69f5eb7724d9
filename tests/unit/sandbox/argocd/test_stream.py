import asyncio
import json

import pytest

from sandbox.argocd import stream
from sandbox.argocd.store import Store


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "state.sqlite")


def app(name, **spec):
    return {"metadata": {"name": name}, "spec": {"project": "default", "source": {"repoURL": "r"}, **spec}}


def messages(store, query, *, changes=(), count, events=False, paths=(), keepalive=5):
    """The first `count` messages, with one change made after each."""

    async def read():
        found, left = [], list(changes)
        async for message in stream.body(store, query, events=events, paths=list(paths), keepalive=keepalive):
            found.append(message)
            if len(found) == count:
                return found
            if left:
                left.pop(0)()
        return found

    return asyncio.run(asyncio.wait_for(read(), 10))


def kinds(found):
    return [
        (json.loads(each)["result"]["type"], json.loads(each)["result"]["application"]["metadata"]["name"])
        for each in found
    ]


def test_present_state_then_changes(store):
    store.put(app("a"))
    changes = [lambda: store.put(app("b")), lambda: store.put(app("a", x=1)), lambda: store.delete("b")]
    found = messages(store, {}, changes=changes, count=4)
    assert kinds(found) == [("ADDED", "a"), ("ADDED", "b"), ("MODIFIED", "a"), ("DELETED", "b")]
    assert all(each.endswith("}\n") for each in found)
    assert store.listeners == set()


def test_reconnect_goes_on_after_the_version(store):
    for name in ("a", "b"):
        store.put(app(name))
    assert kinds(messages(store, {"resourceVersion": "1"}, count=1)) == [("MODIFIED", "b")]
    assert kinds(messages(store, {"resourceVersion": "2", "name": "a"}, count=1)) == [("ADDED", "a")]


def test_equal_messages_are_dropped_and_silence_is_kept_alive(store):
    store.put(app("a"))
    paths = ["result.application.metadata.name"]
    found = messages(
        store, {}, changes=[lambda: store.put(app("a", x=1))], count=2, events=True, paths=paths, keepalive=0.1
    )
    assert found == ['data: {"result":{"application":{"metadata":{"name":"a"}}}}\n\n', ":\n"]
