"""The tables that the specs make, in words, and the search over them. Pure: no lake is asked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from include.catalog.contracts import Column, columns_of
from include.foundation.spec import UseCase
from include.foundation.spec.use_case import AnySource

LAYERS = {
    "bronze": "as it landed, every value as text, with where it came from",
    "silver": "rows that pass the contract, typed",
    "quarantine": "rows that fail the contract, each with its reasons",
    "gold": "features and labels, as they were known at the time that is asked about",
    "scores": "what the champion says of gold",
    "predictions": "what serving answered, with the label once it is known",
    "monitoring": "what monitoring saw of the champion",
}
OTHER = "not made by a spec"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One table.

    Attributes:
        identifier: `namespace.table`.
        layer: its namespace.
        description: in words.
        owner: of its use case; empty where no spec makes it.
        use_case: its name; None where no spec makes it.
        source: of the use case, where the table is of one.
        contract: name of the contract's class, where it has one.
        columns: of the contract; of other tables those that the lake says.
        tags: more words to find it by.
    """

    identifier: str
    layer: str
    description: str
    owner: str = ""
    use_case: str | None = None
    source: str | None = None
    contract: str | None = None
    columns: tuple[Column, ...] = ()
    tags: tuple[str, ...] = ()

    @property
    def sensitive(self) -> frozenset[str]:
        """Columns whose values only those may see who may see all."""
        return frozenset(column.name for column in self.columns if column.sensitive)

    def with_lake(self, names: Iterable[tuple[str, str, str]]) -> Entry:
        """The same with the lake's columns (name, type, doc), which the contract explains where it knows them."""
        known = {column.name: column for column in self.columns}
        found = (
            replace(known[name], type=kind) if name in known else Column(name=name, type=kind, description=doc)
            for name, kind, doc in names
        )
        return replace(self, columns=tuple(found))


def declared(specs: Sequence[UseCase]) -> list[Entry]:
    """Every table that the specs make, by use case and in the order in which data go through them."""
    return [entry for spec in specs for entry in _of(spec)]


def undeclared(identifier: str) -> Entry:
    """A table that the lake has and no spec makes."""
    return Entry(identifier=identifier, layer=identifier.partition(".")[0], description=OTHER)


def search(entries: Iterable[Entry], text: str) -> list[Entry]:
    """Tables in which every word occurs: in name, columns, description, owner or tags. Hits in names come first."""
    words = text.lower().split()
    found = [(entry, _haystack(entry)) for entry in entries]
    hits = [entry for entry, hay in found if all(word in hay for word in words)]
    return sorted(hits, key=lambda entry: not all(word in entry.identifier.lower() for word in words))


def _haystack(entry: Entry) -> str:
    columns = (f"{column.name} {column.description}" for column in entry.columns)
    words = (entry.identifier, entry.description, entry.owner, entry.use_case or "", *entry.tags, *columns)
    return " ".join(words).lower()


def _of(spec: UseCase) -> list[Entry]:
    found = [_layer(spec, source, layer) for source in spec.ingested for layer in ("bronze", "silver", "quarantine")]

    def one(identifier: str, about: str) -> Entry:
        layer = identifier.partition(".")[0]
        return Entry(
            identifier=identifier,
            layer=layer,
            description=f"{spec.title}: {about}.",
            owner=spec.owner,
            use_case=spec.name,
            tags=(spec.title, spec.problem),
        )

    found.append(one(spec.gold, LAYERS["gold"]))
    found.append(one(spec.scores, LAYERS["scores"]))
    if spec.predictions:
        found.append(one(spec.predictions_table, LAYERS["predictions"]))
    found.append(one(spec.monitoring_table, f"{LAYERS['monitoring']}, a row a window"))
    found.append(one(spec.live_table, "how versions did on what they were asked, by stage"))
    return found


def _layer(spec: UseCase, source: AnySource, layer: str) -> Entry:
    about, columns = columns_of(spec, source)
    # Bronze holds text; its columns have other names where the spec maps them.
    shown = (
        tuple(
            Column(name=column.landed, type="string", sensitive=column.sensitive) for column in columns if column.landed
        )
        if layer != "silver"
        else columns
    )
    kind = source.topic if source.kind == "topic" else f"files, every {source.every}"
    return Entry(
        identifier=spec.table(layer, source.name),  # type: ignore[arg-type]
        layer=layer,
        description=f"{spec.title}, {source.name}{f' ({about})' if about else ''}: {LAYERS[layer]}.",
        owner=spec.owner,
        use_case=spec.name,
        source=source.name,
        contract=source.contract,
        columns=shown,
        tags=(spec.title, source.kind, kind, source.contract),
    )
