"""Home: the loop of each use case, live: where the newest data is, what runs, waits or failed, what serves and why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, HTTPException
from fastapi.responses import HTMLResponse

from flightline.exceptions import AirflowAsked
from flightline.ui import lookups, render
from flightline.ui.access import STAGES, Looking, Visitor
from include.catalog import state
from include.foundation.echo import cut
from include.foundation.errors import FlightlineError

if TYPE_CHECKING:
    from include.catalog.versions import Version
    from include.foundation.spec import UseCase

router = APIRouter()
WORDS = {
    "ingest": "data into the lake",
    "features": "features and labels",
    "train": "train and judge",
    "promote": "approve and roll out",
    "score": "batch answers",
    "monitor": "watch and compare",
}


@dataclass(frozen=True, kw_only=True)
class Step:
    """One Dag of the loop, by its newest run.

    Attributes:
        stage: its name.
        words: what it does.
        state: of the newest run; empty where there was none.
        at: when that run began or was to begin.
        note: what it said, the first line.
        page: the run in Airflow, or the Dag.
    """

    stage: str
    words: str
    state: str
    at: datetime | None
    note: str
    page: str


@dataclass(frozen=True, kw_only=True)
class Loop:
    """One use case.

    Attributes:
        spec: of it.
        steps: in order.
        waiting: links to questions that wait for a person: text and page.
        data: verdict and sentence of how fresh its silver is.
        champion: the version that serves; None where none does (or `fault` says why that is not known).
        deployed: what Git says of the stages.
        fault: what could not be read, in words.
    """

    spec: UseCase
    steps: tuple[Step, ...]
    waiting: tuple[tuple[str, str], ...]
    data: tuple[str, str]
    champion: Version | None
    gates: tuple[int, int] | None
    deployed: lookups.Deployed
    fault: str


@router.get("/")
def home(visitor: Looking) -> HTMLResponse:
    """All use cases."""
    return render.page("home.html", visitor, loops=_loops(visitor), now=datetime.now(UTC))


@router.get("/loops")
def loops(visitor: Looking) -> HTMLResponse:
    """The part of the page that changes."""
    return render.page("loops.html", visitor, loops=_loops(visitor), now=datetime.now(UTC))


def _loops(visitor: Visitor) -> list[Loop]:
    return [_loop(visitor, spec) for spec in visitor.specs()]


def _loop(visitor: Visitor, spec: UseCase) -> Loop:
    faults = []
    steps, waiting = tuple[Step, ...](), tuple[tuple[str, str], ...]()
    try:
        steps, waiting = _airflow(visitor, spec)
    except (AirflowAsked, HTTPException) as error:  # the second: he may see some Dags of it only
        faults.append(str(getattr(error, "detail", error)))
    champion, gates = None, None
    try:
        champion = next((version for version in lookups.versions(spec.name) if version.champion), None)
        if champion:
            found = lookups.evidence(champion).gates
            gates = (sum(gate.passed for gate in found), len(found)) if found else None
    except FlightlineError as error:
        faults.append(str(error))
    try:
        fresh = _fresh(spec)
    except FlightlineError as error:
        fresh = ("unknown", str(error))
    deployed = lookups.deployed(spec.name)
    faults += [deployed.fault] if deployed.fault else []
    return Loop(
        spec=spec,
        steps=steps,
        waiting=waiting,
        data=fresh,
        champion=champion,
        gates=gates,
        deployed=deployed,
        fault="; ".join(cut(each, 300) for each in faults),
    )


def _fresh(spec: UseCase) -> tuple[str, str]:
    """Of the daily silver table that is furthest behind."""
    daily = {spec.table("silver", source.name) for source in spec.sources if source.every != "snapshot"}
    listed = [each for each in lookups.catalog().tables() if each.entry.identifier in daily]
    days = [each.state.newest if each.state else None for each in listed]
    newest = None if None in days else min((day for day in days if day), default=None)
    return state.freshness(newest, state.due(spec, datetime.now(UTC).date()))


def _airflow(visitor: Visitor, spec: UseCase) -> tuple[tuple[Step, ...], tuple[tuple[str, str], ...]]:
    dags = [f"{spec.name}.{stage}" for stage in STAGES]
    newest = {"limit": 1, "order_by": "-run_after"}
    asked: list[tuple[str, dict[str, Any]]] = [(f"/dags/{dag}/dagRuns", newest) for dag in dags]
    open_questions = (f"/dags/{spec.name}.promote/dagRuns/~/hitlDetails", {"response_received": "false", "limit": 10})
    *runs, questions = visitor.airflow.get_all([*asked, open_questions])
    steps = tuple(_step(stage, found["dag_runs"]) for stage, found in zip(dags, runs, strict=True))
    waiting = tuple(_question(each) for each in questions["hitl_details"])
    return steps, waiting


def _step(dag: str, runs: list[dict[str, Any]]) -> Step:
    stage = dag.rpartition(".")[2]
    if not runs:
        return Step(stage=stage, words=WORDS[stage], state="", at=None, note="has not run yet", page=f"dags/{dag}")
    run = runs[0]
    note = cut(str(run.get("note") or "").replace("**", "").strip().partition("\n")[0], 200)
    began = run.get("start_date") or run.get("run_after")
    return Step(
        stage=stage,
        words=WORDS[stage],
        state=str(run["state"]),
        at=datetime.fromisoformat(began) if began else None,
        note=note,
        page=f"dags/{dag}/runs/{run['dag_run_id']}",
    )


def _question(found: dict[str, Any]) -> tuple[str, str]:
    task = found["task_instance"]
    page = f"dags/{task['dag_id']}/runs/{task['dag_run_id']}/tasks/{task['task_id']}/required_actions"
    return cut(str(found.get("subject") or "An approval"), 200), page
