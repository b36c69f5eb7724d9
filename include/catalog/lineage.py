"""Where tables come from and go to: by the specs; columns by contracts, and by what features were seen to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from include.catalog.contracts import columns_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from include.foundation.spec import UseCase
    from include.stages.features.columns import Columns


@dataclass(frozen=True, kw_only=True)
class Edge:
    """Something is made of something.

    Attributes:
        above: what it is made of: a table, `landing/…`, `topic:…`.
        below: what is made: a table or `model:…`.
        by: the Dag that makes it.
        columns: of `below` -> of `above`; empty where code decides.
    """

    above: str
    below: str
    by: str
    columns: tuple[tuple[str, str], ...] = ()


def edges(specs: Sequence[UseCase], columns: Mapping[str, Columns] | None = None) -> list[Edge]:
    """All edges that the specs make.

    Args:
        specs: of the use cases.
        columns: use case -> of which columns of silver its gold is made, where that is known (`features.columns`).
    """
    return [edge for spec in specs for edge in _of(spec, (columns or {}).get(spec.name, {}))]


def made_of(every: Iterable[Edge], name: str) -> dict[str, list[str]]:
    """Columns of a table -> the `table.column` that they are made of, where that is known."""
    found: dict[str, list[str]] = {}
    for edge in above(every, name):
        for here, there in edge.columns:
            found.setdefault(here, []).append(f"{edge.above}.{there}")
    return found


def above(every: Iterable[Edge], name: str) -> list[Edge]:
    """What a table is made of, directly."""
    return [edge for edge in every if edge.below == name]


def below(every: Iterable[Edge], name: str) -> list[Edge]:
    """What is made of a table, directly."""
    return [edge for edge in every if edge.above == name]


def closure(every: Sequence[Edge], name: str, *, up: bool) -> list[str]:
    """Everything that a table is made of (`up`), or that is made of it, near ones first."""
    found, queue = list[str](), [name]
    while queue:
        one = queue.pop(0)
        for edge in above(every, one) if up else below(every, one):
            other = edge.above if up else edge.below
            if other not in found and other != name:
                found.append(other)
                queue.append(other)
    return found


def readers(specs: Sequence[UseCase], every: Sequence[Edge], name: str) -> list[str]:
    """Use cases whose model comes, in the end, from a table."""
    reached = set(closure(every, name, up=False))
    return [spec.name for spec in specs if f"model:{spec.name}" in reached]


def _of(spec: UseCase, made: Columns) -> list[Edge]:
    found: list[Edge] = []
    features, predictions, monitor = (f"{spec.name}.{dag}" for dag in ("features", "predictions", "monitor"))
    for source in spec.ingested:
        ingest = f"{spec.name}.ingest" if source in spec.sources else predictions
        _, columns = columns_of(spec, source)
        bronze, silver, quarantine = (spec.table(layer, source.name) for layer in ("bronze", "silver", "quarantine"))
        outside = f"topic:{source.topic}" if source.kind == "topic" else f"landing/{spec.name}/{source.name}"
        landed = tuple((column.landed, column.landed) for column in columns if column.landed)
        typed = tuple((column.name, column.landed) for column in columns if column.landed)
        found += [
            Edge(above=outside, below=bronze, by=ingest, columns=landed),
            Edge(above=bronze, below=quarantine, by=ingest, columns=landed),
            Edge(above=bronze, below=silver, by=ingest, columns=typed),
        ]
        if source in spec.sources:
            of_gold = ((name, column) for name, above in made.items() for of, column in above if of == source.name)
            found.append(Edge(above=silver, below=spec.gold, by=features, columns=tuple(of_gold)))
    model = f"model:{spec.name}"
    found += [
        Edge(above=spec.gold, below=model, by=f"{spec.name}.train", columns=_inputs(spec) if made else ()),
        Edge(above=spec.gold, below=spec.scores, by=f"{spec.name}.score"),
        Edge(above=model, below=spec.scores, by=f"{spec.name}.score"),
        Edge(above=spec.gold, below=spec.monitoring_table, by=monitor),
    ]
    if spec.predictions:
        answered = spec.table("silver", spec.predictions.name)
        found += [
            Edge(above=model, below=f"topic:{spec.predictions.topic}", by="serving"),
            Edge(above=answered, below=spec.predictions_table, by=predictions),
            Edge(above=spec.gold, below=spec.predictions_table, by=predictions),
            Edge(above=spec.predictions_table, below=spec.monitoring_table, by=monitor),
            Edge(above=spec.predictions_table, below=spec.live_table, by=monitor),
        ]
    return found


def _inputs(spec: UseCase) -> tuple[tuple[str, str], ...]:
    """The model's inputs are gold's features, by their names."""
    from include.foundation.spec import module

    return tuple((name, name) for name in module(spec.name, "features").FEATURES)
