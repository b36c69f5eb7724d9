"""A registry on an empty store, and controllers that run when a test says so."""

import pytest

from sandbox.cluster.events import Recorder
from sandbox.cluster.node_ports import NodePorts
from sandbox.cluster.registry import Registry
from sandbox.cluster.store import Store


@pytest.fixture
def registry():
    store = Store(":memory:")
    registry = Registry(store, NodePorts(store, 30000, 30003))
    registry.create("namespaces", "", {"metadata": {"name": "n"}})
    return registry


@pytest.fixture
def store(registry):
    return registry.store


@pytest.fixture
def recorder(registry):
    return Recorder(registry)


@pytest.fixture(scope="session")
def settle():
    """Let controllers work until nothing changes, without an event loop or a clock."""

    def run(store, *controllers):
        changes = []
        store.listen(changes.append)
        woken = []
        for controller in controllers:
            controller.wake = lambda namespace, name, after=0.0, to=controller: (
                after or woken.append((to, (namespace, name)))
            )
        for resource in ("deployments", "replicasets", "jobs", "pods", "services", "namespaces"):
            for item in store.list(resource):
                woken += [
                    (controller, (item["metadata"].get("namespace", ""), item["metadata"]["name"]))
                    for controller in controllers
                ]
        for _ in range(10_000):
            while changes:
                change = changes.pop(0)
                for controller in controllers:
                    controller.observe(change)
            if not woken:
                store._listeners.remove(changes.append)
                return
            controller, key = woken.pop(0)
            controller.reconcile(*key)
        raise AssertionError("the controllers never settle")

    return run
