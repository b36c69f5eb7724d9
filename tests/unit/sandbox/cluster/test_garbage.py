import pytest

from sandbox.cluster.garbage import Garbage


def reference(owner):
    return {"apiVersion": "v1", "kind": "ConfigMap", "name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"]}


@pytest.fixture
def family(registry, store, settle):
    """Creates config maps with owners; the collector sees what happens to them."""

    class Family:
        garbage = Garbage(registry)

        def make(self, name, *owners):
            references = [reference(store.get("configmaps", "n", owner)) for owner in owners]
            registry.create("configmaps", "n", {"metadata": {"name": name, "ownerReferences": references}})

        def delete(self, name, policy="Background"):
            watched = []
            store.listen(watched.append)
            registry.delete("configmaps", "n", name, {"propagationPolicy": policy})
            woken = []
            self.garbage.wake = lambda namespace, uid, after=0.0: woken.append((namespace, uid))
            while watched or woken:
                if watched:
                    self.garbage.observe(watched.pop(0))
                else:
                    self.garbage.reconcile(*woken.pop(0))

        def left(self):
            return {item["metadata"]["name"] for item in store.list("configmaps")}

    return Family()


@pytest.mark.parametrize("policy", ["Background", "Foreground"])
def test_dependents_follow_through_generations(family, policy):
    family.make("a")
    family.make("b", "a")
    family.make("c", "b")
    family.make("other")
    family.delete("a", policy)
    assert family.left() == {"other"}


def test_orphans_stay(family):
    family.make("a")
    family.make("b", "a")
    family.delete("a", "Orphan")
    assert family.left() == {"b"}


def test_an_object_of_two_owners_stays_until_both_are_gone(family):
    family.make("a")
    family.make("b")
    family.make("c", "a", "b")
    family.delete("a")
    assert family.left() == {"b", "c"}
    family.delete("b")
    assert family.left() == set()


def test_a_namespace_takes_everything_along(registry, store, settle):
    registry.create("configmaps", "n", {"metadata": {"name": "c"}})
    registry.create("secrets", "n", {"metadata": {"name": "s"}})
    space, gone = registry.delete("namespaces", "", "n")
    assert (gone, space["status"]["phase"]) == (False, "Terminating")
    garbage = Garbage(registry)
    garbage.reconcile("", space["metadata"]["uid"])
    garbage.reconcile("", space["metadata"]["uid"])
    assert not any(item["metadata"].get("namespace") == "n" for _, item in store.all())
    assert store.find("namespaces", "", "n") is None
