"""What many processes do with the Iceberg catalog at once: open it first, make namespaces, queue for a table."""

import logging
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, TypeVar

from include.foundation.errors import MissingInput, ServiceUnavailable

if TYPE_CHECKING:
    from pyiceberg.catalog import Catalog
    from pyiceberg.table import Table

    from include.foundation.lake.connection import Lake

T = TypeVar("T")
ATTEMPTS = 5
CREATION_SECONDS = 60.0  # far more than making a table takes: after it, its maker is taken for dead
LONGEST_WAIT_SECONDS = 30.0  # with many writers: a commit takes a part of a second, and all of them must find room


def open_catalog(name: str, properties: dict[str, str]) -> "Catalog":
    """Open the catalog, creating its own tables when they are missing."""
    from pyiceberg.catalog import load_catalog
    from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError

    # It says at each table that it loaded the class it was told to load; a task's log would be little else.
    logging.getLogger("pyiceberg.io").setLevel(logging.WARNING)
    for attempt in range(1, ATTEMPTS + 1):
        try:
            catalog = load_catalog(name, **properties)
        except (IntegrityError, OperationalError, ProgrammingError):
            # pyiceberg looks for its tables and then creates them: of several first openers all but one fail here,
            # and find them on the next look.
            if attempt == ATTEMPTS:
                raise
            time.sleep(0.2 * attempt)
        else:
            _repeat_reads(catalog)
            return catalog
    raise AssertionError("unreachable")


def _repeat_reads(catalog: "Catalog") -> None:
    """Let a REST catalog's client ask again after a 5xx, and send again what never got there, for some 6 seconds.

    pyiceberg does neither. A commit that got there is not sent twice: whether it was done, `commit` finds out.
    """
    from pyiceberg.catalog.rest import RestCatalog
    from requests.adapters import HTTPAdapter
    from urllib3 import Retry

    if isinstance(catalog, RestCatalog) and catalog.properties.get("rest.sigv4-enabled", "").lower() != "true":
        again = Retry(total=5, backoff_factor=0.2, status_forcelist=(500, 502, 503, 504), raise_on_status=False)
        for scheme in ("http://", "https://"):
            catalog._session.mount(scheme, HTTPAdapter(max_retries=again))


def ensure_namespace(catalog: "Catalog", namespace: str) -> None:
    """Create the namespace unless it exists."""
    from pyiceberg.exceptions import NamespaceAlreadyExistsError, ServerError
    from sqlalchemy.exc import IntegrityError

    for attempt in range(1, ATTEMPTS + 1):
        try:
            catalog.create_namespace_if_not_exists(namespace)
        except (NamespaceAlreadyExistsError, IntegrityError):
            if not catalog.namespace_exists(namespace):
                raise
        except ServerError:  # SeaweedFS's answer when it meets a namespace that is just being made
            if attempt == ATTEMPTS:
                raise
            time.sleep(0.2 * attempt)
        else:
            return


@contextmanager
def creation_lock(lake: "Lake", identifier: str) -> Iterator[None]:
    """Be the only one who makes this table, where the catalog may not see to that itself.

    A REST catalog may let several creators of one table win, so that the last table hides the rows of the others
    (SeaweedFS 4.48 does). There, the lock is an object beside the model files; who has died with it is waited for.

    Raises:
        ServiceUnavailable: another writer held the lock for all the time.
    """
    from pyiceberg.catalog.rest import RestCatalog

    if not isinstance(lake.catalog(), RestCatalog):
        yield
        return
    objects, lock = lake.objects(), f"{lake.models.rstrip('/')}/.creating/{identifier}"
    deadline = time.monotonic() + 2 * CREATION_SECONDS
    while not objects.put_if_absent(lock, b""):
        if time.monotonic() > deadline:
            raise ServiceUnavailable(f"{identifier}: others were making the table all the time; {lock} is their lock")
        with suppress(MissingInput):  # it has just been given back
            if (datetime.now(UTC) - objects.stat(lock).modified).total_seconds() > CREATION_SECONDS:
                objects.delete(lock)
        time.sleep(random.uniform(0.1, 0.5))  # noqa: S311 (no secret)
    try:
        yield
    finally:
        objects.delete(lock)


def retry_commit(table: "Table", attempt: Callable[[], T], *, timeout: timedelta = timedelta(minutes=5)) -> T:
    """Make a commit, again on the table's new state each time that another writer was faster.

    Args:
        table: the table; it is refreshed before every try but the first.
        attempt: plans the commit on the table and makes it; raises CommitFailedException when it lost the race.
        timeout: how long to queue behind other writers.

    Raises:
        ServiceUnavailable: other writers were faster for all of `timeout`; nothing was changed.
    """
    from pyiceberg.exceptions import CommitFailedException

    deadline = time.monotonic() + timeout.total_seconds()
    for lost in count():
        with commit_lock(table.catalog, ".".join(table.name()), lost=lost, deadline=deadline):
            if lost:
                table.refresh()
            try:
                return attempt()
            except CommitFailedException:
                continue
    raise AssertionError("unreachable")


@contextmanager
def commit_lock(catalog: "Catalog", identifier: str, *, lost: int, deadline: float) -> Iterator[None]:
    """Hold the lock under which writers that lost a race commit to a table.

    The first try just races, which costs nothing while there is one writer. Then writers stand in line, where the
    catalog's database has a lock to offer (PostgreSQL's advisory locks, which end with their holder); elsewhere they
    wait for a random time, twice as long each time. The catalog itself, not the lock, keeps commits from being lost.

    Args:
        catalog: the catalog.
        identifier: `namespace.table`.
        lost: how many races were lost.
        deadline: when to give up, on the monotonic clock.

    Raises:
        ServiceUnavailable: the lock was not free in time.
    """
    from sqlalchemy import text
    from sqlalchemy.exc import OperationalError

    if not lost:
        yield
        return
    left = deadline - time.monotonic()
    late = ServiceUnavailable(f"{identifier}: {lost} races lost to other writers; gave up waiting")
    if left <= 0:
        raise late
    engine = getattr(catalog, "engine", None)
    if engine is None or engine.dialect.name != "postgresql":
        time.sleep(random.uniform(0, min(left, LONGEST_WAIT_SECONDS, 0.05 * 2**lost)))  # noqa: S311 (no secret)
        yield
        return
    with engine.begin() as connection:
        connection.execute(text(f"SET LOCAL lock_timeout = {max(1, int(left * 1000))}"))
        try:
            name = {"name": f"flightline {catalog.name}.{identifier}"}
            connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), name)
        except OperationalError as error:
            raise late from error
        yield
