"""A contract's columns, for people: types, checks, units, and which are sensitive."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from include.foundation.spec import UseCase
    from include.foundation.spec.use_case import AnySource

DAY = "event_date"


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column.

    Attributes:
        name: of it.
        type: in polars' words, or Iceberg's.
        description: in words.
        unit: of its values.
        nullable: whether it may be missing.
        checks: what a value must pass, in pandera's words.
        landed: its name in what lands; empty where it does not land.
        derived: it is computed from the others.
        sensitive: `metadata={"sensitive": True}` in the contract: values are masked.
    """

    name: str
    type: str
    description: str = ""
    unit: str = ""
    nullable: bool = True
    checks: tuple[str, ...] = ()
    landed: str = ""
    derived: bool = False
    sensitive: bool = False


_READ: dict[tuple[str, str], tuple[str, tuple[Column, ...]]] = {}  # by use case and source; code does not change


def columns_of(spec: UseCase, source: AnySource) -> tuple[str, tuple[Column, ...]]:
    """What a source's contract says of itself, and its columns. Where it cannot be read, that is what it says."""
    key = (spec.name, source.name)
    if key not in _READ:
        _READ[key] = _read(spec, source)
    return _READ[key]


def _read(spec: UseCase, source: AnySource) -> tuple[str, tuple[Column, ...]]:
    from include.foundation.echo import cause
    from include.foundation.errors import FlightlineError
    from include.foundation.spec import module
    from include.foundation.spec.use_case import PREDICTIONS
    from include.stages.ingest import predictions
    from include.stages.quality import Contract

    about = ""
    try:
        if source.name == PREDICTIONS:
            read = predictions.contract(spec)
        else:
            model = getattr(module(spec.name, "contract"), source.contract)
            about = (model.__doc__ or "").strip().partition("\n")[0].rstrip(".")
            read = Contract.of(model)
    except (FlightlineError, AttributeError) as error:
        return f"its contract cannot be read: {cause(error)}", ()
    landed = {name: said for said, name in source.columns.items()}
    checks: dict[str | None, list[str]] = {}
    for rule in (*read.rules, *read.unique):
        checks.setdefault(rule.column, []).append(rule.text)
    columns = []
    for name, column in read.schema.columns.items():
        more: dict[str, Any] = column.metadata or {}
        columns.append(
            Column(
                name=name,
                type=str(column.dtype),
                description=column.description or "",
                unit=str(more.get("unit", "")),
                nullable=column.nullable,
                checks=tuple(text for text in checks.get(name, ()) if text != "missing"),
                landed="" if name in read.derived else landed.get(name, name),
                derived=name in read.derived,
                sensitive=name in read.sensitive,
            )
        )
    rows = tuple(checks.get(None, ()))
    if rows:
        columns.append(Column(name="(row)", type="", description="checks of the row as a whole", checks=rows))
    return about, tuple(columns)
