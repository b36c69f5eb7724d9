"""All tables, declared and found, with what the lake says of each: read by a few threads, remembered for a while."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from include.catalog import entries, state
from include.catalog.remembered import Remembered
from include.foundation.echo import cause, quoted
from include.foundation.errors import FlightlineError, MissingInput, ServiceUnavailable
from include.foundation.lake import tables

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from include.foundation.lake import Lake
    from include.foundation.spec import UseCase

THREADS = 8
FRESH_SECONDS = 15.0


@dataclass(frozen=True, kw_only=True)
class Listed:
    """One table with its state: None with a reason where the lake has none or does not say.

    Attributes:
        entry: what it is.
        state: what the lake says.
        reason: why there is no state.
    """

    entry: entries.Entry
    state: state.State | None
    reason: str = ""


class Catalog:
    """The tables of a lake, remembered for `FRESH_SECONDS`.

    Args:
        lake: makes the lake, when it is first needed.
        specs: of the use cases.
    """

    def __init__(self, lake: Callable[[], Lake], specs: Callable[[], Sequence[UseCase]]) -> None:
        self._read = Remembered(lambda: read(lake(), specs()), seconds=FRESH_SECONDS)

    def tables(self) -> list[Listed]:
        """Every table, in the order in which data go through them; those that no spec makes last.

        Raises:
            ServiceUnavailable: the lake does not answer.
        """
        return self._read()

    def one(self, identifier: str) -> Listed:
        """A table, whether it exists yet or not. Raises MissingInput where nobody knows it."""
        for listed in self.tables():
            if listed.entry.identifier == identifier:
                return listed
        raise MissingInput(f"there is no table {quoted(identifier)}: Data lists those that there are")


def read(lake: Lake, specs: Sequence[UseCase]) -> list[Listed]:
    """Every table of the specs and of the lake.

    Raises:
        ServiceUnavailable: the catalog does not answer.
    """
    try:
        catalog = lake.catalog()
        found = {".".join(name) for space in catalog.list_namespaces() for name in catalog.list_tables(space)}
    except FlightlineError:
        raise
    except Exception as error:
        raise ServiceUnavailable(f"the lake's catalog does not answer: {cause(error)}") from error
    known = entries.declared(specs)
    others = [entries.undeclared(name) for name in sorted(found - {entry.identifier for entry in known})]
    with ThreadPoolExecutor(THREADS, "catalog") as pool:
        return list(pool.map(lambda entry: _listed(lake, entry, there=entry.identifier in found), [*known, *others]))


def _listed(lake: Lake, entry: entries.Entry, *, there: bool) -> Listed:
    if not there:
        return Listed(entry=entry, state=None, reason="not made yet")
    try:
        now = state.state(tables.load(lake, entry.identifier))
    except Exception as error:  # noqa: BLE001 (one table that cannot be read does not hide the others)
        return Listed(entry=entry, state=None, reason=cause(error))
    return Listed(entry=entry if entry.layer == "silver" and entry.columns else entry.with_lake(now.columns), state=now)
