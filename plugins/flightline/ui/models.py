"""Models: the versions of a use case, one of them, two beside each other; and the buttons that start Dags."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Form, HTTPException, Path, Query
from fastapi.responses import HTMLResponse

from flightline.exceptions import AirflowAsked
from flightline.ui import chart, lookups, promotion, render
from flightline.ui.access import Looking, Posting, Visitor
from include.catalog.versions import pick
from include.foundation.echo import cause
from include.foundation.errors import FlightlineError, InvalidInput, MissingInput

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from include.catalog.versions import Evidence, Version
    from include.foundation.spec import UseCase

router = APIRouter(prefix="/models")
Number = Annotated[str, Path(pattern=r"^[0-9]{1,9}$")]
Asked = Annotated[str, Query(pattern=r"^[0-9]{1,9}$")]
FEATURES = 20


@router.get("")
def all_models(visitor: Looking) -> HTMLResponse:
    """The use cases."""
    return render.page("models.html", visitor, specs=visitor.specs())


@router.get("/{use_case}")
def use_case(visitor: Looking, use_case: str) -> HTMLResponse:
    """All versions of one."""
    spec = visitor.spec(use_case)
    every = lookups.versions(use_case)
    champion = next((version for version in every if version.champion), None)
    running, unknown = None, ""
    try:
        running = promotion.running(visitor, use_case)
    except (AirflowAsked, HTTPException) as error:
        unknown = f"whether a promotion runs is not known: {getattr(error, 'detail', error)}"
    return render.page(
        "model.html",
        visitor,
        spec=spec,
        versions=every,
        champion=champion,
        metrics=sorted({name for version in every for name in version.metrics}),
        deployed=lookups.deployed(use_case),
        promotion=running,
        unknown=unknown,
        monitored=_monitored(spec, every),
        links=_links(spec, None),
        starts={each: visitor.may_start(f"{use_case}.{each}") for each in ("train", "promote")},
    )


@router.get("/{use_case}/compare")
def compare(visitor: Looking, use_case: str, a: Asked, b: Asked) -> HTMLResponse:
    """Two versions beside each other."""
    spec = visitor.spec(use_case)
    every = lookups.versions(use_case)
    two = [pick(every, number, use_case) for number in (a, b)]
    left = [lookups.evidence(version) for version in two]
    return render.page(
        "compare.html",
        visitor,
        spec=spec,
        two=two,
        metrics=_side_by_side([dict(version.metrics) for version in two]),
        importance=_side_by_side([dict(each.importance) for each in left])[:FEATURES],
        parameters=[row for row in _side_by_side([_parameters(version) for version in two]) if row[1] != row[2]],
        curves=_curves_of_two(two, left),
        gates=[each.gates for each in left],
    )


@router.get("/{use_case}/{number}")
def version(visitor: Looking, use_case: str, number: Number) -> HTMLResponse:
    """One version."""
    spec = visitor.spec(use_case)
    every = lookups.versions(use_case)
    chosen = pick(every, number, use_case)
    left = lookups.evidence(chosen)
    shares = sorted(left.importance.items(), key=lambda item: -item[1])[:FEATURES]
    champion = next((each for each in every if each.champion), None)
    deployed = lookups.deployed(use_case)
    return render.page(
        "version.html",
        visitor,
        spec=spec,
        version=chosen,
        champion=champion,
        evidence=left,
        slices=[gate for gate in left.gates if gate.name.startswith("slice")],
        gates=[gate for gate in left.gates if not gate.name.startswith("slice")],
        curves=[_curve(each) for each in left.curves if "series" in each],
        tables=[each for each in left.curves if "rows" in each],
        importance=shares,
        most=max((share for _, share in shares), default=1.0) or 1.0,
        serves=[each.stage for each in deployed.served if each.version == number],
        fault=deployed.fault,
        links=_links(spec, chosen),
        may_promote=visitor.may_start(f"{use_case}.promote"),
    )


@router.post("/{use_case}/train")
def train(visitor: Posting, use_case: str, sure: Annotated[bool, Form()] = False) -> HTMLResponse:
    """Start a training run, by Airflow's API and the visitor's own rights."""
    spec = visitor.spec(use_case)
    return _started(visitor, f"{spec.name}.train", {}, sure=sure)


@router.post("/{use_case}/{number}/promote")
def promote(visitor: Posting, use_case: str, number: Number, sure: Annotated[bool, Form()] = False) -> HTMLResponse:
    """Start the promotion of a version; of an older one it is the way back. A person still has to approve."""
    spec = visitor.spec(use_case)
    chosen = pick(lookups.versions(use_case), number, use_case)
    if chosen.gate != "passed":
        raise InvalidInput(f"version {number} has not passed its gates (gate: {chosen.gate or 'none'})")
    return _started(visitor, f"{spec.name}.promote", {"version": number}, sure=sure)


def _started(visitor: Visitor, dag_id: str, conf: Mapping[str, Any], *, sure: bool) -> HTMLResponse:
    if not sure:
        raise InvalidInput(f"tick the box first: it starts {dag_id}")
    if not visitor.may_start(dag_id):
        raise HTTPException(403, f"you may not start {dag_id}: your role in Airflow does not let you")
    run_id = visitor.airflow.start(dag_id, conf)
    return render.page("started.html", visitor, dag_id=dag_id, run_id=run_id)


def _links(spec: UseCase, version: Version | None) -> list[tuple[str, str]]:
    """Words and URLs of the pages elsewhere, of the systems that there are Connections of."""
    found = []
    if url := lookups.outside("mlflow"):
        found.append(("MLflow", f"{url}/#/models/{spec.name}" + (f"/versions/{version.number}" if version else "")))
    if url := lookups.outside("argocd"):
        last = spec.promotion.stages[-1].name
        found.append(("Argo CD", f"{url}/applications/argocd/{spec.application(last)}"))
    if url := lookups.outside("grafana"):
        found.append(("Grafana", f"{url}/d/{spec.dashboard}"))
    return found


def _monitored(spec: UseCase, every: Sequence[Version]) -> list[object]:
    """Performance and drift over time, with the moments at which versions were made and became champion."""
    import polars as pl

    from include.foundation.lake import tables

    try:
        frame = tables.read(lookups.lake(), spec.monitoring_table).sort("event_date")
    except MissingInput:
        return []
    except FlightlineError as error:
        return [cause(error)]

    def at(day: Any) -> float:
        return (datetime.combine(day, datetime.min.time(), UTC) + timedelta(days=1)).timestamp()

    marks = [
        chart.Mark(x=at(version.manifest.window.end), label=f"trained: version {version.number}")
        for version in every
        if version.manifest
    ]
    marks += [
        chart.Mark(x=version.since.timestamp(), label=f"champion: version {version.number}")
        for version in every
        if version.since
    ]
    drawn = []
    for title, series in (
        (f"{spec.metric.name} on matured labels", {"of the window": "value", "ordinary": "ordinary_value"}),
        ("Distance of the answers from the holdout's", {"of the window": "answers_distance", "limit": "answers_limit"}),
        ("Features that drifted", {"features": pl.col("drifted").list.len()}),
        ("Features of answers that differ from gold's", {"features": pl.col("skewed").list.len()}),
    ):
        found = frame.select("event_date", **series)
        points = {
            name: [
                (at(day), float(value))
                for day, value in found.select("event_date", name).iter_rows()
                if value is not None
            ]
            for name in series
        }
        if any(points.values()):
            drawn.append(chart.line(title, points, times=True, marks=marks))
    return list(drawn)


def _curve(said: Mapping[str, Any]) -> object:
    title = f"{said.get('title', '')} {said.get('note') or ''}".strip()
    return chart.line(
        f"{title}: {said.get('y', '')} over {said.get('x', '')}",
        {str(name): [(float(x), float(y)) for x, y in points] for name, points in said["series"].items()},
        points=not said.get("lines", True),
        diagonal=bool(said.get("diagonal")),
        x_range=tuple(said["x_range"]) if said.get("x_range") else None,
        y_range=tuple(said["y_range"]) if said.get("y_range") else None,
    )


def _curves_of_two(two: Sequence[Version], left: Sequence[Evidence]) -> list[object]:
    """The curves that both have, in one drawing."""
    first, second = ({each["title"]: each for each in one.curves if "series" in each} for one in left)
    drawn = []
    for title, said in first.items():
        if title not in second:
            continue
        series = {
            f"version {version.number} {name}".strip(): points
            for version, each in zip(two, (said, second[title]), strict=True)
            for name, points in each["series"].items()
        }
        drawn.append(_curve({**said, "note": "", "series": series}))
    return drawn


def _parameters(version: Version) -> dict[str, Any]:
    if version.manifest is None:
        return {}
    manifest = version.manifest
    return {
        **manifest.parameters,
        "window": f"{manifest.window.start} to {manifest.window.end}",
        **({"sample": manifest.sample.words} if manifest.sample else {}),
        "seed": manifest.seed,
        "commit": manifest.commit[:12],
        "trained by": manifest.image,
        **{f"snapshot of {table}": snapshot for table, snapshot in manifest.snapshots.items()},
    }


def _side_by_side(both: Sequence[Mapping[str, Any]]) -> list[tuple[str, Any, Any]]:
    names = [*both[0], *(name for name in both[1] if name not in both[0])]
    return [(name, both[0].get(name), both[1].get(name)) for name in names]
