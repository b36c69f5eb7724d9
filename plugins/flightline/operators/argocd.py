"""Bring an Argo CD application to a commit and wait until it is healthy there."""

import asyncio
import re
import time
from collections.abc import Sequence
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from flightline.exceptions import (
    ArgoCDError,
    ArgoCDOperationInProgress,
    ArgoCDRefused,
    ArgoCDSuperseded,
    ArgoCDSyncFailed,
    ArgoCDTimeout,
    ArgoCDUnhealthy,
)
from flightline.hooks.argocd import Application, ArgoCDHook
from flightline.links.argocd import ArgoCDLink
from flightline.triggers.argocd import KEY, ArgoCDSyncTrigger, is_ours, terminate_ours

if TYPE_CHECKING:
    from airflow.sdk import Context

TRY = "flightline-try"
_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_FAILURES: dict[str, type[ArgoCDError]] = {
    "failed": ArgoCDSyncFailed,
    "superseded": ArgoCDSuperseded,
    "unhealthy": ArgoCDUnhealthy,
    "timeout": ArgoCDTimeout,
}


class ArgoCDSyncOperator(BaseOperator):
    """Sync an application to `revision`; succeed when it is Healthy at that revision.

    The operation carries the task's key, so that a retry goes on with the operation that the try before it started,
    and a kill ends that operation and no other. While another operation runs, the task waits for its turn.

    Args:
        application: name of the application.
        revision: full commit SHA to deploy.
        project: the application's project.
        prune: delete what Git no longer holds.
        application_spec: an Application manifest, or its `spec`: created or made so before the sync.
        timeout: seconds for everything: the turn, the operation, the health. Our operation is terminated after that.
        poll_seconds: between two looks.
        deferrable: wait in the triggerer instead of the worker.
        conn_id: Connection of Argo CD.

    Returns (XCom): `{"application", "revision", "health", "sync", "url"}`.

    Raises:
        ArgoCDSyncFailed, ArgoCDUnhealthy, ArgoCDTimeout: the message names the resources and their reasons,
            and what the pods that are not healthy logged last, where Argo CD tells it.
        ArgoCDSuperseded: somebody synced to another revision meanwhile.
        ArgoCDUnavailable, ArgoCDRefused, ArgoCDSyncWindowClosed: see `flightline.exceptions`.
    """

    template_fields: Sequence[str] = ("application", "revision", "project", "application_spec", "conn_id")
    template_fields_renderers = {"application_spec": "json"}  # noqa: RUF012 (as in BaseOperator)
    operator_extra_links = (ArgoCDLink(),)
    ui_color = "#ef7b4d"

    def __init__(
        self,
        *,
        application: str,
        revision: str,
        project: str = "default",
        prune: bool = True,
        application_spec: dict[str, Any] | None = None,
        timeout: float = 900,
        poll_seconds: float = 2,
        deferrable: bool = True,
        conn_id: str = "argocd",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.application = application
        self.revision = revision
        self.project = project
        self.prune = prune
        self.application_spec = application_spec
        self.timeout = timeout
        self.poll_seconds = poll_seconds
        self.deferrable = deferrable
        self.conn_id = conn_id
        self._key = ""

    @cached_property
    def hook(self) -> ArgoCDHook:
        """Argo CD."""
        return ArgoCDHook(self.conn_id, project=self.project)

    def execute(self, context: "Context") -> dict[str, Any]:
        """Ensure the application, take the turn, sync, wait."""
        if not _COMMIT.fullmatch(self.revision):
            raise ArgoCDRefused(f"{self.application}: revision {self.revision!r} is not a full commit SHA")
        context["ti"].xcom_push(key=ArgoCDLink().xcom_key, value=self.hook.page(self.application))
        if self.application_spec:
            self.hook.ensure(self._manifest(self.application_spec))
        return self._go_on(context, deadline=time.time() + self.timeout)

    def resume(self, context: "Context", event: dict[str, Any]) -> dict[str, Any]:
        """The trigger fired: take the turn, return the result or raise what went wrong."""
        status = event["status"]
        if status == "free":
            return self._go_on(context, deadline=event["deadline"])
        if status == "healthy":
            result = {name: event[name] for name in ("revision", "health", "sync")}
            self.log.info("%s is Healthy at %s", self.application, self.revision)
            return {"application": self.application, **result, "url": self.hook.page(self.application)}
        if status == "timeout":
            self._terminate(_key(context))  # else it would block those who come to mend
        failure = _FAILURES.get(status, ArgoCDError)
        raise failure(f"{self.application} at {self.revision}: {event['message']}")

    def on_kill(self) -> None:
        """End our operation."""
        if self._key:
            self._terminate(self._key)

    def _manifest(self, spec: dict[str, Any]) -> Application:
        return spec if "spec" in spec else {"metadata": {"name": self.application}, "spec": spec}

    def _go_on(self, context: "Context", *, deadline: float) -> dict[str, Any]:
        """Start our operation, or find it; then wait. If another one runs, wait for that first."""
        self._key = _key(context)
        submitted = self._rejoins(self.hook.application(self.application))
        if not submitted:
            infos = {KEY: self._key, TRY: str(context["ti"].try_number)}
            try:
                self.hook.sync(self.application, revision=self.revision, prune=self.prune, infos=infos)
                submitted = True
                self.log.info("%s: sync to %s started", self.application, self.revision)
            except ArgoCDOperationInProgress as error:
                # Ours, if the answer to our request was lost.
                submitted = is_ours(self.hook.application(self.application).get("operation"), self._key)
                self.log.info("%s", error)
        return self._wait(context, submitted=submitted, deadline=deadline)

    def _rejoins(self, app: Application) -> bool:
        """Whether an earlier try's operation to the same revision runs, or succeeded and still holds."""
        status = app.get("status", {})
        state = status.get("operationState") or {}
        operation: dict[str, Any] = app.get("operation") or state.get("operation") or {}
        if not is_ours(operation, self._key) or operation["sync"].get("revision") != self.revision:
            return False
        sync = status.get("sync", {})
        drifted = sync.get("status") == "OutOfSync" and sync.get("revision") == self.revision
        rejoins = "operation" in app or (state.get("phase") == "Succeeded" and not drifted)
        if rejoins:
            self.log.info("%s: going on with the sync that an earlier try started", self.application)
        return rejoins

    def _wait(self, context: "Context", *, submitted: bool, deadline: float) -> dict[str, Any]:
        trigger = ArgoCDSyncTrigger(
            conn_id=self.conn_id,
            application=self.application,
            project=self.project,
            revision=self.revision,
            key=self._key,
            submitted=submitted,
            prune=self.prune,
            deadline=deadline,
            poll_seconds=self.poll_seconds,
        )
        if self.deferrable:
            # The trigger ends by itself; Airflow's own timeout is only for a trigger that hangs.
            backstop = timedelta(seconds=max(deadline - time.time(), 0) + 300)
            self.defer(trigger=trigger, method_name="resume", timeout=backstop)
        return self.resume(context, {**asyncio.run(trigger.outcome()), "deadline": deadline})

    def _terminate(self, key: str) -> None:
        try:
            if terminate_ours(self.hook, self.application, key):
                self.log.info("%s: our operation was terminated", self.application)
        except ArgoCDError as error:  # it must not hide why we came here
            self.log.warning("%s: our operation could not be terminated: %s", self.application, error)


def _key(context: "Context") -> str:
    """What names this task instance in all its tries."""
    ti = context["ti"]
    mapped = f"/{ti.map_index}" if ti.map_index is not None and ti.map_index >= 0 else ""
    return f"{ti.dag_id}/{ti.run_id}/{ti.task_id}{mapped}"
