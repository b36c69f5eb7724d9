import threading

import pytest

from sandbox.argocd.store import Store


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "state.sqlite")


def app(name, **spec):
    return {"metadata": {"name": name}, "spec": spec}


def test_changes_outlive_the_process_and_count_versions(store, tmp_path):
    store.put(app("b"))
    store.put(app("a"))
    store.update("b", lambda found: found["spec"].update(x=1))
    again = Store(tmp_path / "state.sqlite")
    assert [found["metadata"] for found in again.all()] == [
        {"name": "a", "resourceVersion": "2"},
        {"name": "b", "resourceVersion": "3"},
    ]
    assert again.get("b")["spec"] == {"x": 1}


def test_update_that_changes_nothing_is_no_change(store):
    store.put(app("a"))
    heard = []
    store.listeners.add(lambda: heard.append(1))
    assert store.update("a", lambda found: None)["metadata"]["resourceVersion"] == "1"
    assert store.update("missing", lambda found: None) is None
    assert heard == []


def test_update_that_fails_leaves_everything(store):
    store.put(app("a"))

    def fail(found):
        found["spec"]["x"] = 1
        raise KeyError("no")

    with pytest.raises(KeyError):
        store.update("a", fail)
    assert store.get("a")["spec"] == {}


def test_updates_from_many_threads_are_all_kept(store):
    store.put(app("a", n=0))

    def add():
        for _ in range(25):
            store.update("a", lambda found: found["spec"].update(n=found["spec"]["n"] + 1))

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.get("a")["spec"]["n"] == 100
    assert store.get("a")["metadata"]["resourceVersion"] == "101"


def test_wait_wakes_on_a_change_and_gives_up(store):
    store.put(app("a"))
    threading.Timer(0.05, lambda: store.delete("a")).start()
    assert store.wait(lambda: store.get("a") is None, seconds=5)
    assert not store.wait(lambda: store.get("a") is not None, seconds=0.05)


def test_secrets_and_tokens_are_kept(store):
    assert store.secret("jwt", b"first") == store.secret("jwt", b"second") == b"first"
    assert store.add_token("ci", "1")
    assert not store.add_token("ci", "1")
    assert store.has_token("ci", "1")
    assert not store.has_token("ci", "2")
