"""The application controller: one thread that compares, syncs and deletes, woken by requests and by time."""

import logging
import threading
import time
from collections import Counter
from typing import Any

from sandbox.argocd import comparison, operations, tracking
from sandbox.argocd.clusters import Clusters
from sandbox.argocd.errors import INTERNAL, ArgoError, KubernetesError, SourceError
from sandbox.argocd.live import Cluster, Live
from sandbox.argocd.source import Sources
from sandbox.argocd.store import App, Store, now

REFRESH = "argocd.argoproj.io/refresh"
ACTIVE_SECONDS, IDLE_SECONDS = 0.5, 5.0
STOP_SECONDS = 3.0
RECONCILIATION_SECONDS = 120.0  # how often Git is asked without a request (Argo CD's timeout.reconciliation)

log = logging.getLogger(__name__)


class Controller:
    """`start` it once; `wake` it after a change of the store that asks for work."""

    def __init__(self, *, store: Store, sources: Sources, clusters: Clusters) -> None:
        self._store, self._sources, self._clusters = store, sources, clusters
        self._awake = threading.Event()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="controller", daemon=True)
        self._requests: Counter[str] = Counter()
        self._compared: dict[str, float] = {}
        self._live: dict[Cluster, Live] = {}

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def stop(self) -> None:
        """End after the present round, or in the middle of it: the next start goes on where this one ended."""
        self._stopped = True
        self._awake.set()
        self._thread.join(STOP_SECONDS)

    def wake(self) -> None:
        """There is something to do."""
        self._awake.set()

    def fault_of(self, spec: dict[str, Any]) -> str:
        """Why an application of this spec has no destination; nothing where it has one."""
        try:
            self._clusters.of({"spec": spec})
        except KubernetesError as error:
            return str(error)
        return ""

    def live(self, app: App) -> Live:
        """What lived in the application's cluster in the last round; nothing where it could not be asked."""
        try:
            return self._live.get(self._clusters.of(app), {})
        except KubernetesError:
            return {}

    def read_log(self, app: App, namespace: str, pod: str, **query: str) -> str:
        """The last lines of a pod, as the cluster's query says. Raises ArgoError if they cannot be read."""
        try:
            return self._clusters.of(app).log(namespace, pod, **query)
        except KubernetesError as error:
            raise ArgoError(INTERNAL, str(error)[:300]) from error

    def log(self, app: App, namespace: str, pod: str) -> str:
        """The last lines of a pod, or why there are none."""
        try:
            return self.read_log(app, namespace, pod)
        except ArgoError as error:
            return f"cannot be read: {error}"

    def refresh(self, name: str, *, hard: bool, seconds: float) -> App | None:
        """Compare the application with Git as it is now; returns it when that is done.

        Raises:
            ArgoError: it took longer than `seconds`.
        """

        def annotate(app: App) -> None:
            app["metadata"].setdefault("annotations", {})[REFRESH] = "hard" if hard else "normal"

        def done() -> bool:
            app = self._store.get(name)
            return app is None or REFRESH not in app["metadata"].get("annotations", {})

        self._requests[name] += 1
        self._store.update(name, annotate)
        self.wake()
        if not self._store.wait(done, seconds=seconds):
            raise ArgoError(13, "refresh deadline exceeded")
        return self._store.get(name)

    def _run(self) -> None:
        while not self._stopped:
            self._awake.clear()
            try:
                active = self.work()
            except Exception:  # the loop must outlive any one round
                log.exception("a round of the controller failed")
                active = False
            self._awake.wait(ACTIVE_SECONDS if active else IDLE_SECONDS)

    def work(self) -> bool:
        """One round over all applications. True: something is on its way, so the next round should come soon."""
        active = False
        apps = self._store.all()
        requests = self._requests.copy()  # before the snapshot: who asks later gets a later one
        live: dict[Cluster, Live] = {}
        faults: dict[Cluster, KubernetesError] = {}  # a cluster that does not answer is asked once a round
        for app in apps:
            name = app["metadata"]["name"]
            try:
                self._look(app, live, faults)
            except KubernetesError as error:
                self._comparison_failed(name, str(error), requests=requests[name])
        self._live = live
        for app in apps:
            name = app["metadata"]["name"]
            try:
                if self._clusters.of(app) not in live:
                    continue
                if "deletionTimestamp" in app["metadata"]:
                    self._delete(app)
                    active = True
                else:
                    active |= self._operate(app)
                    active |= self._reconcile(name, requests=requests[name])
            except KubernetesError as error:  # the next round tries again
                log.warning("%s: %s", name, error)
        return active

    def _look(self, app: App, live: dict[Cluster, Live], faults: dict[Cluster, KubernetesError]) -> None:
        cluster = self._clusters.of(app)
        if cluster in faults:
            raise faults[cluster]
        if cluster not in live:
            try:
                live[cluster] = cluster.snapshot()
            except KubernetesError as error:
                faults[cluster] = error
                raise

    def _operate(self, app: App) -> bool:
        """Advance the application's operation, if there is one."""
        if "operation" not in app:
            return False
        name = app["metadata"]["name"]
        state = app.get("status", {}).get("operationState") or operations.begin(app["operation"])
        self._save(name, state)
        try:
            if state["phase"] == operations.TERMINATING:
                operations.finish(state, operations.FAILED, "Operation terminated")
            else:
                sync = state["operation"]["sync"]
                targets = self._targets(app, sync.get("source") or app["spec"]["source"], sync["revision"])
                cluster = self._clusters.of(app)
                operations.step(app, state, targets=targets, live=self.live(app), cluster=cluster)
        except SourceError as error:
            operations.finish(state, operations.ERROR, f"ComparisonError: {error}")
        except KubernetesError as error:
            if error.status is None:
                state["message"] = str(error)
            else:
                operations.finish(state, operations.ERROR, str(error))
        if "finishedAt" in state:
            cluster = self._clusters.of(app)
            self._live[cluster] = cluster.snapshot()
            self._compared.pop(name, None)
        self._save(name, state)
        return True

    def _save(self, name: str, state: dict[str, Any]) -> None:
        def change(app: App) -> None:
            if "operation" not in app:
                return
            status = app.setdefault("status", {})
            stored = status.get("operationState") or {}
            if stored.get("phase") == operations.TERMINATING and "finishedAt" not in state:
                state["phase"] = operations.TERMINATING  # asked for meanwhile
            status["operationState"] = state
            if "finishedAt" in state:
                del app["operation"]
                limit = app["spec"].get("revisionHistoryLimit", operations.HISTORY)
                if history := operations.recorded(status.get("history", []), state, limit=limit):
                    status["history"] = history

        self._store.update(name, change)

    def _reconcile(self, name: str, *, requests: int) -> bool:
        """Compare; True while the application is not at rest."""
        app = self._store.get(name)
        if app is None:
            return False
        requested = app["metadata"].get("annotations", {}).get(REFRESH)
        status = app.get("status", {})
        stale = time.monotonic() - self._compared.get(name, -float("inf")) > RECONCILIATION_SECONDS
        full = bool(requested) or stale or "sync" not in status
        try:
            if requested == "hard":
                self._sources.forget()
            source = app["spec"]["source"]
            revision = status.get("sync", {}).get("revision")
            if full or not revision:
                revision = self._sources.resolve(source["repoURL"], source.get("targetRevision") or "HEAD")
                self._compared[name] = time.monotonic()
            targets = self._targets(app, source, revision)
            found = comparison.compare(app, targets=targets, live=self.live(app), revision=revision)
        except (SourceError, KubernetesError) as error:
            self._comparison_failed(name, str(error), requests=requests)
            return False
        self._publish(name, found, full=full, requests=requests)
        return bool(found["health"]["status"] == "Progressing")

    def _targets(self, app: App, source: dict[str, Any], revision: str) -> tracking.Targets:
        return tracking.targets(app, self._sources.manifests(source, revision), self._clusters.of(app))

    def _publish(self, name: str, found: dict[str, Any], *, full: bool, requests: int) -> None:
        def change(app: App) -> None:
            status = app.setdefault("status", {})
            before = {part: status.get(part) for part in found}
            if full or _without_times(before) != found:
                moved = (before["health"] or {}).get("status") != found["health"]["status"]
                since = now() if moved else before["health"].get("lastTransitionTime", now())
                status.update(found, reconciledAt=now(), controllerNamespace="argocd", resourceHealthSource="appTree")
                status["health"] = {**found["health"], "lastTransitionTime": since}
                status.pop("conditions", None)
            self._answer(app, requests)

        self._store.update(name, change)

    def _comparison_failed(self, name: str, message: str, *, requests: int) -> None:
        def change(app: App) -> None:
            status = app.setdefault("status", {})
            conditions = status.get("conditions") or []
            if [condition["message"] for condition in conditions] != [message]:
                condition = {"type": "ComparisonError", "message": message, "lastTransitionTime": now()}
                status.update(conditions=[condition], reconciledAt=now())
                source, destination = app["spec"]["source"], app["spec"]["destination"]
                status["sync"] = {"status": "Unknown", "comparedTo": {"source": source, "destination": destination}}
                status.setdefault("health", {"status": "Unknown"})
            self._answer(app, requests)

        self._store.update(name, change)

    def _answer(self, app: App, requests: int) -> None:
        """Tell those who wait for a refresh, unless one more was asked for since this round began."""
        name, annotations = app["metadata"]["name"], app["metadata"].get("annotations", {})
        if REFRESH in annotations and self._requests[name] == requests:
            del annotations[REFRESH]
            if not annotations:
                del app["metadata"]["annotations"]

    def _delete(self, app: App) -> None:
        """Delete what the application owns; when all is gone, the application goes too."""
        owned = tracking.owned(app["metadata"]["name"], self.live(app))
        for found in owned.values():
            if "deletionTimestamp" not in found["metadata"]:
                self._clusters.of(app).delete(found)
        if not owned:
            self._store.delete(app["metadata"]["name"])


def _without_times(parts: dict[str, Any]) -> dict[str, Any]:
    health = {name: value for name, value in (parts["health"] or {}).items() if name != "lastTransitionTime"}
    return {**parts, "health": health}
