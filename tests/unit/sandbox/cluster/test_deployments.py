"""Rollouts with the clock taken out: a kubelet of the test makes pods ready and gone in any order."""

import time

from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.cluster.conditions import condition, with_condition
from sandbox.cluster.deployments import REVISION, Deployments, template_hash
from sandbox.cluster.events import Recorder
from sandbox.cluster.node_ports import NodePorts
from sandbox.cluster.registry import Registry
from sandbox.cluster.replicasets import ReplicaSets
from sandbox.cluster.store import Store


class World:
    """A Deployment, its controllers and its pods."""

    def __init__(self, settle, replicas, strategy):
        self.store = Store(":memory:")
        self.registry = Registry(self.store, NodePorts(self.store, 1, 1))
        recorder = Recorder(self.registry)
        self.controllers = (Deployments(self.registry, recorder), ReplicaSets(self.registry, recorder))
        self._settle = settle
        self.registry.create("namespaces", "", {"metadata": {"name": "n"}})
        self.registry.create("deployments", "n", self.body(1, replicas, strategy))
        self.settle()

    @staticmethod
    def body(version, replicas, strategy):
        labels = {"app": "a"}
        container = {"name": "a", "image": "i", "env": [{"name": "V", "value": str(version)}]}
        template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
        spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template, "strategy": strategy}
        return {"metadata": {"name": "d"}, "spec": spec}

    def settle(self):
        self._settle(self.store, *self.controllers)

    def apply(self, version, replicas, strategy):
        self.registry.replace("deployments", "n", "d", self.body(version, replicas, strategy))
        self.settle()

    def pods(self):
        return self.store.list("pods")

    def versions(self):
        return {pod["spec"]["containers"][0]["env"][0]["value"] for pod in self.pods()}

    def ready(self):
        return [pod for pod in self.pods() if is_ready(pod)]

    def set_ready(self, pod, ready=True):
        def edit(current):
            conditions = current["status"].get("conditions") or []
            current["status"] |= {"phase": "Running", "conditions": with_condition(conditions, "Ready", ready)}

        self.store.change("pods", "n", pod["metadata"]["name"], edit)
        self.settle()

    @property
    def deployment(self):
        return self.store.get("deployments", "n", "d")

    def complete(self):
        while waiting := [pod for pod in self.pods() if not is_ready(pod)]:
            self.set_ready(waiting[0])


def is_ready(pod):
    found = condition(pod["status"].get("conditions") or [], "Ready")
    return found is not None and found["status"] == "True"


def rolling(surge, unavailable):
    return {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}


def progressing(world):
    return condition(world.deployment["status"]["conditions"], "Progressing")["reason"]


@given(data=st.data(), replicas=st.integers(1, 6), surge=st.integers(0, 3), unavailable=st.integers(0, 3))
@settings(max_examples=30, deadline=None)
def test_a_rollout_keeps_its_bounds_and_ends(settle, data, replicas, surge, unavailable):
    strategy = rolling(surge, unavailable)
    world = World(settle, replicas, strategy)
    world.complete()
    world.apply(2, replicas, strategy)
    allowed = min(replicas, unavailable if surge or unavailable else 1)
    for _ in range(100):
        assert len(world.pods()) <= replicas + surge
        assert len(world.ready()) >= replicas - allowed
        waiting = [pod for pod in world.pods() if not is_ready(pod)]
        if not waiting:
            break
        world.set_ready(data.draw(st.sampled_from(waiting)))
    assert world.versions() == {"2"}
    assert len(world.ready()) == replicas
    status = world.deployment["status"]
    assert [status[key] for key in ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")] == [
        replicas
    ] * 4
    assert progressing(world) == "NewReplicaSetAvailable"


def test_a_rollback_is_a_new_revision_of_the_old_replica_set(settle):
    world = World(settle, 2, rolling(1, 0))
    world.complete()
    first = {item["metadata"]["name"] for item in world.store.list("replicasets")}
    world.apply(2, 2, rolling(1, 0))
    world.complete()
    world.apply(1, 2, rolling(1, 0))
    world.complete()
    sets = {item["metadata"]["name"]: item for item in world.store.list("replicasets")}
    assert len(sets) == 2
    (name,) = first
    assert (
        sets[name]["metadata"]["annotations"][REVISION] == world.deployment["metadata"]["annotations"][REVISION] == "3"
    )
    assert (world.versions(), sets[name]["status"]["availableReplicas"]) == ({"1"}, 2)


