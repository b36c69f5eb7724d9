"""Deployments roll their ReplicaSets: the arithmetic and the status of the real controller."""

import copy
import hashlib
import json
import time
from typing import Any

from sandbox.cluster import quantities, timestamps
from sandbox.cluster.conditions import condition, with_condition
from sandbox.cluster.controller import Controller
from sandbox.cluster.events import Recorder
from sandbox.cluster.registry import Registry, controller_uid, owner_reference
from sandbox.cluster.replicasets import wake_owner
from sandbox.cluster.status import Object
from sandbox.cluster.store import Change

REVISION = "deployment.kubernetes.io/revision"
_HASH = "pod-template-hash"
_SAFE = "bcdfghjklmnpqrst"


def template_hash(template: Object) -> str:
    """Ten letters that identify a pod template."""
    digest = hashlib.sha256(json.dumps(template, sort_keys=True).encode()).digest()
    return "".join(_SAFE[byte & 15] for byte in digest[:10])


def _plain(item: Object) -> Object:
    """The template of a ReplicaSet as its Deployment gave it."""
    template: Object = copy.deepcopy(item["spec"]["template"])
    template["metadata"]["labels"].pop(_HASH, None)
    return template


def _replicas(item: Object) -> int:
    return int(item["spec"]["replicas"])


def _counted(item: Object, key: str) -> int:
    return int((item.get("status") or {}).get(key, 0))


def _available(item: Object) -> int:
    """Available pods that are meant to stay: the status may not know yet that the ReplicaSet was scaled down."""
    return min(_replicas(item), _counted(item, "availableReplicas"))


