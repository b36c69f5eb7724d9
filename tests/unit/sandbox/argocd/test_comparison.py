"""Tracking, comparison and tree on plain objects."""

import json

import pytest

from sandbox.argocd import comparison, tracking
from sandbox.argocd.live import Key

APP = {
    "metadata": {"name": "web"},
    "spec": {"source": {}, "destination": {"namespace": "ns"}},
    "status": {},
}


class Kinds:
    """What `tracking.targets` asks a cluster."""

    def namespaced(self, manifest):
        return manifest["kind"] != "Namespace"


def wanted(*manifests):
    return tracking.targets(APP, list(manifests), Kinds())


def manifest(kind="ConfigMap", name="conf", **more):
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, **more}


def living(*targets):
    return {Key.of(target): tracking.remembering(target) for target in targets}


def test_targets_get_namespace_tracking_and_order():
    later = manifest(name="later")
    later["metadata"]["annotations"] = {tracking.WAVE: "1"}
    elsewhere = manifest(name="elsewhere")
    elsewhere["metadata"]["namespace"] = "other"
    found = wanted(later, manifest("Pod", "p"), elsewhere, manifest("Namespace", "ns"), manifest(status={"x": 1}))
    assert [(key.kind, key.namespace, key.name) for key in found] == [
        ("Namespace", "", "ns"),
        ("ConfigMap", "ns", "conf"),
        ("ConfigMap", "other", "elsewhere"),
        ("Pod", "ns", "p"),
        ("ConfigMap", "ns", "later"),
    ]
    conf = found[Key("", "ConfigMap", "ns", "conf")]
    assert conf["metadata"]["annotations"] == {tracking.TRACKING: "web:/ConfigMap:ns/conf"}
    assert "status" not in conf


def test_string_data_of_secrets_is_encoded():
    (secret,) = wanted(manifest("Secret", data={"a": "YQ=="}, stringData={"b": "b"})).values()
    assert secret["data"] == {"a": "YQ==", "b": "Yg=="}
    assert "stringData" not in secret


def test_annotations_copied_to_children_do_not_make_them_owned():
    (target,) = wanted(manifest()).values()
    child = {**target, "kind": "Pod", "metadata": {**target["metadata"], "name": "child"}}
    live = living(target, child)
    assert [key.kind for key in tracking.owned("web", live)] == ["ConfigMap"]
    assert tracking.owned("another", live) == {}


@pytest.mark.parametrize(
    ("change", "status"),
    [
        (lambda live: None, "Synced"),
        (lambda live: live["data"].update(b="by hand"), "Synced"),
        (lambda live: live["data"].update(a="2"), "OutOfSync"),
        (lambda live: live.pop("data"), "OutOfSync"),
    ],
    ids=["as applied", "more than applied", "changed", "removed"],
)
def test_drift(change, status):
    targets = wanted(manifest(data={"a": "1"}))
    (key, target), *_ = targets.items()
    live = living(json.loads(json.dumps(target)))
    change(live[key])
    found = comparison.compare(APP, targets=targets, live=live, revision="r")
    assert found["sync"]["status"] == status
    assert found["resources"] == [
        {"version": "v1", "kind": "ConfigMap", "namespace": "ns", "name": "conf", "status": status}
    ]
    assert found["health"] == {"status": "Healthy"}


def test_what_git_no_longer_names_is_out_of_sync():
    (target,) = wanted(manifest()).values()
    found = comparison.compare(APP, targets={}, live=living(target), revision="r")
    assert found["sync"]["status"] == "OutOfSync"
    assert found["resources"][0]["requiresPruning"]


def test_missing_counts_for_kinds_with_health_only():
    assert comparison.compare(APP, targets=wanted(manifest()), live={}, revision="r")["health"]["status"] == "Healthy"
    found = comparison.compare(APP, targets=wanted(manifest("Service")), live={}, revision="r")
    assert found["health"]["status"] == "Missing"
    app = {**APP, "status": found}
    (node,) = comparison.tree(app, {})
    assert node == {
        "version": "v1",
        "kind": "Service",
        "namespace": "ns",
        "name": "conf",
        "health": {"status": "Missing"},
    }
