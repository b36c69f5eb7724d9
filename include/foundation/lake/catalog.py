"""What many processes do with the Iceberg catalog at once: open it first, make namespaces, queue for a table."""

import logging
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from include.foundation.errors import ServiceUnavailable

if TYPE_CHECKING:
    from pyiceberg.catalog import Catalog

ATTEMPTS = 5


def open_catalog(name: str, properties: dict[str, str]) -> "Catalog":
    """Open the catalog, creating its own tables when they are missing."""
    from pyiceberg.catalog import load_catalog
    from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError

    # It says at each table that it loaded the class it was told to load; a task's log would be little else.
    logging.getLogger("pyiceberg.io").setLevel(logging.WARNING)
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return load_catalog(name, **properties)
        except (IntegrityError, OperationalError, ProgrammingError):
            # pyiceberg looks for its tables and then creates them: of several first openers all but one fail here,
            # and find them on the next look.
            if attempt == ATTEMPTS:
                raise
            time.sleep(0.2 * attempt)
    raise AssertionError("unreachable")


def ensure_namespace(catalog: "Catalog", namespace: str) -> None:
    """Create the namespace unless it exists."""
    from pyiceberg.exceptions import NamespaceAlreadyExistsError
    from sqlalchemy.exc import IntegrityError

    try:
        catalog.create_namespace_if_not_exists(namespace)
    except (NamespaceAlreadyExistsError, IntegrityError):
        if not catalog.namespace_exists(namespace):
            raise


@contextmanager
def turn(catalog: "Catalog", identifier: str, *, attempt: int, deadline: float) -> Iterator[None]:
    """Hold one's turn to commit to a table after `attempt` lost races.

    The first attempt just races, which costs nothing while there is one writer. Then writers stand in line, where the
    catalog's database has a line to offer (PostgreSQL's advisory locks, which end with their holder); elsewhere they
    wait for a random time, twice as long each time. The catalog itself, not the line, keeps commits from being lost.

    Args:
        catalog: the catalog.
        identifier: `namespace.table`.
        attempt: how many races were lost.
        deadline: when to give up, on the monotonic clock.

    Raises:
        ServiceUnavailable: the turn did not come in time.
    """
    from sqlalchemy import text
    from sqlalchemy.exc import OperationalError

    if not attempt:
        yield
        return
    left = deadline - time.monotonic()
    late = ServiceUnavailable(f"{identifier}: {attempt} races lost to other writers; gave up waiting")
    if left <= 0:
        raise late
    engine = getattr(catalog, "engine", None)
    if engine is None or engine.dialect.name != "postgresql":
        time.sleep(random.uniform(0, min(left, 2.0, 0.05 * 2**attempt)))  # noqa: S311 (no secret)
        yield
        return
    with engine.begin() as line:
        line.execute(text(f"SET LOCAL lock_timeout = {max(1, int(left * 1000))}"))
        try:
            name = {"name": f"flightline {catalog.name}.{identifier}"}
            line.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), name)
        except OperationalError as error:
            raise late from error
        yield
