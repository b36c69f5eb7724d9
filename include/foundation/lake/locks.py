"""Locks between processes: who makes a table, and who of those that lost a race commits next.

The catalog keeps commits from being lost; a commit lock only gives each writer its turn, as one that repeats a large
commit would lose to small ones again and again.
"""

import random
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from include.foundation.errors import MissingInput, ServiceUnavailable

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from include.foundation.lake.connection import Lake

HOLD_SECONDS = 60.0  # far more than making a table or a commit takes: after it, the lock's holder is taken for dead


@contextmanager
def creation_lock(lake: "Lake", identifier: str) -> Iterator[None]:
    """Be the only one who makes this table, where the catalog may not see to that itself.

    A REST catalog may let several creators of one table win, so that the last table hides the rows of the others
    (SeaweedFS 4.48 does).

    Raises:
        ServiceUnavailable: another writer held the lock for all the time.
    """
    from pyiceberg.catalog.rest import RestCatalog

    if isinstance(lake.catalog(), RestCatalog):
        with object_lock(lake, f"create/{identifier}", deadline=time.monotonic() + 2 * HOLD_SECONDS):
            yield
    else:
        yield


@contextmanager
def commit_lock(lake: "Lake", identifier: str, *, deadline: float) -> Iterator[None]:
    """Stand in line with the other writers that lost a race for this table.

    A catalog in PostgreSQL has advisory locks, which end with their holder. One in another database of our own serves
    a single machine, and has none. All others have the lake's object store.

    Args:
        lake: the lake.
        identifier: `namespace.table`.
        deadline: when to give up, on the monotonic clock.

    Raises:
        ServiceUnavailable: the lock was not free in time.
    """
    engine = getattr(lake.catalog(), "engine", None)
    if engine is None:
        lock = object_lock(lake, f"commit/{identifier}", deadline=deadline)
    elif engine.dialect.name == "postgresql":
        lock = _advisory_lock(engine, f"flightline {lake.catalog().name}.{identifier}", deadline=deadline)
    else:
        yield
        return
    with lock:
        yield


@contextmanager
def object_lock(lake: "Lake", name: str, *, deadline: float) -> Iterator[None]:
    """Hold the lock of that name: an object beside the model files, written only where there is none.

    Whoever holds it for too long has lost it, and does not take it from the next one.

    Raises:
        ServiceUnavailable: another process held the lock until `deadline` (on the monotonic clock).
    """
    objects, lock = lake.objects(), f"{lake.models.rstrip('/')}/.locks/{name}"
    own = uuid.uuid4().bytes
    while not objects.put_if_absent(lock, own):
        if time.monotonic() > deadline:
            raise ServiceUnavailable(f"{name}: others had their turn all the time; {lock} is their lock")
        with suppress(MissingInput):  # it has just been given back
            if objects.age(lock) > HOLD_SECONDS:
                objects.delete(lock)
        time.sleep(random.uniform(0.1, 0.5))  # noqa: S311 (no secret)
    try:
        yield
    finally:
        with suppress(MissingInput):
            if objects.get(lock) == own:
                objects.delete(lock)


@contextmanager
def _advisory_lock(engine: "Engine", name: str, *, deadline: float) -> Iterator[None]:
    from sqlalchemy import text
    from sqlalchemy.exc import OperationalError

    with engine.begin() as connection:
        left = max(1, int((deadline - time.monotonic()) * 1000))
        connection.execute(text(f"SET LOCAL lock_timeout = {left}"))
        try:
            connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": name})
        except OperationalError as error:
            raise ServiceUnavailable(f"{name}: others had their turn all the time") from error
        yield
