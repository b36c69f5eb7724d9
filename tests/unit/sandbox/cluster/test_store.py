import asyncio
import sqlite3

import pytest

from sandbox.cluster.status import ApiError
from sandbox.cluster.store import _HISTORY, Store


def item(name, namespace="n", **more):
    return {"metadata": {"name": name, "namespace": namespace}, **more}


def types(queue):
    found = []
    while not queue.empty():
        found.append(queue.get_nowait().type)
    return found


def test_objects_and_version_survive_a_new_start(tmp_path):
    store = Store(tmp_path / "db")
    store.add("pods", item("a", x=1))
    store.add("pods", item("b"))
    store.change("pods", "n", "a", lambda pod: pod.update(x=2))
    store.remove("pods", "n", "b")
    again = Store(tmp_path / "db")  # the first is not closed: it was killed
    assert again.version == 4
    assert again.list("pods") == [
        item("a", x=2) | {"metadata": {"name": "a", "namespace": "n", "resourceVersion": "3"}}
    ]


def test_an_edit_that_changes_nothing_makes_no_version():
    store = Store(":memory:")
    store.add("pods", item("a"))
    seen = []
    store.listen(seen.append)
    store.change("pods", "n", "a", lambda pod: None)
    assert (store.version, seen) == (1, [])


def test_an_edit_does_not_reach_what_was_handed_out():
    store = Store(":memory:")
    before = store.add("pods", item("a", deep={"x": 1}))
    store.change("pods", "n", "a", lambda pod: pod["deep"].update(x=2))
    assert before["deep"] == {"x": 1}
    assert store.get("pods", "n", "a")["deep"] == {"x": 2}


def test_errors():
    store = Store(":memory:")
    store.add("pods", item("a"))
    for code, call in ((409, lambda: store.add("pods", item("a"))), (404, lambda: store.get("pods", "n", "b"))):
        with pytest.raises(ApiError) as caught:
            call()
        assert caught.value.code == code


def test_a_failed_write_changes_nothing(tmp_path):
    store = Store(tmp_path / "db")
    store.add("pods", item("a", x=1))
    store._db.execute("PRAGMA query_only = ON")
    with pytest.raises(sqlite3.Error):
        store.change("pods", "n", "a", lambda pod: pod.update(x=2))
    assert (store.get("pods", "n", "a")["x"], store.version) == (1, 1)
    store._db.execute("PRAGMA query_only = OFF")
    store.change("pods", "n", "a", lambda pod: pod.update(x=3))
    assert Store(tmp_path / "db").get("pods", "n", "a")["x"] == 3


def test_follow_replays_from_a_version_and_goes_on():
    async def run():
        store = Store(":memory:")
        store.add("pods", item("a"))
        store.add("pods", item("b"))
        with store.follow(1) as queue:
            assert types(queue) == ["ADDED"]
            store.change("pods", "n", "b", lambda pod: pod.update(x=1))
            store.remove("pods", "n", "b")
            assert types(queue) == ["MODIFIED", "DELETED"]
        store.add("pods", item("c"))
        assert queue.empty()

    asyncio.run(run())


def test_follow_refuses_versions_that_it_no_longer_or_not_yet_knows(tmp_path):
    store = Store(tmp_path / "db")
    for number in range(_HISTORY + 10):
        store.add("pods", item(f"a{number}"))
    for since in (0, 9, store.version + 1):
        with pytest.raises(ApiError) as caught, store.follow(since):
            pass
        assert caught.value.code == 410
    with store.follow(10) as queue:
        assert queue.qsize() == _HISTORY
    store.close()
    again = Store(tmp_path / "db")
    with again.follow(again.version) as queue:
        assert queue.empty()
    with pytest.raises(ApiError), again.follow(again.version - 1):
        pass
