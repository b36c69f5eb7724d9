"""Jobs run pods until enough of them have succeeded (completionMode NonIndexed)."""

import time

from sandbox.cluster import timestamps
from sandbox.cluster.conditions import condition, with_condition
from sandbox.cluster.controller import Controller
from sandbox.cluster.events import Recorder
from sandbox.cluster.registry import TERMINAL, Registry
from sandbox.cluster.replicasets import pod_of, wake_owner
from sandbox.cluster.status import Object
from sandbox.cluster.store import Change

# Shorter than the real controller's 10 s to 360 s: people wait in front of a sandbox.
_BACKOFF_SECONDS = (1.0, 60.0)


def _ended(pod: Object) -> float:
    states = [status["state"].get("terminated") for status in pod["status"].get("containerStatuses") or ()]
    return max((timestamps.parse(state["finishedAt"]) for state in states if state), default=time.time())


class Jobs(Controller):
    """The Job controller. Its counts never fall, but pods deleted by hand before they are counted are run again."""

    def __init__(self, registry: Registry, recorder: Recorder) -> None:
        super().__init__()
        self._registry = registry
        self._recorder = recorder

    def observe(self, change: Change) -> None:
        """Wake a changed Job, or the owner of a changed pod."""
        if change.resource == "jobs":
            self.wake(change.item["metadata"]["namespace"], change.item["metadata"]["name"])
        elif change.resource == "pods":
            wake_owner(self, change, "Job")

    def reconcile(self, namespace: str, name: str) -> None:
        """Count pods, then finish the Job or start what is missing."""
        job = self._registry.store.find("jobs", namespace, name)
        if job is None or "deletionTimestamp" in job["metadata"]:
            return
        status = job.get("status") or {}
        conditions = status.get("conditions") or []
        if any(condition(conditions, kind) for kind in ("Complete", "Failed")):
            self._expire(job)
            return
        if job["spec"]["suspend"]:
            self._suspend(job, conditions)
            return
        pods = self._registry.owned("pods", job)
        active = [
            pod for pod in pods if pod["status"]["phase"] not in TERMINAL and "deletionTimestamp" not in pod["metadata"]
        ]
        failures = [pod for pod in pods if pod["status"]["phase"] == "Failed"]
        succeeded = max(status.get("succeeded", 0), sum(pod["status"]["phase"] == "Succeeded" for pod in pods))
        failed = max(status.get("failed", 0), len(failures))
        started = status.get("startTime") or timestamps.now()
        conditions = [entry for entry in conditions if entry["type"] != "Suspended"]
        counts = {"succeeded": succeeded or None, "failed": failed or None, "startTime": started}
        verdict = self._verdict(job, started, succeeded=succeeded, failed=failed, active=active)
        if verdict is not None:
            self._finish(job, active, conditions, verdict, counts)
            return
        if active or not failures:
            delay = 0.0
        else:
            pause = min(_BACKOFF_SECONDS[0] * 2 ** (failed - 1), _BACKOFF_SECONDS[1])
            delay = max(map(_ended, failures)) + pause - time.time()
        if delay > 0:
            self.wake(namespace, name, after=delay)
        else:
            active += self._start(job, succeeded=succeeded, active=len(active))
        deadline = job["spec"].get("activeDeadlineSeconds")
        if deadline is not None:
            self.wake(namespace, name, after=max(0.1, timestamps.parse(started) + deadline - time.time()))
        ready = sum(bool(pod["status"].get("phase") == "Running") for pod in active)
        self._registry.set_status(
            "jobs", job, **counts, active=len(active) or None, ready=ready, conditions=conditions or None
        )

    def _verdict(
        self, job: Object, started: str, *, succeeded: int, failed: int, active: list[Object]
    ) -> tuple[str, str, str] | None:
        """Type, reason and message of the final condition, or None while the Job goes on."""
        spec = job["spec"]
        completions = spec.get("completions")
        if completions is None:
            if succeeded and not active:
                return "Complete", "CompletionsReached", "Reached expected number of succeeded pods"
        elif succeeded >= completions:
            return "Complete", "CompletionsReached", "Reached expected number of succeeded pods"
        restarts = sum(
            entry["restartCount"] for pod in active for entry in pod["status"].get("containerStatuses") or ()
        )
        if failed > spec["backoffLimit"] or restarts > spec["backoffLimit"]:
            return "Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit"
        deadline = spec.get("activeDeadlineSeconds")
        if deadline is not None and time.time() >= timestamps.parse(started) + deadline:
            return "Failed", "DeadlineExceeded", "Job was active longer than specified deadline"
        return None

    def _start(self, job: Object, *, succeeded: int, active: int) -> list[Object]:
        spec = job["spec"]
        room = spec["parallelism"] - active
        if spec.get("completions") is not None:
            room = min(room, spec["completions"] - succeeded - active)
        elif succeeded:
            room = 0
        created = []
        for _ in range(room):
            pod = self._registry.create("pods", job["metadata"]["namespace"], pod_of(job, "Job"))
            self._record(job, "SuccessfulCreate", f"Created pod: {pod['metadata']['name']}")
            created.append(pod)
        return created

    def _finish(
        self,
        job: Object,
        active: list[Object],
        conditions: list[Object],
        verdict: tuple[str, str, str],
        counts: Object,
    ) -> None:
        kind, reason, message = verdict
        for pod in active:
            self._registry.delete("pods", pod["metadata"]["namespace"], pod["metadata"]["name"])
        done = timestamps.now() if kind == "Complete" else None
        self._registry.set_status(
            "jobs",
            job,
            **counts,
            active=None,
            ready=0,
            completionTime=done,
            conditions=with_condition(conditions, kind, True, reason, message),
        )
        self._record(job, "Completed" if done else reason, "Job completed" if done else message, warning=not done)

    def _suspend(self, job: Object, conditions: list[Object]) -> None:
        for pod in self._registry.owned("pods", job):
            if pod["status"]["phase"] not in TERMINAL and "deletionTimestamp" not in pod["metadata"]:
                self._registry.delete("pods", pod["metadata"]["namespace"], pod["metadata"]["name"])
        conditions = with_condition(conditions, "Suspended", True, "JobSuspended", "Job suspended")
        self._registry.set_status("jobs", job, active=None, startTime=None, conditions=conditions)

    def _expire(self, job: Object) -> None:
        seconds = job["spec"].get("ttlSecondsAfterFinished")
        if seconds is None:
            return
        metadata = job["metadata"]
        last = max(entry["lastTransitionTime"] for entry in job["status"]["conditions"])
        left = timestamps.parse(last) + seconds - time.time()
        if left > 0:
            self.wake(metadata["namespace"], metadata["name"], after=left)
        else:
            self._registry.delete("jobs", metadata["namespace"], metadata["name"])

    def _record(self, job: Object, reason: str, message: str, *, warning: bool = False) -> None:
        self._recorder.record(job, reason, message, component="job-controller", warning=warning)
