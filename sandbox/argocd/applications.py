"""What the API does to applications: check a request, change the store, leave the work to the controller."""

import re
import uuid
from typing import Any

from sandbox import patch
from sandbox.argocd import bodies
from sandbox.argocd.controller import Controller
from sandbox.argocd.errors import (
    FAILED_PRECONDITION,
    INVALID_ARGUMENT,
    NOT_FOUND,
    PERMISSION_DENIED,
    UNIMPLEMENTED,
    ArgoError,
    SourceError,
)
from sandbox.argocd.source import Sources
from sandbox.argocd.store import App, Store, now
from sandbox.bodies import parse

NAMESPACE = "argocd"
PROJECT = "default"
FINALIZER = "resources-finalizer.argocd.argoproj.io"
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_MINE = ("labels", "annotations", "finalizers")  # metadata that a client may set
_LEFT_OUT = ("helm", "kustomize", "plugin", "chart", "ref")


class Applications:
    """Every method may raise ArgoError; those that start with a name also for an unknown application."""

    def __init__(self, *, store: Store, sources: Sources, controller: Controller) -> None:
        self._store, self._sources, self._controller = store, sources, controller

    def get(self, name: str, project: str | None) -> App:
        """An application: 403 if it is unknown and no project is named, 404 if it is not in the named one."""
        app = self._store.get(name)
        if app is not None and project in (None, "", app["spec"]["project"]):
            return app
        if not project:
            raise ArgoError(PERMISSION_DENIED, "permission denied")
        raise ArgoError(NOT_FOUND, f'applications.argoproj.io "{name}" not found')

    def create(self, body: App, *, upsert: bool, validate: bool) -> App:
        """A new application, or the existing one if it is the same; with `upsert` it is made the same."""
        metadata = body.get("metadata") or {}
        name = metadata.get("name") or ""
        if not _NAME.fullmatch(name):
            raise ArgoError(INVALID_ARGUMENT, f"application name {name!r} is not a lower case RFC 1123 subdomain")
        spec = self._checked(name, body.get("spec"), validate=validate)
        mine = {part: metadata[part] for part in _MINE if metadata.get(part)}
        existing = self._store.get(name)
        if existing is None:
            stamps = {"uid": str(uuid.uuid4()), "creationTimestamp": now(), "generation": 1}
            fresh = {"metadata": {"name": name, "namespace": NAMESPACE, **stamps, **mine}, "spec": spec, "status": {}}
            return self._wake(self._store.put(fresh))
        if existing["spec"] == spec and {part: existing["metadata"].get(part) for part in mine} == mine:
            return existing
        if not upsert:
            message = "existing application spec is different, use upsert flag to force update"
            raise ArgoError(INVALID_ARGUMENT, message)
        return self._change(name, spec=spec, mine={**dict.fromkeys(_MINE), **mine})

    def set_spec(self, name: str, project: str | None, spec: Any, *, validate: bool) -> App:
        """Replace the spec."""
        self.get(name, project)
        return self._change(name, spec=self._checked(name, spec, validate=validate), mine={})

    def patch(self, name: str, body: dict[str, Any]) -> App:
        """Apply a patch that comes as a string; only the spec and a client's own metadata change."""
        app = self.get(name, body.get("project"))
        text, kind = body.get("patch") or "", body.get("patchType") or "json"
        if kind not in ("json", "merge"):
            raise ArgoError(INVALID_ARGUMENT, f"Patch type '{kind}' is not supported")
        try:
            decoded = parse(text.encode())
            patched = patch.merge(app, decoded) if kind == "merge" else patch.json_patch(app, decoded)
        except ValueError as error:
            raise ArgoError(INVALID_ARGUMENT, f"error applying patch: {error}") from error
        bodies.check(patched, bodies.APPLICATION)
        mine = {part: (patched.get("metadata") or {}).get(part) for part in _MINE}
        return self._change(name, spec=self._checked(name, patched.get("spec"), validate=True), mine=mine)

    def delete(self, name: str, project: str | None, *, cascade: bool) -> None:
        """Remove the application, and what it deployed unless `cascade` is false."""
        self.get(name, project)
        if not cascade:
            self._store.delete(name)
            return

        def mark(app: App) -> None:
            app["metadata"].setdefault("deletionTimestamp", now())
            app["metadata"]["finalizers"] = [FINALIZER]

        self._store.update(name, mark)
        self._controller.wake()

    def sync(self, name: str, body: dict[str, Any], *, user: str) -> App:
        """Start a sync operation to a revision (of the source's target, if none is named)."""
        app = self.get(name, body.get("project"))
        if body.get("revisions") or body.get("sourcePositions") or body.get("manifests"):
            raise ArgoError(UNIMPLEMENTED, "several sources and local manifests are left out of this stand-in")
        source = app["spec"]["source"]
        options = (body.get("syncOptions") or {}).get("items") or (app["spec"].get("syncPolicy") or {}).get(
            "syncOptions"
        )
        sync = {
            "revision": self._resolve(source, body.get("revision") or source.get("targetRevision") or "HEAD"),
            "prune": bool(body.get("prune")),
            "dryRun": bool(body.get("dryRun")),
            "syncStrategy": body.get("strategy"),
            "resources": body.get("resources"),
            "syncOptions": options,
        }
        return self._start(name, sync, user=user, info=body.get("infos"), retry=body.get("retryStrategy"))

    def rollback(self, name: str, body: dict[str, Any], *, user: str) -> App:
        """Start a sync operation to an earlier deployment."""
        app = self.get(name, body.get("project"))
        history = {entry["id"]: entry for entry in app.get("status", {}).get("history", [])}
        if (number := body.get("id", 0)) not in history:
            raise ArgoError(INVALID_ARGUMENT, f"application {name} does not have deployment with id {number}")
        entry = history[number]
        sync = {
            "revision": entry["revision"],
            "source": entry["source"],
            "prune": bool(body.get("prune")),
            "dryRun": bool(body.get("dryRun")),
            "syncOptions": (app["spec"].get("syncPolicy") or {}).get("syncOptions"),
        }
        return self._start(name, sync, user=user)

    def terminate(self, name: str, project: str | None) -> None:
        """Ask the running operation to end."""

        def mark(app: App) -> None:
            state = app.get("status", {}).get("operationState")
            if "operation" not in app or not state:
                message = "Unable to terminate operation. No operation is in progress"
                raise ArgoError(INVALID_ARGUMENT, message)
            state["phase"] = "Terminating"

        self.get(name, project)
        self._store.update(name, mark)
        self._controller.wake()

    def _start(self, name: str, sync: dict[str, Any], *, user: str, **more: Any) -> App:
        operation = {"sync": _present(sync), "initiatedBy": {"username": user}, **_present(more)}

        def begin(app: App) -> None:
            if "deletionTimestamp" in app["metadata"]:
                raise ArgoError(FAILED_PRECONDITION, "application is deleting")
            if "operation" in app:
                raise ArgoError(FAILED_PRECONDITION, "another operation is already in progress")
            app["operation"] = operation
            app.setdefault("status", {}).pop("operationState", None)

        return self._wake(self._store.update(name, begin))

    def _change(self, name: str, *, spec: dict[str, Any], mine: dict[str, Any]) -> App:
        def change(app: App) -> None:
            if app["spec"] != spec:
                app["metadata"]["generation"] += 1
                app.get("status", {}).pop("sync", None)  # compare anew
            app["spec"] = spec
            for part, value in mine.items():
                app["metadata"].pop(part, None)
                if value:
                    app["metadata"][part] = value

        return self._wake(self._store.update(name, change))

    def _wake(self, app: App | None) -> App:
        if app is None:  # deleted meanwhile
            raise ArgoError(PERMISSION_DENIED, "permission denied")
        self._controller.wake()
        return app

    def _resolve(self, source: dict[str, Any], revision: str) -> str:
        try:
            return self._sources.resolve(source["repoURL"], revision)
        except SourceError as error:
            raise ArgoError(FAILED_PRECONDITION, str(error)) from error

    def _checked(self, name: str, spec: Any, *, validate: bool) -> dict[str, Any]:
        if not isinstance(spec, dict):
            raise ArgoError(INVALID_ARGUMENT, f"application spec for {name} is invalid: it is missing")
        spec = {**spec, "project": spec.get("project") or PROJECT}
        source, destination = spec.get("source") or {}, spec.get("destination") or {}
        left_out = [part for part in _LEFT_OUT if source.get(part)] + (["sources"] if spec.get("sources") else [])
        if left_out:
            raise ArgoError(UNIMPLEMENTED, f"{', '.join(left_out)}: left out of this stand-in, one plain source only")
        automated = (spec.get("syncPolicy") or {}).get("automated")
        if automated is not None and automated.get("enabled", True):
            raise ArgoError(UNIMPLEMENTED, "spec.syncPolicy.automated is left out of this stand-in: sync by hand")
        faults = []
        if spec["project"] != PROJECT:
            faults.append(f"Application referencing project {spec['project']} which does not exist")
        if not source.get("repoURL") or not source.get("path"):
            faults.append("spec.source.repoURL and spec.source.path are required")
        if not (destination.get("server") or destination.get("name")):
            faults.append("Destination server missing from app spec")
        elif fault := self._controller.fault_of(spec):
            faults.append(fault)
        if faults:
            message = f"application spec for {name} is invalid: InvalidSpecError: {'; '.join(faults)}"
            raise ArgoError(INVALID_ARGUMENT, message)
        if validate:
            try:
                self._sources.resolve(source["repoURL"], source.get("targetRevision") or "HEAD")
            except SourceError as error:
                message = (
                    f"application spec for {name} is invalid: InvalidSpecError: repository not accessible: {error}"
                )
                raise ArgoError(INVALID_ARGUMENT, message) from error
        return dict(spec)


def _present(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value}
