import pytest

from sandbox.cluster.scheduler import Scheduler, obstacle, requests

NODE = {
    "metadata": {"name": "sandbox", "labels": {"kubernetes.io/os": "linux"}},
    "spec": {},
    "status": {"allocatable": {"cpu": "2", "memory": "4Gi"}, "conditions": [{"type": "Ready", "status": "True"}]},
}


def pod(resources=None, **spec):
    return {"spec": {"containers": [{"name": "a", "image": "i", "resources": resources or {}}], **spec}}


def term(key, operator, *values):
    term = {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}}


MISMATCH = "node(s) didn't match Pod's node affinity/selector"


@pytest.mark.parametrize(
    ("candidate", "expected"),
    [
        (pod(), None),
        (pod({"requests": {"cpu": "2", "memory": "4Gi"}}), None),
        (pod({"requests": {"cpu": "2500m"}}), "Insufficient cpu"),
        (pod({"requests": {"nvidia.com/gpu": "1"}}), "Insufficient nvidia.com/gpu"),
        (pod({"requests": {"nvidia.com/gpu": "0"}}), None),
        (pod(nodeSelector={"kubernetes.io/os": "linux"}), None),
        (pod(nodeSelector={"pool": "gpu"}), MISMATCH),
        (pod(affinity=term("kubernetes.io/os", "In", "linux")), None),
        (pod(affinity=term("kubernetes.io/os", "NotIn", "linux")), MISMATCH),
    ],
)
def test_obstacles(candidate, expected):
    assert obstacle(candidate, NODE) == expected


@pytest.mark.parametrize(
    ("toleration", "tolerated"),
    [
        ({"key": "gpu", "value": "yes", "effect": "NoSchedule"}, True),
        ({"key": "gpu", "operator": "Exists"}, True),
        ({"operator": "Exists"}, True),
        ({"key": "gpu", "value": "no"}, False),
        ({"key": "gpu", "operator": "Exists", "effect": "NoExecute"}, False),
    ],
)
def test_taints(toleration, tolerated):
    tainted = NODE | {"spec": {"taints": [{"key": "gpu", "value": "yes", "effect": "NoSchedule"}]}}
    assert "untolerated taint {gpu: yes}" in obstacle(pod(), tainted)
    assert (obstacle(pod(tolerations=[toleration]), tainted) is None) is tolerated
    assert obstacle(pod(), NODE | {"spec": {"unschedulable": True}}) == "node(s) were unschedulable"
    assert "node.kubernetes.io/not-ready" in obstacle(pod(), NODE | {"status": {"allocatable": {}}})


def test_requests_are_the_sum_or_the_largest_init_container():
    spec = {
        "containers": [
            {"resources": {"requests": {"cpu": "1", "memory": "1Gi"}}},
            {"resources": {"requests": {"cpu": "500m"}}},
        ],
        "initContainers": [{"resources": {"requests": {"cpu": "1", "memory": "2Gi"}}}],
    }
    assert requests(spec) == {"cpu": 1.5, "memory": 2 * 2**30}


def test_a_waiting_pod_is_bound_once_a_node_fits(registry, store, recorder, settle):
    registry.create("nodes", "", {"metadata": {"name": "sandbox"}})
    store.change("nodes", "", "sandbox", lambda node: node.update(status=NODE["status"]))
    registry.create("pods", "n", {"metadata": {"name": "p"}, **pod(nodeSelector={"pool": "gpu"})})
    scheduler = Scheduler(registry, recorder)
    settle(store, scheduler)
    (condition,) = store.get("pods", "n", "p")["status"]["conditions"]
    assert (condition["status"], condition["reason"]) == ("False", "Unschedulable")
    assert condition["message"].startswith(f"0/1 nodes are available: 1 {MISMATCH}.")
    store.change("nodes", "", "sandbox", lambda node: node["metadata"].update(labels={"pool": "gpu"}))
    settle(store, scheduler)
    bound = store.get("pods", "n", "p")
    assert bound["spec"]["nodeName"] == "sandbox"
    assert [(item["type"], item["status"]) for item in bound["status"]["conditions"]] == [("PodScheduled", "True")]
    assert {event["reason"] for event in store.list("events")} == {"FailedScheduling", "Scheduled"}
