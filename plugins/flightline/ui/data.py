"""Data: every table, and the page of one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse

from flightline.ui import chart, lookups, render
from flightline.ui.access import Looking, Visitor
from include.catalog import lineage, sample, state
from include.catalog.entries import LAYERS, search
from include.foundation.errors import MissingInput
from include.foundation.spec import load

if TYPE_CHECKING:
    from markupsafe import Markup

    from include.catalog.browse import Listed
    from include.catalog.entries import Entry
    from include.foundation.spec import UseCase

router = APIRouter(prefix="/data")
ROWS = 20
SNAPSHOTS = 50  # shown as rows; charts show all
PARTITIONS = 60
Text = Annotated[str, Query(max_length=200)]


@router.get("")
def tables(visitor: Looking, q: Text = "") -> HTMLResponse:
    """All tables, or those that a search finds."""
    return render.page("data.html", visitor, q=q, tables=_found(visitor, q))


@router.get("/found")
def found(visitor: Looking, q: Text = "") -> HTMLResponse:
    """The list alone, as one types."""
    return render.page("tables.html", visitor, q=q, tables=_found(visitor, q))


@router.get("/{identifier}")
def table(visitor: Looking, identifier: str) -> HTMLResponse:
    """One table."""
    listed = _listed(visitor, identifier)
    entry, spec = listed.entry, load(listed.entry.use_case) if listed.entry.use_case else None
    snapshots, days = _history(identifier) if listed.state else ([], [])
    every = lineage.edges(visitor.specs(), {spec.name: lookups.columns(spec.name)} if spec else None)
    return render.page(
        "table.html",
        visitor,
        listed=listed,
        entry=entry,
        layer=LAYERS.get(entry.layer, ""),
        fresh=_fresh(listed, spec),
        spec=spec,
        snapshots=snapshots[::-1][:SNAPSHOTS],
        many=len(snapshots),
        days=days[:PARTITIONS],
        many_days=len(days),
        charts=_charts(snapshots),
        made_of={} if entry.layer == "silver" else lineage.made_of(every, identifier),
        above=lineage.above(every, identifier),
        below=lineage.below(every, identifier),
        far=lineage.closure(every, identifier, up=True),
        readers=lineage.readers(visitor.specs(), every, identifier),
    )


@router.get("/{identifier}/sample")
def rows(visitor: Looking, identifier: str) -> HTMLResponse:
    """A few rows."""
    entry = _listed(visitor, identifier).entry
    hidden = _hidden(visitor, entry)
    names, values = sample.newest(lookups.lake(), identifier, rows=ROWS, hidden=hidden)
    return render.page("sample.html", visitor, names=names, values=values, hidden=hidden)


@router.get("/{identifier}/failed")
def failed(visitor: Looking, identifier: str) -> HTMLResponse:
    """Reasons and rows of a quarantine."""
    entry = _listed(visitor, identifier).entry
    if entry.layer != "quarantine":
        raise MissingInput(f"{entry.identifier} is no quarantine")
    hidden = _hidden(visitor, entry)
    reasons, (names, values) = sample.quarantined(lookups.lake(), identifier, rows=ROWS, hidden=hidden)
    return render.page("failed.html", visitor, reasons=reasons, names=names, values=values, hidden=hidden)


def _found(visitor: Visitor, q: str) -> list[Listed]:
    specs = visitor.specs()
    seen = [each for each in lookups.catalog().tables() if visitor.sees(each.entry, specs)]
    if not q.strip():
        return seen
    by_name = {each.entry.identifier: each for each in seen}
    return [by_name[entry.identifier] for entry in search((each.entry for each in seen), q)]


def _listed(visitor: Visitor, identifier: str) -> Listed:
    """The table. One that he may not see is as if it were not there."""
    listed = lookups.catalog().one(identifier)
    if not visitor.sees(listed.entry, visitor.specs()):
        raise MissingInput(f"there is no table {identifier[:80]!r}: Data lists those that there are")
    return listed


def _hidden(visitor: Visitor, entry: Entry) -> frozenset[str]:
    """Columns to mask. Tables made of others have their columns' names, so a name that is sensitive once is always."""
    if visitor.sees_all:
        return frozenset()
    sensitive = {
        name
        for each in lookups.catalog().tables()
        if each.entry.use_case == entry.use_case
        for name in each.entry.sensitive
    }
    return frozenset(sensitive) | ({"record", "features", "message_value"} if sensitive else frozenset())


def _history(identifier: str) -> tuple[list[state.Snapshot], list[tuple[object, int, int, int]]]:
    from include.foundation.errors import InvalidInput
    from include.foundation.lake import tables

    found = tables.load(lookups.lake(), identifier)
    try:
        days = state.partitions(found)
    except InvalidInput:  # another program laid it out otherwise: there are no days to show
        days = []
    return state.history(found), list(days)


def _fresh(listed: Listed, spec: UseCase | None) -> tuple[str, str]:
    if spec is None or listed.entry.layer not in {"bronze", "silver", "gold"}:
        return "", ""
    source = next((each for each in spec.sources if each.name == listed.entry.source), None)
    if listed.entry.source and (source is None or source.every == "snapshot"):
        return "", ""
    newest = listed.state.newest if listed.state else None
    return state.freshness(newest, state.due(spec, datetime.now(UTC).date()))


def _charts(snapshots: list[state.Snapshot]) -> list[Markup]:
    def over(value: Callable[[state.Snapshot], float | None]) -> list[tuple[float, float]]:
        found: Iterable[tuple[float, float | None]] = ((each.at.timestamp(), value(each)) for each in snapshots)
        return [(at, number) for at, number in found if number is not None]

    drawn = [
        chart.line("Rows", {"rows": over(lambda each: each.rows)}, times=True),
        chart.line("Megabytes", {"MB": over(lambda each: each.bytes / 1e6)}, times=True),
    ]
    judged = over(
        lambda each: (
            100 * each.quality.quarantined / each.quality.landed if each.quality and each.quality.landed else None
        )
    )
    return [*drawn, chart.line("Quarantined, percent of what landed", {"%": judged}, times=True)] if judged else drawn


def readable(visitor: Visitor) -> list[str]:
    """Tables that a visitor may query: those that he may see and that hold nothing masked for him."""
    specs = visitor.specs()
    return [
        each.entry.identifier
        for each in lookups.catalog().tables()
        if each.state and visitor.sees(each.entry, specs) and not _hidden(visitor, each.entry)
    ]
