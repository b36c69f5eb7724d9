"""Watch the Dags of a use case as a person does in the UI, and answer what they ask."""

import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from include.foundation.spec import UseCase
from sandbox.airflow.api import DONE, AirflowApi
from sandbox.airflow.config import USER
from sandbox.demo.show import Show

BUSY = {"queued", "scheduled", "running", "deferred"}
STAGES = ("ingest", "features", "score", "train", "promote")
QUIET_SECONDS = 8  # the scheduler needs a moment to start the next Dag after an asset changed
Runs = dict[str, list[dict[str, Any]]]  # by stage, oldest first


class Watch:
    """The runs of a use case's Dags."""

    def __init__(self, api: AirflowApi, spec: UseCase, show: Show) -> None:
        self.api, self.spec, self.show = api, spec, show

    def settle(self, since: datetime, stages: Sequence[str] = STAGES, *, timeout: float = 1200) -> Runs:
        """Watch until no run that began after `since` is unfinished and no new one appears; answers approvals.

        Raises:
            TimeoutError: it takes too long.
        """
        deadline, quiet_since = time.monotonic() + timeout, time.monotonic()
        count = -1
        while time.monotonic() < deadline:
            runs = {stage: self.runs(stage, since) for stage in stages}
            self.show.still(list(dict.fromkeys(self._look(runs))))
            total = sum(map(len, runs.values()))
            if total != count or any(run["state"] not in DONE for found in runs.values() for run in found):
                count, quiet_since = total, time.monotonic()
            elif time.monotonic() - quiet_since > QUIET_SECONDS:
                return runs
            time.sleep(2)
        raise TimeoutError(f"the Dags are still busy after {timeout:.0f} s; look at {self.api.url}")

    def runs(self, stage: str, since: datetime) -> list[dict[str, Any]]:
        """The runs of a stage's Dag that were queued since then, oldest first."""
        found = self.api.runs(f"{self.spec.name}.{stage}")
        return [run for run in reversed(found) if datetime.fromisoformat(run["queued_at"]) >= since]

    def xcom(self, stage: str, run: dict[str, Any], task_id: str) -> Any:
        """What a task of a run returned; None if it returned nothing."""
        return self.api.xcom(f"{self.spec.name}.{stage}", run["dag_run_id"], task_id)

    def what(self, stage: str, run: dict[str, Any]) -> str:
        """What a run did, for people."""
        if stage == "ingest":
            return "; ".join(
                f"{name} {rows['silver']:,} in silver, {rows['quarantined']} in quarantine"
                for name, rows in (self.xcom(stage, run, "reconcile") or {}).items()
            )
        if stage == "features":
            rows = (self.xcom(stage, run, "build") or {}).get("rows")
            return f"{rows:,} rows in gold" if rows else "gold was up to date"
        if stage == "score":
            scored = self.xcom(stage, run, "score")
            return f"{scored['rows']:,} answers of version {scored['version']}" if scored else "nothing to score"
        if stage == "train":
            version = self.xcom(stage, run, "register")
            return f"version {version}" if version else "not due by the policy"
        if stage == "promote":
            promoted = self.xcom(stage, run, "set_champion")
            return f"champion is version {promoted['champion']}" if promoted else "not promoted"
        return ""

    def _look(self, runs: Runs) -> list[str]:
        """Show what has ended, answer what is asked; returns what is busy."""
        busy = []
        for stage, found in runs.items():
            dag_id = f"{self.spec.name}.{stage}"
            for run in found:
                if run["state"] == "queued":
                    continue
                for task in self.api.tasks(dag_id, run["dag_run_id"]):
                    self.show.task(dag_id, run, task)
                    if task["state"] in BUSY:
                        busy.append(f"{stage} {task['task_id']}")
                    if task["task_id"] == "approve" and task["state"] == "awaiting_input":
                        self.show.say(
                            f"answering the approval as {USER}, through the API: a person would do it in the UI"
                        )
                        self.api.approve(dag_id, run["dag_run_id"], "approve")
        return busy


def failures(runs: Runs) -> list[str]:
    """Stage and id of each run that failed."""
    return [
        f"{stage} {run['dag_run_id']}" for stage, found in runs.items() for run in found if run["state"] == "failed"
    ]
