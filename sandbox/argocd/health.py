"""Health of objects as Argo CD tells it (gitops-engine pkg/health, v3), and the health of an application."""

from collections.abc import Iterable
from typing import Any, NamedTuple

Object = dict[str, Any]


class Health(NamedTuple):
    """A status of `ORDER` and why."""

    status: str
    message: str = ""

    def json(self) -> dict[str, str]:
        """As the API shows it: no empty message."""
        return {name: value for name, value in self._asdict().items() if value}


# Best to worst.
ORDER = ("Healthy", "Suspended", "Progressing", "Missing", "Degraded", "Unknown")
HEALTHY, MISSING = Health("Healthy"), Health("Missing")


def worst(statuses: Iterable[str]) -> str:
    """The health of an application with resources of these healths."""
    return max(statuses, key=ORDER.index, default="Healthy")


def judged(kind: str) -> bool:
    """Whether a kind has a health at all (a ConfigMap has none)."""
    return kind in _CHECKS


def assess(live: Object) -> Health | None:
    """The health of a live object; None for kinds that have none."""
    if live["metadata"].get("deletionTimestamp"):
        return Health("Progressing", "Pending deletion")
    check = _CHECKS.get(live["kind"])
    return check(live) if check else None


def _conditions(live: Object) -> dict[str, Object]:
    return {condition["type"]: condition for condition in live.get("status", {}).get("conditions") or []}


def _observed(live: Object) -> bool:
    return bool(live["metadata"].get("generation", 0) <= live.get("status", {}).get("observedGeneration", 0))


def _deployment(live: Object) -> Health:  # noqa: PLR0911 (the same ladder as in gitops-engine)
    spec, status, name = live["spec"], live.get("status", {}), live["metadata"]["name"]
    if spec.get("paused"):
        return Health("Suspended", "Deployment is paused")
    waiting = "Waiting for rollout to finish: "
    if not _observed(live):
        return Health("Progressing", f"{waiting}observed deployment generation less than desired generation")
    if _conditions(live).get("Progressing", {}).get("reason") == "ProgressDeadlineExceeded":
        return Health("Degraded", f'Deployment "{name}" exceeded its progress deadline')
    wanted, updated = spec.get("replicas", 1), status.get("updatedReplicas", 0)
    total, available = status.get("replicas", 0), status.get("availableReplicas", 0)
    if updated < wanted:
        return Health("Progressing", f"{waiting}{updated} out of {wanted} new replicas have been updated...")
    if total > updated:
        return Health("Progressing", f"{waiting}{total - updated} old replicas are pending termination...")
    if available < updated:
        return Health("Progressing", f"{waiting}{available} of {updated} updated replicas are available...")
    return HEALTHY


def _replica_set(live: Object) -> Health:
    if not _observed(live):
        return Health("Progressing", "Waiting for rollout to finish: observed replica set generation less than desired")
    failure = _conditions(live).get("ReplicaFailure", {})
    if failure.get("status") == "True":
        return Health("Degraded", failure.get("message", ""))
    wanted, available = live["spec"].get("replicas", 1), live.get("status", {}).get("availableReplicas", 0)
    if available < wanted:
        return Health("Progressing", f"Waiting for rollout to finish: {available} out of {wanted} are available...")
    return HEALTHY


def _stateful_set(live: Object) -> Health:
    wanted, ready = live["spec"].get("replicas", 1), live.get("status", {}).get("readyReplicas", 0)
    if not _observed(live):
        return Health("Progressing", "Waiting for statefulset spec update to be observed...")
    return HEALTHY if ready >= wanted else Health("Progressing", f"Waiting for {wanted - ready} pods to be ready...")


def _pod(live: Object) -> Health:  # noqa: PLR0911 (the same ladder as in gitops-engine)
    status, always = live.get("status", {}), live["spec"].get("restartPolicy", "Always") == "Always"
    containers = [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
    message = status.get("message", "")
    if always:
        stuck = [waiting for each in containers if _is_stuck(waiting := each.get("state", {}).get("waiting") or {})]
        if stuck:
            return Health("Degraded", ", ".join(each.get("message") or each["reason"] for each in stuck))
    match status.get("phase"):
        case "Succeeded":
            return Health("Healthy", message)
        case "Failed":
            failures = (_failure(each["name"], each.get("state", {}).get("terminated")) for each in containers)
            return Health("Degraded", message or next(filter(None, failures), ""))
        case "Running" if always:
            if _conditions(live).get("Ready", {}).get("status") == "True":
                return Health("Healthy", message)
            failures = (_failure(each["name"], each.get("lastState", {}).get("terminated")) for each in containers)
            if failure := next(filter(None, failures), ""):
                return Health("Degraded", failure)
            return Health("Progressing", message)
        case _:
            return Health("Progressing", message)


def _is_stuck(waiting: Object) -> bool:
    reason = str(waiting.get("reason", ""))
    return reason.startswith("Err") or reason.endswith(("Error", "BackOff"))


def _failure(container: str, terminated: Object | None) -> str:
    if not terminated:
        return ""
    if terminated.get("message"):
        return str(terminated["message"])
    if terminated.get("reason") == "OOMKilled":
        return "OOMKilled"
    code = terminated.get("exitCode", 0)
    return f'container "{container}" failed with exit code {code}' if code else ""


def _job(live: Object) -> Health:
    conditions = _conditions(live)
    for kind, status in (("Failed", "Degraded"), ("Complete", "Healthy"), ("Suspended", "Suspended")):
        if conditions.get(kind, {}).get("status") == "True":
            return Health(status, conditions[kind].get("message", ""))
    return Health("Progressing")


def _service(live: Object) -> Health:
    balancer = live.get("status", {}).get("loadBalancer") or {}
    if live["spec"].get("type") == "LoadBalancer" and not balancer.get("ingress"):
        return Health("Progressing")
    return HEALTHY


def _route(live: Object) -> Health:
    """Argo CD skips conditions of an older generation and waits for a first status."""
    parents = live.get("status", {}).get("parents") or []
    if not parents:
        return Health("Progressing", "Waiting for HTTPRoute status")
    for each in (condition for parent in parents for condition in parent.get("conditions") or []):
        if each["status"] == "False" and each.get("observedGeneration", 0) == live["metadata"].get("generation", 0):
            return Health("Degraded", f"{each['type']}: {each.get('message') or each.get('reason', '')}")
    return HEALTHY


def _claim(live: Object) -> Health:
    phase = live.get("status", {}).get("phase")
    return {"Lost": Health("Degraded"), "Pending": Health("Progressing"), "Bound": HEALTHY}.get(
        phase, Health("Unknown")
    )


_CHECKS = {
    "Deployment": _deployment,
    "ReplicaSet": _replica_set,
    "StatefulSet": _stateful_set,
    "Pod": _pod,
    "Job": _job,
    "Service": _service,
    "HTTPRoute": _route,
    "PersistentVolumeClaim": _claim,
}
