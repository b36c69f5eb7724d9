"""ReplicaSets keep their number of pods."""

import time

from sandbox.cluster import timestamps
from sandbox.cluster.conditions import condition, with_condition
from sandbox.cluster.controller import Controller
from sandbox.cluster.events import Recorder
from sandbox.cluster.registry import TERMINAL, Registry, owner_reference
from sandbox.cluster.status import ApiError, Object
from sandbox.cluster.store import Change

_RETRY_SECONDS = 5.0


def pod_of(owner: Object, kind: str) -> Object:
    """A pod from the template of its owner, to be created."""
    template, name = owner["spec"]["template"], owner["metadata"]["name"]
    metadata = {
        key: value for key, value in (template.get("metadata") or {}).items() if key in ("labels", "annotations")
    }
    metadata |= {"generateName": f"{name[:57]}-", "ownerReferences": [owner_reference(owner, kind)]}
    return {"metadata": metadata, "spec": template["spec"]}


def wake_owner(controller: Controller, change: Change, kind: str) -> None:
    """Wake the owner of that kind of an object that changed."""
    metadata = change.item["metadata"]
    for reference in metadata.get("ownerReferences") or ():
        if reference["kind"] == kind:
            controller.wake(metadata["namespace"], reference["name"])


def ready_since(pod: Object) -> float | None:
    """Since when the pod is ready (seconds since the epoch), or None."""
    ready = condition(pod["status"].get("conditions") or [], "Ready")
    return timestamps.parse(ready["lastTransitionTime"]) if ready and ready["status"] == "True" else None


class ReplicaSets(Controller):
    """The ReplicaSet controller. It does not adopt pods that it has not created."""

    def __init__(self, registry: Registry, recorder: Recorder) -> None:
        super().__init__()
        self._registry = registry
        self._recorder = recorder

    def observe(self, change: Change) -> None:
        """Wake a changed ReplicaSet, or the owner of a changed pod."""
        if change.resource == "replicasets":
            self.wake(change.item["metadata"]["namespace"], change.item["metadata"]["name"])
        elif change.resource == "pods":
            wake_owner(self, change, "ReplicaSet")

    def _active(self, item: Object) -> list[Object]:
        return [
            pod
            for pod in self._registry.owned("pods", item)
            if "deletionTimestamp" not in pod["metadata"] and pod["status"]["phase"] not in TERMINAL
        ]

    def reconcile(self, namespace: str, name: str) -> None:
        """Create or delete pods, then count them."""
        item = self._registry.store.find("replicasets", namespace, name)
        if item is None or "deletionTimestamp" in item["metadata"]:
            return
        active = self._active(item)
        missing = item["spec"]["replicas"] - len(active)
        failure = ""
        try:
            for _ in range(missing):
                pod = self._registry.create("pods", namespace, pod_of(item, "ReplicaSet"))
                self._record(item, "SuccessfulCreate", f"Created pod: {pod['metadata']['name']}")
        except ApiError as error:
            failure = error.message
            self._record(item, "FailedCreate", f"Error creating: {failure}", warning=True)
            self.wake(namespace, name, after=_RETRY_SECONDS)
        # The youngest that are not ready go first.
        surplus = sorted(
            active, key=lambda pod: (ready_since(pod) or float("inf"), pod["metadata"]["creationTimestamp"])
        )
        for pod in surplus[len(surplus) + missing :] if missing < 0 else ():
            self._registry.delete("pods", namespace, pod["metadata"]["name"])
            self._record(item, "SuccessfulDelete", f"Deleted pod: {pod['metadata']['name']}")
        self._count(item, failure)

    def _count(self, item: Object, failure: str) -> None:
        namespace, name = item["metadata"]["namespace"], item["metadata"]["name"]
        active = self._active(item)
        since = [start for pod in active if (start := ready_since(pod)) is not None]
        wait = item["spec"].get("minReadySeconds") or 0
        due = [start + wait - time.time() for start in since]
        if pending := [seconds for seconds in due if wait and seconds > 0]:
            self.wake(namespace, name, after=min(pending))
        conditions = (item.get("status") or {}).get("conditions") or []
        if failure:
            conditions = with_condition(conditions, "ReplicaFailure", True, "FailedCreate", failure)
        else:
            conditions = [entry for entry in conditions if entry["type"] != "ReplicaFailure"]
        self._registry.set_status(
            "replicasets",
            item,
            replicas=len(active),
            fullyLabeledReplicas=len(active),
            readyReplicas=len(since),
            availableReplicas=sum(not wait or seconds <= 0 for seconds in due),
            observedGeneration=item["metadata"]["generation"],
            conditions=conditions or None,
        )

    def _record(self, item: Object, reason: str, message: str, *, warning: bool = False) -> None:
        self._recorder.record(item, reason, message, component="replicaset-controller", warning=warning)
