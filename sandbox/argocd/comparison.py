"""What Git wants against what lives: `status.sync`, `status.health`, `status.resources` and the resource tree."""

from collections.abc import Iterator
from typing import Any

from sandbox.argocd import health, merge, tracking
from sandbox.argocd.live import Key, Live, Manifest

Status = dict[str, Any]

_REFERENCE = ("group", "version", "kind", "namespace", "name")


def compare(app: dict[str, Any], *, targets: tracking.Targets, live: Live, revision: str) -> Status:
    """The parts of the status that follow from Git at `revision` and from the cluster."""
    owned = tracking.owned(app["metadata"]["name"], live)
    resources, healths = [], []
    for key in [*targets, *(key for key in owned if key not in targets)]:
        target, found = targets.get(key), live.get(key)
        synced = target is not None and found is not None and is_applied(target, found)
        resource = {**_reference(key, target or owned[key]), "status": "Synced" if synced else "OutOfSync"}
        if target is None:
            resource["requiresPruning"] = True
        elif tracking.wave(target):
            resource["syncWave"] = tracking.wave(target)
        judged = health.assess(found) if found else health.MISSING
        if judged is not None:
            resource["health"] = judged.json()
            if judged is not health.MISSING or health.judged(key.kind):
                healths.append(judged.status)
        resources.append(resource)
    in_sync = all(resource["status"] == "Synced" for resource in resources)
    spec = app["spec"]
    return {
        "sync": {
            "status": "Synced" if in_sync else "OutOfSync",
            "comparedTo": {"source": spec["source"], "destination": spec["destination"]},
            "revision": revision,
        },
        "health": {"status": health.worst(healths)},
        "resources": resources,
        "summary": {"images": sorted({image for key in owned for image in images(live[key])})},
        "sourceType": "Directory",
    }


def is_applied(target: Manifest, found: Manifest) -> bool:
    """Whether applying the target would change nothing."""
    return merge.satisfied(found, merge.strategic(tracking.last_applied(found), target))


def patch(target: Manifest, found: Manifest) -> Manifest:
    """What applies the target to the live object."""
    return merge.strategic(tracking.last_applied(found), tracking.remembering(target))


def tree(app: dict[str, Any], live: Live) -> list[dict[str, Any]]:
    """The nodes of the resource tree: the application's objects, all that they own, and what is missing."""
    children: dict[str, list[Key]] = {}
    for key, found in live.items():
        for owner in found["metadata"].get("ownerReferences") or []:
            children.setdefault(owner["uid"], []).append(key)
    nodes: dict[Key, dict[str, Any]] = {}

    def walk(key: Key, parent: dict[str, Any] | None) -> None:
        if key not in nodes:
            nodes[key] = _node(key, live[key], parent)
            for child in children.get(live[key]["metadata"].get("uid", ""), []):
                walk(child, nodes[key])

    for root in sorted(tracking.owned(app["metadata"]["name"], live)):
        walk(root, None)
    missing = [
        {name: resource[name] for name in _REFERENCE if name in resource} | {"health": resource["health"]}
        for resource in app.get("status", {}).get("resources", [])
        if resource.get("health", {}).get("status") == "Missing"
    ]
    return [*nodes.values(), *missing]


def images(live: Manifest) -> Iterator[str]:
    """Images of a pod or of a pod template."""
    spec = live.get("spec") or {}
    spec = (spec.get("template") or {}).get("spec") or spec
    for container in [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]:
        if "image" in container:
            yield container["image"]


def _reference(key: Key, manifest: Manifest) -> dict[str, Any]:
    reference = {
        "group": key.group,
        "version": manifest["apiVersion"].rpartition("/")[2],
        "kind": key.kind,
        "namespace": key.namespace,
        "name": key.name,
    }
    return {name: value for name, value in reference.items() if value}


def _node(key: Key, found: Manifest, parent: dict[str, Any] | None) -> dict[str, Any]:
    metadata = found["metadata"]
    node = {
        **_reference(key, found),
        "uid": metadata.get("uid", ""),
        "resourceVersion": metadata.get("resourceVersion", ""),
        "createdAt": metadata.get("creationTimestamp"),
        "health": (judged.json() if (judged := health.assess(found)) else None),
        "images": list(images(found)),
        "parentRefs": [{name: parent[name] for name in (*_REFERENCE, "uid") if name in parent}] if parent else None,
    }
    return {name: value for name, value in node.items() if value}