class Deployments(Controller):
    """The Deployment controller."""

    def __init__(self, registry: Registry, recorder: Recorder) -> None:
        super().__init__()
        self._registry = registry
        self._recorder = recorder

    def observe(self, change: Change) -> None:
        """Wake a changed Deployment, or the owner of a changed ReplicaSet."""
        if change.resource == "deployments":
            self.wake(change.item["metadata"]["namespace"], change.item["metadata"]["name"])
        elif change.resource == "replicasets":
            wake_owner(self, change, "Deployment")

    def reconcile(self, namespace: str, name: str) -> None:
        """Take the next step of a rollout, then write the status."""
        item = self._registry.store.find("deployments", namespace, name)
        if item is None or "deletionTimestamp" in item["metadata"]:
            return
        current = self._current(item)
        if current is not None:
            item = self._stamp(item, current)
            self._roll(item, current["metadata"]["name"])
        self._report(item)

    def _sets(self, item: Object, current: str = "") -> list[Object]:
        """The ReplicaSets of the Deployment, oldest first, without the current one."""
        sets = [entry for entry in self._registry.owned("replicasets", item) if entry["metadata"]["name"] != current]
        return sorted(sets, key=_revision)

    def _current(self, item: Object) -> Object | None:
        """The ReplicaSet of the present template, made if there is none and the Deployment is not paused."""
        template, metadata = item["spec"]["template"], item["metadata"]
        sets = self._sets(item)
        latest = max(map(_revision, sets), default=0)
        for entry in sets:
            if _plain(entry) == template:
                if _revision(entry) < latest:  # an old template again: a rollback is a new revision
                    return self._edit(entry, revision=latest + 1)
                return entry
        if item["spec"].get("paused"):
            return None
        body, digest = copy.deepcopy(template), template_hash(template)
        name = f"{metadata['name']}-{digest}"
        orphan = self._registry.store.find("replicasets", metadata["namespace"], name)
        if orphan is not None and controller_uid(orphan) is None:
            return self._adopt(item, name)
        body.setdefault("metadata", {}).setdefault("labels", {})[_HASH] = digest
        spec = {
            "replicas": 0,
            "minReadySeconds": item["spec"].get("minReadySeconds", 0),
            "selector": {"matchLabels": (item["spec"]["selector"].get("matchLabels") or {}) | {_HASH: digest}},
            "template": body,
        }
        if expressions := item["spec"]["selector"].get("matchExpressions"):
            spec["selector"]["matchExpressions"] = expressions
        created = {
            "metadata": {
                "name": name,
                "labels": body["metadata"]["labels"],
                "annotations": {REVISION: str(latest + 1)},
                "ownerReferences": [owner_reference(item, "Deployment")],
            },
            "spec": spec,
        }
        return self._registry.create("replicasets", metadata["namespace"], created)

    def _adopt(self, item: Object, name: str) -> Object:
        """Take over the ReplicaSet that a Deployment of the same name, deleted as its orphan, has left."""

        def edit(orphan: Object) -> None:
            orphan["metadata"]["ownerReferences"] = [owner_reference(item, "Deployment")]

        return self._registry.store.change("replicasets", item["metadata"]["namespace"], name, edit)

    def _stamp(self, item: Object, current: Object) -> Object:
        def edit(deployment: Object) -> None:
            notes = deployment["metadata"].get("annotations") or {}
            deployment["metadata"]["annotations"] = notes | {REVISION: str(_revision(current))}

        return self._registry.store.change("deployments", item["metadata"]["namespace"], item["metadata"]["name"], edit)

    def _edit(self, entry: Object, *, replicas: int | None = None, revision: int | None = None) -> Object:
        def edit(item: Object) -> None:
            if replicas is not None and replicas != item["spec"]["replicas"]:
                item["spec"]["replicas"] = replicas
                item["metadata"]["generation"] += 1
            if revision is not None:
                item["metadata"]["annotations"] = (item["metadata"].get("annotations") or {}) | {
                    REVISION: str(revision)
                }

        return self._registry.store.change(
            "replicasets", entry["metadata"]["namespace"], entry["metadata"]["name"], edit
        )

    def _scale(self, item: Object, entry: Object, replicas: int) -> Object:
        before = _replicas(entry)
        if before == replicas:
            return entry
        verb = "up" if replicas > before else "down"
        text = f"Scaled {verb} replica set {entry['metadata']['name']} from {before} to {replicas}"
        self._recorder.record(item, "ScalingReplicaSet", text, component="deployment-controller")
        return self._edit(entry, replicas=replicas)

    def _roll(self, item: Object, name: str) -> None:
        store, namespace = self._registry.store, item["metadata"]["namespace"]
        current, old = store.get("replicasets", namespace, name), self._sets(item, name)
        desired = _replicas(item)
        if item["spec"]["strategy"]["type"] == "Recreate":
            for entry in old:
                self._scale(item, entry, 0)
            if not any(self._registry.owned("pods", entry) for entry in old):
                self._scale(item, current, desired)
            elif any(map(_replicas, old)) is False:
                self.wake(namespace, item["metadata"]["name"], after=0.2)
        else:
            surge, unavailable = _bounds(item)
            total = _replicas(current) + sum(map(_replicas, old))
            if _replicas(current) > desired:
                current = self._scale(item, current, desired)
            elif _replicas(current) < desired and total < desired + surge:
                wanted = min(desired, _replicas(current) + desired + surge - total)
                current = self._scale(item, current, wanted)
            self._scale_down(item, current, old, desired - unavailable)
        keep = item["spec"]["revisionHistoryLimit"]
        idle = [entry for entry in old if not _replicas(entry) and not _counted(entry, "replicas")]
        for entry in idle[: max(0, len(idle) - keep)]:
            self._registry.delete("replicasets", namespace, entry["metadata"]["name"])

    def _scale_down(self, item: Object, current: Object, old: list[Object], least: int) -> None:
        """Take pods from the old ReplicaSets: first those that are not available, then as many as `least` allows."""
        everything = _replicas(current) + sum(map(_replicas, old))
        budget = everything - least - (_replicas(current) - _available(current))
        scaled = []
        for entry in old:
            broken = min(max(0, budget), _replicas(entry) - _available(entry))
            budget -= broken
            scaled.append(self._scale(item, entry, _replicas(entry) - broken) if broken else entry)
        spare = min(budget, _available(current) + sum(map(_available, scaled)) - least)
        for entry in scaled:
            taken = min(max(0, spare), _replicas(entry))
            spare -= taken
            if taken:
                self._scale(item, entry, _replicas(entry) - taken)

    def _report(self, item: Object) -> None:
        namespace, name = item["metadata"]["namespace"], item["metadata"]["name"]
        revision = (item["metadata"].get("annotations") or {}).get(REVISION)
        sets = self._sets(item)
        current = next((entry for entry in sets if str(_revision(entry)) == revision), None)
        counts = {
            key: sum(_counted(entry, key) for entry in sets)
            for key in ("replicas", "readyReplicas", "availableReplicas")
        }
        counts["updatedReplicas"] = _counted(current, "replicas") if current else 0
        desired = _replicas(item)
        status = item.get("status") or {}
        conditions = status.get("conditions") or []
        enough = counts["availableReplicas"] >= desired - _bounds(item)[1]
        conditions = with_condition(
            conditions,
            "Available",
            enough,
            "MinimumReplicasAvailable" if enough else "MinimumReplicasUnavailable",
            f"Deployment {'has' if enough else 'does not have'} minimum availability.",
        )
        if current is not None:
            conditions = self._progress(item, current["metadata"]["name"], counts, conditions)
        self._registry.set_status(
            "deployments",
            item,
            observedGeneration=item["metadata"]["generation"],
            **counts,
            unavailableReplicas=max(0, max(desired, counts["replicas"]) - counts["availableReplicas"]) or None,
            conditions=conditions,
        )
        progressing = condition(conditions, "Progressing")
        if progressing and progressing["reason"] in ("ReplicaSetUpdated", "NewReplicaSetCreated"):
            self.wake(namespace, name, after=1 + _seconds_left(item, progressing))

    @staticmethod
    def _progress(item: Object, name: str, counts: dict[str, int], conditions: list[Object]) -> list[Object]:
        old, status = condition(conditions, "Progressing"), item.get("status") or {}
        desired = _replicas(item)
        complete = all(counts[key] == desired for key in ("updatedReplicas", "replicas", "availableReplicas"))
        grown = any(
            counts[key] > status.get(key, 0) for key in ("updatedReplicas", "readyReplicas", "availableReplicas")
        )
        outdated = counts["replicas"] - counts["updatedReplicas"]
        shrunk = outdated < status.get("replicas", 0) - status.get("updatedReplicas", 0)
        fresh = old is None or item["metadata"]["generation"] != status.get("observedGeneration")
        moved = fresh or grown or shrunk
        settled = old is not None and old["reason"] == "NewReplicaSetAvailable" and not fresh
        if complete:
            verdict = (True, "NewReplicaSetAvailable", f'ReplicaSet "{name}" has successfully progressed.')
        elif settled:  # the rollout is over: pods that fail later show in Available only
            return conditions
        elif not moved and old is not None and _seconds_left(item, old) <= 0:
            verdict = (False, "ProgressDeadlineExceeded", f'ReplicaSet "{name}" has timed out progressing.')
        else:
            verdict = (True, "ReplicaSetUpdated", f'ReplicaSet "{name}" is progressing.')
        if old is not None and old["reason"] == "ProgressDeadlineExceeded" and not moved and not complete:
            return conditions
        result = with_condition(conditions, "Progressing", *verdict)
        update: dict[str, Any] = {"lastUpdateTime": timestamps.now() if moved or old is None else old["lastUpdateTime"]}
        return [entry | update if entry["type"] == "Progressing" else entry for entry in result]


def _revision(entry: Object) -> int:
    return int((entry["metadata"].get("annotations") or {}).get(REVISION, "0"))


def _bounds(item: Object) -> tuple[int, int]:
    """MaxSurge and maxUnavailable as counts; both zero would never move, so then one may be unavailable."""
    rolling, desired = item["spec"]["strategy"].get("rollingUpdate"), _replicas(item)
    if not rolling:
        return 0, 0
    surge = quantities.scaled(rolling["maxSurge"], desired, up=True)
    unavailable = quantities.scaled(rolling["maxUnavailable"], desired, up=False)
    return surge, min(desired, unavailable if surge or unavailable else 1)


def _seconds_left(item: Object, progressing: Object) -> float:
    since = timestamps.parse(progressing["lastUpdateTime"])
    return since + float(item["spec"]["progressDeadlineSeconds"]) - time.time()
