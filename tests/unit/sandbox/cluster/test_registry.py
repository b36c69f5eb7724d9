import pytest

from sandbox.cluster.status import ApiError

POD = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "a", "image": "i"}]}}


def refused(code, call, *args, **more):
    with pytest.raises(ApiError) as caught:
        call(*args, **more)
    assert caught.value.code == code
    return caught.value.message


def test_created_objects_get_their_metadata_and_lose_what_is_not_the_clients(registry):
    body = {
        "metadata": {"name": "p", "uid": "mine", "deletionTimestamp": "x"},
        "spec": POD["spec"],
        "status": {"phase": "Running"},
    }
    pod = registry.create("pods", "n", body)
    assert pod["metadata"].keys() == {"name", "namespace", "uid", "creationTimestamp", "resourceVersion"}
    assert pod["metadata"]["uid"] != "mine"
    assert pod["status"] == {"phase": "Pending", "qosClass": "BestEffort"}
    assert (pod["kind"], pod["apiVersion"]) == ("Pod", "v1")
    assert body["metadata"]["uid"] == "mine"  # the caller's object is its own


def test_creation_is_refused_where_it_must_be(registry):
    assert "already exists" in refused(409, lambda: [registry.create("pods", "n", POD) for _ in range(2)])
    assert refused(404, registry.create, "pods", "absent", POD) == 'namespaces "absent" not found'
    refused(400, registry.create, "pods", "n", {"metadata": {"name": "q", "resourceVersion": "1"}})
    refused(422, registry.create, "pods", "n", {"spec": POD["spec"]})
    account = {"metadata": {"name": "q"}, "spec": POD["spec"] | {"serviceAccountName": "nobody"}}
    assert 'serviceaccount "nobody" not found' in refused(403, registry.create, "pods", "n", account)
    assert registry.create("pods", "n", {"metadata": {"name": "dry"}, "spec": POD["spec"]}, dry_run=True)["metadata"][
        "uid"
    ]
    assert registry.store.find("pods", "n", "dry") is None


def test_replace_keeps_status_and_counts_generations(registry):
    spec = {
        "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": POD["spec"]},
    }
    made = registry.create("deployments", "n", {"metadata": {"name": "d"}, "spec": spec})
    registry.replace("deployments", "n", "d", {"status": {"replicas": 3}}, subresource="status")
    same = registry.replace("deployments", "n", "d", {"spec": made["spec"], "status": {"replicas": 9}})
    assert (same["status"], same["metadata"]["generation"]) == ({"replicas": 3}, 1)
    changed = registry.replace("deployments", "n", "d", {"spec": made["spec"] | {"replicas": 2}})
    assert changed["metadata"]["generation"] == 2
    assert changed["metadata"]["uid"] == made["metadata"]["uid"]
    refused(409, registry.replace, "deployments", "n", "d", made)  # stale
    refused(409, registry.replace, "deployments", "n", "d", {"metadata": {"uid": "other"}, "spec": made["spec"]})
    other = made["spec"] | {"selector": {"matchLabels": {}}}
    refused(422, registry.replace, "deployments", "n", "d", {"spec": other})


def test_pods_end_gracefully_once_they_run(registry, store):
    registry.create("pods", "n", POD)
    assert registry.delete("pods", "n", "p")[1]  # not scheduled: gone at once
    registry.create("pods", "n", POD)
    store.change("pods", "n", "p", lambda pod: pod["spec"].update(nodeName="sandbox"))
    pod, gone = registry.delete("pods", "n", "p")
    assert (gone, pod["metadata"]["deletionGracePeriodSeconds"]) == (False, 30)
    pod, _ = registry.delete("pods", "n", "p", {"gracePeriodSeconds": 60})
    assert pod["metadata"]["deletionGracePeriodSeconds"] == 30  # it only gets shorter
    pod, _ = registry.delete("pods", "n", "p", {"gracePeriodSeconds": 5})
    assert pod["metadata"]["deletionGracePeriodSeconds"] == 5
    registry.finish("pods", "n", "p")
    assert store.find("pods", "n", "p") is None
    registry.create("pods", "n", POD)
    store.change("pods", "n", "p", lambda pod: pod["spec"].update(nodeName="sandbox"))
    assert registry.delete("pods", "n", "p", {"gracePeriodSeconds": 0})[1]


def test_finalizers_hold_an_object_until_they_are_gone(registry, store):
    body = {"metadata": {"name": "c", "finalizers": ["x/y"]}}
    registry.create("configmaps", "n", body)
    item, gone = registry.delete("configmaps", "n", "c")
    assert not gone
    assert "deletionTimestamp" in item["metadata"]
    registry.replace("configmaps", "n", "c", {"metadata": {"finalizers": []}})
    assert store.find("configmaps", "n", "c") is None


def test_preconditions_of_a_deletion(registry):
    made = registry.create("configmaps", "n", {"metadata": {"name": "c"}})
    refused(409, registry.delete, "configmaps", "n", "c", {"preconditions": {"uid": "other"}})
    registry.delete("configmaps", "n", "c", {"preconditions": {"uid": made["metadata"]["uid"]}})


def test_orphaned_dependents_lose_their_owner(registry, store):
    owner = registry.create("configmaps", "n", {"metadata": {"name": "o"}})
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "o", "uid": owner["metadata"]["uid"]}
    registry.create("configmaps", "n", {"metadata": {"name": "d", "ownerReferences": [reference]}})
    registry.delete("configmaps", "n", "o", {"propagationPolicy": "Orphan"})
    assert store.get("configmaps", "n", "d")["metadata"]["ownerReferences"] == []


def test_null_is_absent(registry):
    made = registry.create("configmaps", "n", {"metadata": {"name": "c", "labels": None}, "data": {"a": "b"}})
    assert "labels" not in made["metadata"]
