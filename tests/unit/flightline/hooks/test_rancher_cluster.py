"""Clusters as Rancher tells them, and their free GPUs."""

from flightline.hooks.rancher_cluster import gpus_left, told


def node(name, gpus, ready="True", **spec):
    status = {"allocatable": {"nvidia.com/gpu": str(gpus)}, "conditions": [{"type": "Ready", "status": ready}]}
    return {"metadata": {"name": name}, "spec": spec, "status": status}


def pod(on, gpus):
    asked = {"resources": {"requests": {"nvidia.com/gpu": str(gpus)}}}
    return {"spec": {"nodeName": on, "containers": [{}, asked]}}


def test_gpus_that_are_asked_for_or_cannot_be_reached_are_not_free():
    assert gpus_left([node("a", 4), node("b", 2)], [pod("a", 1)]) == 5
    assert gpus_left([node("a", 4, ready="Unknown"), node("b", 2, unschedulable=True)], []) == 0
    assert gpus_left([node("a", 4)], [pod("a", 3), pod("", 1)]) == 0
    assert gpus_left([{"metadata": {"name": "a"}, "status": {"allocatable": {}}}], []) == 0


def test_active_is_what_is_ready_too():
    said = {"id": "c-1", "state": "active", "conditions": [{"type": "Ready", "status": "False"}]}
    assert (told(said).state, told(said).usable, told(said).name) == ("not ready", False, "c-1")
    assert told({**said, "conditions": None, "name": "west"}).usable
