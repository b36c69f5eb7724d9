"""The scheduler: binds pods to nodes that fit, and says in the real scheduler's words why none does.

Requests are compared pod by pod with what a node has; they are not summed, so the machine may be overcommitted.
"""

from collections import Counter

from sandbox.cluster import quantities
from sandbox.cluster.conditions import condition, with_condition
from sandbox.cluster.controller import Controller
from sandbox.cluster.events import Recorder
from sandbox.cluster.registry import TERMINAL, Registry
from sandbox.cluster.selectors import Requirement, expressions, matches
from sandbox.cluster.status import Object
from sandbox.cluster.store import Change

_NOT_READY = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}


def obstacle(pod: Object, node: Object) -> str | None:
    """Why the pod cannot run on the node; None when it can."""
    spec, labels = pod["spec"], node["metadata"].get("labels") or {}
    if node["spec"].get("unschedulable"):
        return "node(s) were unschedulable"
    ready = condition(node["status"].get("conditions") or [], "Ready")
    absent = [] if ready and ready["status"] == "True" else [_NOT_READY]
    for taint in (*absent, *(node["spec"].get("taints") or ())):
        if taint["effect"] != "PreferNoSchedule" and not any(
            _tolerates(item, taint) for item in spec.get("tolerations") or ()
        ):
            return f"node(s) had untolerated taint {{{taint['key']}: {taint.get('value', '')}}}"
    selector = [Requirement(key, "In", (value,)) for key, value in (spec.get("nodeSelector") or {}).items()]
    affinity = ((spec.get("affinity") or {}).get("nodeAffinity") or {}).get(
        "requiredDuringSchedulingIgnoredDuringExecution"
    )
    terms = (affinity or {}).get("nodeSelectorTerms")
    if not matches(selector, labels) or (terms and not any(_term(term, node) for term in terms)):
        return "node(s) didn't match Pod's node affinity/selector"
    for resource, amount in requests(spec).items():
        if amount > quantities.parse(node["status"]["allocatable"].get(resource, "0")):
            return f"Insufficient {resource}"
    return None


def requests(spec: Object) -> dict[str, float]:
    """What a pod asks for: the sum of its containers, or the largest init container if that is more."""
    total: Counter[str] = Counter()
    for container in spec["containers"]:
        for resource, amount in (container["resources"].get("requests") or {}).items():
            total[resource] += quantities.parse(amount)  # type: ignore[assignment]
    result: dict[str, float] = dict(total)
    for container in spec.get("initContainers") or ():
        for resource, amount in (container["resources"].get("requests") or {}).items():
            result[resource] = max(result.get(resource, 0.0), quantities.parse(amount))
    return {resource: amount for resource, amount in result.items() if amount}


def _tolerates(toleration: Object, taint: Object) -> bool:
    if toleration.get("effect") not in (None, "", taint["effect"]):
        return False
    if toleration.get("operator", "Equal") == "Exists":
        return toleration.get("key") in (None, "", taint["key"])
    return toleration.get("key") == taint["key"] and (toleration.get("value") or "") == (taint.get("value") or "")


def _term(term: Object, node: Object) -> bool:
    fields = {"metadata.name": node["metadata"]["name"]}
    return matches(expressions(term.get("matchExpressions")), node["metadata"].get("labels")) and matches(
        expressions(term.get("matchFields")), fields
    )


class Scheduler(Controller):
    """Binds pods that have no node yet; looks again when a node changes."""

    def __init__(self, registry: Registry, recorder: Recorder) -> None:
        super().__init__()
        self._registry = registry
        self._recorder = recorder

    def observe(self, change: Change) -> None:
        """Wake a new pod, or all waiting pods when a node changed."""
        if change.resource == "pods" and change.type != "DELETED":
            self._consider(change.item)
        elif change.resource == "nodes":
            for pod in self._registry.store.list("pods"):
                self._consider(pod)

    def _consider(self, pod: Object) -> None:
        if not pod["spec"].get("nodeName") and "deletionTimestamp" not in pod["metadata"]:
            self.wake(pod["metadata"]["namespace"], pod["metadata"]["name"])

    def reconcile(self, namespace: str, name: str) -> None:
        """Bind one pod, or say why not."""
        store = self._registry.store
        pod = store.find("pods", namespace, name)
        if pod is None or pod["spec"].get("nodeName") or pod["status"]["phase"] in TERMINAL:
            return
        obstacles: Counter[str] = Counter()
        for node in store.list("nodes"):
            if (why := obstacle(pod, node)) is None:
                self._bind(pod, node["metadata"]["name"])
                return
            obstacles[why] += 1
        reasons = ", ".join(f"{count} {why}" for why, count in sorted(obstacles.items()))
        count = sum(obstacles.values())
        message = (
            f"0/{count} nodes are available: {reasons}. preemption: 0/{count} nodes are available: "
            f"{count} Preemption is not helpful for scheduling."
        )
        conditions = with_condition(
            pod["status"].get("conditions") or [], "PodScheduled", False, "Unschedulable", message
        )
        if conditions != pod["status"].get("conditions"):
            self._registry.set_status("pods", pod, conditions=conditions)
            self._recorder.record(pod, "FailedScheduling", message, component="default-scheduler", warning=True)

    def _bind(self, pod: Object, node: str) -> None:
        def edit(current: Object) -> None:
            current["spec"]["nodeName"] = node
            conditions = current["status"].get("conditions") or []
            current["status"]["conditions"] = with_condition(
                [item for item in conditions if item["type"] != "PodScheduled"], "PodScheduled", True
            )

        metadata = pod["metadata"]
        self._registry.store.change("pods", metadata["namespace"], metadata["name"], edit)
        text = f"Successfully assigned {metadata['namespace']}/{metadata['name']} to {node}"
        self._recorder.record(pod, "Scheduled", text, component="default-scheduler")
