"""Waiting for Argo CD: until an application is free, or until what our sync operation deployed is healthy."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from flightline.exceptions import ArgoCDError, ArgoCDRefused, ArgoCDUnavailable
from flightline.hooks.argocd import Application, ArgoCDHook

KEY = "flightline"  # the infos entry that names the task an operation belongs to

LOGGED_PODS = 3  # of a verdict

Outcome = dict[str, Any]


def is_ours(operation: dict[str, Any] | None, key: str) -> bool:
    """Whether an operation was started by the task with this key."""
    infos = (operation or {}).get("info") or []
    return any(info["name"] == KEY and info["value"] == key for info in infos)


class ArgoCDSyncTrigger(BaseTrigger):
    """Fires one event, a dict with `deadline`, `status` and what belongs to it.

    - `free`: no operation runs (only if ours is not `submitted` yet);
    - `healthy`: with `revision`, `health`, `sync`;
    - `failed`, `superseded`, `unhealthy`, `timeout`, `error`: with `message`, which names resources and reasons.

    Args:
        conn_id: of Argo CD.
        application: name.
        project: the application's project.
        revision: commit that our operation syncs to.
        key: value of our operation's infos entry `KEY`.
        submitted: whether our operation was started; else wait until one can be.
        prune: as in the operation; without it, leftovers do not count as out of sync.
        deadline: Unix time when the wait ends.
        poll_seconds: between two looks.
    """

    def __init__(
        self,
        *,
        conn_id: str,
        application: str,
        project: str,
        revision: str,
        key: str,
        submitted: bool,
        prune: bool,
        deadline: float,
        poll_seconds: float,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.conn_id = conn_id
        self.application = application
        self.project = project
        self.revision = revision
        self.key = key
        self.submitted = submitted
        self.prune = prune
        self.deadline = deadline
        self.poll_seconds = poll_seconds

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Class path and arguments."""
        names = (
            "conn_id",
            "application",
            "project",
            "revision",
            "key",
            "submitted",
            "prune",
            "deadline",
            "poll_seconds",
        )
        return f"{type(self).__module__}.{type(self).__qualname__}", {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Fire the outcome, with the deadline for whoever must wait on."""
        yield TriggerEvent({**await self.outcome(), "deadline": self.deadline})  # type: ignore[no-untyped-call]

    async def outcome(self) -> Outcome:
        """Look until there is an outcome or the time is over."""
        hook = await self._hook()
        before, said = "", ""
        while True:
            try:
                outcome = await asyncio.to_thread(self._look, hook)
            except ArgoCDUnavailable as error:  # it may restart meanwhile
                outcome = _waiting(str(error))
            except ArgoCDError as error:
                outcome = {"status": "error", "message": str(error)}
            # "unhealthy" may be left from the version before: it is a verdict only if the next look agrees.
            final = outcome["status"] not in ("waiting", "unhealthy") or outcome["status"] == before == "unhealthy"
            if not final and time.time() >= self.deadline:
                final, outcome["status"] = True, "timeout"
            if final:
                if outcome["status"] in ("failed", "unhealthy", "timeout"):
                    outcome["message"] = "; ".join([outcome["message"], *await asyncio.to_thread(self._logs, hook)])
                return outcome
            before = outcome["status"]
            if outcome["message"] != said:  # one line a change, not one a look
                said = outcome["message"]
                self.log.info("%s: %s", self.application, said)
            await asyncio.sleep(min(self.poll_seconds, max(self.deadline - time.time(), 0)))

    async def on_kill(self) -> None:
        """A person ended the task: end its operation too, and no other."""
        await asyncio.to_thread(terminate_ours, await self._hook(), self.application, self.key)

    async def _hook(self) -> ArgoCDHook:
        return await ArgoCDHook.aopen(self.conn_id, project=self.project)

    def _look(self, hook: ArgoCDHook) -> Outcome:
        app = hook.application(self.application)
        if not self.submitted:
            other = app.get("operation")
            return _waiting(f"another operation runs: {_shown(other)}") if other else {"status": "free"}
        if unfinished := self._of_operation(app):
            return unfinished
        # Sync status and health may still be those from before the operation.
        app = hook.application(self.application, refresh=True)
        outcome = self._of_deployment(app.get("status", {}))
        if outcome["status"] != "healthy":
            outcome["message"] = "; ".join([outcome["message"], *_unhealthy(hook.resources(self.application))])
        return outcome

    def _logs(self, hook: ArgoCDHook) -> list[str]:
        """What pods that are not healthy said last."""
        try:
            nodes = hook.resources(self.application)
        except ArgoCDError:  # the verdict stands without
            return []
        pods = [node for node in nodes if node["kind"] == "Pod" and _is_unhealthy(node)][:LOGGED_PODS]
        lines = [(_name(pod), hook.last_log_line(self.application, pod)) for pod in pods]
        return [f"{name} said last: {line}" for name, line in lines if line]

    def _of_operation(self, app: Application) -> Outcome | None:
        """None once our operation has succeeded."""
        state = app.get("status", {}).get("operationState") or {}
        operation = app.get("operation") or state.get("operation")
        if not is_ours(operation, self.key) and _revision(operation) != self.revision:
            return {"status": "superseded", "message": f"another operation took its place: {_shown(operation)}"}
        if "operation" in app or not state.get("finishedAt"):
            return _waiting(f"the sync runs: {state.get('message') or 'nothing to tell yet'}")
        if state["phase"] == "Succeeded":
            return None
        message = f"the sync {state['phase']}: {state.get('message', '')}"
        return {"status": "failed", "message": "; ".join([message, *_failed(state)])}

    def _of_deployment(self, status: dict[str, Any]) -> Outcome:
        health, sync = status.get("health", {}).get("status"), status.get("sync", {})
        if health != "Healthy":
            message = f"health is {health}"
            return {"status": "unhealthy", "message": message} if health == "Degraded" else _waiting(message)
        unsynced = [
            _name(resource)
            for resource in status.get("resources", [])
            if resource.get("status") == "OutOfSync" and (self.prune or not resource.get("requiresPruning"))
        ]
        # Sync compares with the head of the branch: if that is newer than our revision, it says nothing about ours.
        if sync.get("revision") == self.revision and sync.get("status") == "OutOfSync" and unsynced:
            return _waiting(f"out of sync: {', '.join(unsynced)}")
        if sync.get("status") == "Unknown":
            conditions = [condition["message"] for condition in status.get("conditions") or []]
            return _waiting("; ".join(["sync is Unknown", *conditions]))
        return {"status": "healthy", "revision": self.revision, "health": health, "sync": sync.get("status")}


def terminate_ours(hook: ArgoCDHook, application: str, key: str) -> bool:
    """End the running operation if it is ours; whether it was. Errors are raised as they are."""
    for _ in range(10):
        app: Application = hook.application(application)
        state = app.get("status", {}).get("operationState") or {}
        if not is_ours(app.get("operation"), key) or state.get("phase") == "Terminating":
            return is_ours(app.get("operation"), key)
        try:
            hook.terminate(application)
        except ArgoCDRefused:  # asked for, but not begun yet: it cannot be terminated before
            time.sleep(0.5)
        else:
            return True
    raise ArgoCDUnavailable(f"{application}: the operation did not begin, so it could not be terminated")


def _waiting(message: str) -> Outcome:
    """No outcome yet."""
    return {"status": "waiting", "message": message}


def _revision(operation: dict[str, Any] | None) -> str | None:
    return ((operation or {}).get("sync") or {}).get("revision")


def _shown(operation: dict[str, Any] | None) -> str:
    """An operation in words: to which revision, by whom, for what."""
    by = ((operation or {}).get("initiatedBy") or {}).get("username") or "automation"
    infos = [f"{info['name']}={info['value']}" for info in (operation or {}).get("info") or []]
    return " ".join([f"revision {_revision(operation)} by {by}", *infos])


def _name(resource: dict[str, Any]) -> str:
    return f"{resource['kind']} {resource.get('namespace', '')}/{resource['name']}".replace(" /", " ")


def _failed(state: dict[str, Any]) -> list[str]:
    """What the sync could not do, resource by resource."""
    return [
        f"{_name(resource)}: {resource.get('message', '')}"
        for resource in (state.get("syncResult") or {}).get("resources") or []
        if resource.get("status") == "SyncFailed" or resource.get("hookPhase") in ("Failed", "Error")
    ]


def _unhealthy(nodes: list[dict[str, Any]]) -> list[str]:
    """What is not healthy and why, node by node."""
    return [
        f"{_name(node)} is {node['health']['status']}: {node['health'].get('message', '')}".removesuffix(": ")
        for node in nodes
        if _is_unhealthy(node)
    ]


def _is_unhealthy(node: dict[str, Any]) -> bool:
    return bool(node.get("health")) and node["health"]["status"] != "Healthy"
