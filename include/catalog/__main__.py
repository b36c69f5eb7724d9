"""`python -m include.catalog tables|describe|search|lineage [--json]`: what the pages show, in a shell."""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from datetime import date, datetime
from typing import Any

from include.catalog import browse, lineage, state
from include.catalog.entries import search
from include.foundation.errors import FlightlineError
from include.foundation.lake import Lake, tables
from include.foundation.spec import load_all
from include.stages.features.columns import Columns, known


def parser() -> argparse.ArgumentParser:
    """The command line."""
    root = argparse.ArgumentParser(prog="python -m include.catalog", description=__doc__)
    commands = root.add_subparsers(dest="command", required=True)
    for name, text, argument in (
        ("tables", "every table: what it is, how much is in it, how fresh it is", None),
        ("describe", "one table: contract, snapshots, quality", "table"),
        ("search", "tables in which all words occur: names, columns, descriptions, owners, tags", "words"),
        ("lineage", "what a table is made of, and what is made of it", "table"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("--json", action="store_true", help="for programs")
        if argument:
            command.add_argument(argument, nargs="+" if argument == "words" else None)
    return root


def listed(found: browse.Listed) -> dict[str, Any]:
    """A table as a document."""
    said = asdict(found)
    return {**said["entry"], "state": said["state"], "reason": said["reason"]}


def describe(lake: Lake, identifier: str) -> dict[str, Any]:
    """One table as a document."""
    catalog = browse.Catalog(lambda: lake, load_all)
    found = catalog.one(identifier)
    document = listed(found)
    if found.state:
        document["snapshots"] = [asdict(each) for each in state.history(tables.load(lake, identifier))]
    return document


def line(document: dict[str, Any]) -> str:
    """A table as a line."""
    now = document["state"]
    facts = f"{now['rows']:>12,} rows, up to {now['newest'] or '-'}" if now else document["reason"]
    return f"{document['identifier']:<40} {facts}"


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    asked = parser().parse_args(arguments)
    try:
        document, text = answer(asked)
    except FlightlineError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    print(json.dumps(document, indent=1, default=_plain) if asked.json else text(document))
    return 0


def answer(asked: argparse.Namespace) -> tuple[Any, Callable[[Any], str]]:
    """The document, and how people read it.

    Raises:
        FlightlineError: the lake does not answer, or has no such table.
    """
    if asked.command == "lineage":
        every = lineage.edges(load_all(), _columns())
        return {
            "table": asked.table,
            "columns": lineage.made_of(every, asked.table),
            "made_of": [asdict(edge) for edge in lineage.above(every, asked.table)],
            "made_of_it": [asdict(edge) for edge in lineage.below(every, asked.table)],
            "use_cases": lineage.readers(load_all(), every, asked.table),
        }, _lineage
    lake = Lake.from_env()
    if asked.command == "describe":
        return describe(lake, asked.table), lambda document: json.dumps(document, indent=1, default=_plain)
    there = browse.read(lake, load_all())
    if asked.command == "search":
        hits = {entry.identifier for entry in search((each.entry for each in there), " ".join(asked.words))}
        there = [each for each in there if each.entry.identifier in hits]
    return [listed(each) for each in there], lambda found: "\n".join(map(line, found))


def _columns() -> dict[str, Columns]:
    """Of which columns each use case's gold is made, as the lake says; nothing where no lake is named."""
    try:
        lake = Lake.from_env()
    except KeyError:
        return {}
    return {spec.name: known(lake, spec) for spec in load_all()}


def _lineage(document: dict[str, Any]) -> str:
    up = [f"  made of  {edge['above']}  by {edge['by']}" for edge in document["made_of"]]
    down = [f"  made of it  {edge['below']}  by {edge['by']}" for edge in document["made_of_it"]]
    use_cases = ", ".join(document["use_cases"]) or "none"
    columns = [f"  {name}  from {', '.join(of)}" for name, of in document["columns"].items()]
    return "\n".join([document["table"], *columns, *up, *down, f"  read by use cases: {use_cases}"])


def _plain(value: Any) -> str:
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value)


if __name__ == "__main__":
    sys.exit(main())
