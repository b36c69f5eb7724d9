"""The promotion that runs now, by Airflow: which step of which stage it is at, and its page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from include.foundation.echo import cut

if TYPE_CHECKING:
    from flightline.ui.access import Visitor

OVER = {"success", "failed"}
AT_WORK = {"queued", "running", "deferred", "awaiting_input", "up_for_retry", "up_for_reschedule"}


@dataclass(frozen=True, kw_only=True)
class Promotion:
    """One that is not over.

    Attributes:
        at: what it is doing: tasks with their states, those of a rollout by stage and step.
        page: the run in Airflow.
    """

    at: str
    page: str


def running(visitor: Visitor, use_case: str) -> Promotion | None:
    """The newest promotion, None if it is over or there never was one.

    Raises:
        AirflowAsked: Airflow does not say.
    """
    dag = f"{use_case}.promote"
    runs = visitor.airflow.get(f"/dags/{dag}/dagRuns", limit=1, order_by="-run_after")["dag_runs"]
    if not runs or runs[0]["state"] in OVER:
        return None
    run_id = quote(runs[0]["dag_run_id"], safe="")
    tasks = visitor.airflow.get(f"/dags/{dag}/dagRuns/{run_id}/taskInstances", limit=100)["task_instances"]
    at = [_words(task) for task in tasks if task["state"] in AT_WORK]
    return Promotion(at=cut("; ".join(at), 300) or "between two tasks", page=f"dags/{dag}/runs/{run_id}")


def _words(task: dict[str, Any]) -> str:
    """`rollout.production.canary_10.observe` is `production, canary_10: observe`."""
    *group, name = str(task["task_id"]).removeprefix("rollout.").split(".")
    where = f"{', '.join(group)}: " if group else ""
    return f"{where}{name.replace('_', ' ')} ({str(task['state']).replace('_', ' ')})"
