"""One sync operation as a state machine: each step applies at most one wave and puts what happened into the state.

Nothing is kept besides `status.operationState`, so that after a crash the next step goes on where the last one ended.
"""

from typing import Any

from sandbox.argocd import comparison, health, tracking
from sandbox.argocd.errors import KubernetesError
from sandbox.argocd.live import Cluster, Key, Live, Manifest
from sandbox.argocd.store import now

State = dict[str, Any]

RUNNING, TERMINATING, SUCCEEDED, FAILED, ERROR = "Running", "Terminating", "Succeeded", "Failed", "Error"
HISTORY = 10


def begin(operation: dict[str, Any]) -> State:
    """The state of an operation that starts now."""
    return {"operation": operation, "phase": RUNNING, "startedAt": now()}


def finish(state: State, phase: str, message: str) -> None:
    """End the operation."""
    state.update(phase=phase, message=message, finishedAt=now())


def step(app: dict[str, Any], state: State, *, targets: tracking.Targets, live: Live, cluster: Cluster) -> None:
    """Advance a running operation; `state` is changed in place.

    A wave is applied when everything of the waves before it is healthy; the last wave's health is awaited only by
    `PruneLast=true`, before anything is pruned.

    Raises:
        KubernetesError: the cluster does not answer; the next step tries again.
    """
    sync = state["operation"]["sync"]
    source = sync.get("source") or app["spec"]["source"]
    result = state.setdefault("syncResult", {"revision": sync["revision"], "source": source, "resources": []})
    done = {Key(r["group"], r["kind"], r["namespace"], r["name"]): r["status"] for r in result["resources"]}
    selected = {key: target for key, target in targets.items() if _selects(sync, key)}
    hooks = [str(key) for key, target in selected.items() if tracking.HOOK in target["metadata"]["annotations"]]
    if hooks:
        return finish(state, FAILED, f"resource hooks are left out of this stand-in: {', '.join(hooks)}")

    last, prune_last = (
        max(map(tracking.wave, selected.values()), default=0),
        "PruneLast=true" in (sync.get("syncOptions") or []),
    )
    for key, target in selected.items():
        if key in done:
            continue
        if _waits(state, selected, live, before=tracking.wave(target)):
            return None
        wave = {k: t for k, t in selected.items() if tracking.wave(t) == tracking.wave(target)}
        result["resources"] += [_apply(k, t, app=app, sync=sync, cluster=cluster) for k, t in wave.items()]
        if any(resource["status"] == "SyncFailed" for resource in result["resources"]):
            reasons = {r["message"] for r in result["resources"] if r["status"] == "SyncFailed"}
            return finish(state, FAILED, f"one or more objects failed to apply, reason: {','.join(sorted(reasons))}")
        if tracking.wave(target) != last or prune_last:
            return None
        break

    if prune_last and _waits(state, selected, live, before=last + 1):
        return None
    for key, found in tracking.owned(app["metadata"]["name"], live).items():
        if key not in targets and _selects(sync, key):
            result["resources"].append(_prune(key, found, sync=sync, cluster=cluster))
    return finish(state, SUCCEEDED, "successfully synced (all tasks run)")


def recorded(history: list[dict[str, Any]], state: State, *, limit: int = HISTORY) -> list[dict[str, Any]]:
    """The history after a finished operation: only successful, full syncs that were no dry run enter it."""
    sync = state["operation"]["sync"]
    if state["phase"] != SUCCEEDED or sync.get("dryRun") or sync.get("resources"):
        return history
    entry = {
        "id": history[-1]["id"] + 1 if history else 0,
        "revision": sync["revision"],
        "source": state["syncResult"]["source"],
        "deployStartedAt": state["startedAt"],
        "deployedAt": state["finishedAt"],
        "initiatedBy": state["operation"]["initiatedBy"],
    }
    return [*history, entry][-limit:] if limit else []


def _selects(sync: dict[str, Any], key: Key) -> bool:
    """Whether a sync is for a resource: for all, unless it names some."""
    names = sync.get("resources")
    return not names or any(
        (name.get("group") or "", name.get("kind"), name.get("name")) == (key.group, key.kind, key.name)
        and (name.get("namespace") or key.namespace) == key.namespace
        for name in names
    )


def _waits(state: State, selected: tracking.Targets, live: Live, *, before: int) -> bool:
    """Whether an object of an earlier wave is not healthy; one that is Degraded ends the operation."""
    blocker = _blocker(selected, live, before=before)
    if blocker is None:
        return False
    awaited, judged = blocker
    if judged.status == "Degraded":
        finish(state, FAILED, f"{awaited} is Degraded: {judged.message}")
    else:
        state["message"] = f"waiting for healthy state of {awaited}"
    return True


def _blocker(selected: tracking.Targets, live: Live, *, before: int) -> tuple[Key, health.Health] | None:
    """An object of an earlier wave that is not healthy."""
    for key, target in selected.items():
        if tracking.wave(target) < before:
            found = health.assess(live[key]) if key in live else health.MISSING
            if found is not None and found.status != "Healthy":
                return key, found
    return None


def _apply(
    key: Key, target: Manifest, *, app: dict[str, Any], sync: dict[str, Any], cluster: Cluster
) -> dict[str, Any]:
    shown = f"{key.kind.lower()}{f'.{key.group}' if key.group else ''}/{key.name}"
    if sync.get("dryRun"):
        return _result(key, target, status="Synced", message=f"{shown} configured (dry run)")
    try:
        return _result(key, target, status="Synced", message=f"{shown} {_write(target, app, sync, cluster)}")
    except KubernetesError as error:
        if error.status is None:
            raise
        return _result(key, target, status="SyncFailed", message=str(error))


def _write(target: Manifest, app: dict[str, Any], sync: dict[str, Any], cluster: Cluster) -> str:
    found = cluster.get(target)
    if found is None:
        if "CreateNamespace=true" in (sync.get("syncOptions") or []):
            _ensure_namespace(app["spec"]["destination"].get("namespace"), cluster)
        cluster.create(tracking.remembering(target))
        return "created"
    if comparison.is_applied(target, found):
        return "unchanged"
    cluster.patch(target, comparison.patch(target, found))
    return "configured"


def _ensure_namespace(name: str | None, cluster: Cluster) -> None:
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    if name and cluster.get(namespace) is None:
        cluster.create(namespace)


def _prune(key: Key, found: Manifest, *, sync: dict[str, Any], cluster: Cluster) -> dict[str, Any]:
    if not sync.get("prune"):
        return _result(key, found, status="PruneSkipped", message="ignored (requires pruning)")
    if not sync.get("dryRun"):
        cluster.delete(found)
    return _result(key, found, status="Pruned", message="pruned (dry run)" if sync.get("dryRun") else "pruned")


def _result(key: Key, manifest: Manifest, *, status: str, message: str) -> dict[str, Any]:
    return {
        **key._asdict(),
        "version": manifest["apiVersion"].rpartition("/")[2],
        "status": status,
        "message": message,
        "hookPhase": SUCCEEDED
        if status in ("Pruned", "PruneSkipped")
        else FAILED
        if status == "SyncFailed"
        else RUNNING,
        "syncPhase": "Sync",
    }