def test_old_replica_sets_are_kept_up_to_the_limit(settle):
    world = World(settle, 1, rolling(1, 0))
    world.complete()
    limited = world.body(2, 1, rolling(1, 0))
    limited["spec"]["revisionHistoryLimit"] = 2
    for version in range(2, 7):
        limited["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"] = str(version)
        world.registry.replace("deployments", "n", "d", limited)
        world.settle()
        world.complete()
    revisions = sorted(item["metadata"]["annotations"][REVISION] for item in world.store.list("replicasets"))
    assert revisions == ["4", "5", "6"]


def test_recreate_ends_the_old_pods_first(settle):
    world = World(settle, 2, {"type": "Recreate"})
    world.complete()
    for pod in world.pods():  # as if bound: their deletion takes a while
        world.store.change("pods", "n", pod["metadata"]["name"], lambda item: item["spec"].update(nodeName="sandbox"))
    world.apply(2, 2, {"type": "Recreate"})
    assert world.versions() == {"1"}
    for pod in world.pods():
        world.registry.finish("pods", "n", pod["metadata"]["name"])
    world.settle()
    assert world.versions() == {"2"}


def test_a_rollout_without_progress_exceeds_its_deadline_once_the_time_is_up(settle, monkeypatch):
    world = World(settle, 1, rolling(1, 0))
    assert progressing(world) == "ReplicaSetUpdated"
    later = world.deployment["spec"]["progressDeadlineSeconds"] + 2
    now = time.time()
    monkeypatch.setattr("sandbox.cluster.deployments.time.time", lambda: now + later)
    world.controllers[0].reconcile("n", "d")
    assert progressing(world) == "ProgressDeadlineExceeded"
    world.controllers[0].reconcile("n", "d")
    assert progressing(world) == "ProgressDeadlineExceeded"
    world.complete()
    assert progressing(world) == "NewReplicaSetAvailable"
    assert condition(world.deployment["status"]["conditions"], "Available")["status"] == "True"


def test_a_pod_that_fails_after_the_rollout_shows_in_available_only(settle):
    world = World(settle, 1, rolling(1, 0))
    world.complete()
    world.set_ready(world.pods()[0], ready=False)
    assert progressing(world) == "NewReplicaSetAvailable"
    assert condition(world.deployment["status"]["conditions"], "Available")["status"] == "False"
    assert world.deployment["status"]["unavailableReplicas"] == 1


def test_scaling_and_pausing(settle):
    world = World(settle, 3, rolling(1, 0))
    world.complete()
    world.apply(1, 1, rolling(1, 0))
    assert len(world.pods()) == 1
    paused = world.body(2, 2, rolling(1, 0))
    paused["spec"]["paused"] = True
    world.registry.replace("deployments", "n", "d", paused)
    world.settle()
    assert world.versions() == {"1"}
    world.apply(2, 2, rolling(1, 0))
    world.complete()
    assert (world.versions(), len(world.pods())) == ({"2"}, 2)


def test_what_an_orphaning_deletion_leaves_is_taken_over(settle):
    world = World(settle, 2, rolling(1, 0))
    world.complete()
    pods = {pod["metadata"]["uid"] for pod in world.pods()}
    world.registry.delete("deployments", "n", "d", {"propagationPolicy": "Orphan"})
    world.registry.create("deployments", "n", world.body(1, 2, rolling(1, 0)))
    world.settle()
    assert {pod["metadata"]["uid"] for pod in world.pods()} == pods
    assert progressing(world) == "NewReplicaSetAvailable"


def test_the_hash_depends_on_the_template_alone():
    assert template_hash({"a": 1, "b": 2}) == template_hash({"b": 2, "a": 1}) != template_hash({"a": 1})
