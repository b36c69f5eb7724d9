"""What many processes do with the Iceberg catalog at once: open it first, make namespaces, race for a table."""

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from include.foundation.errors import ServiceUnavailable
from include.foundation.lake.locks import commit_lock

if TYPE_CHECKING:
    from pyiceberg.catalog import Catalog
    from pyiceberg.table import Table

    from include.foundation.lake.connection import Lake

T = TypeVar("T")
ATTEMPTS = 5
TIMEOUT_SECONDS = (10.0, 120.0)  # to connect, and between two parts of an answer


def open_catalog(name: str, properties: dict[str, str]) -> "Catalog":
    """Open the catalog, creating its own tables when they are missing."""
    from pyiceberg.catalog import load_catalog
    from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError

    # It says at each table that it loaded the class of its setting; a task's log would be little else.
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
            _patient(catalog)
            return catalog
    raise AssertionError("unreachable")


def _patient(catalog: "Catalog") -> None:
    """Let a REST catalog's client ask again after a 5xx, and send again what never got there, for some 6 seconds.

    And let it wait for an answer, but not for ever. pyiceberg does none of it. A commit that got there is not sent
    twice: whether it was done, `commit` finds out.
    """
    from pyiceberg.catalog.rest import RestCatalog
    from requests.adapters import HTTPAdapter
    from urllib3 import Retry

    class Patient(HTTPAdapter):
        def send(self, request: Any, stream: bool = False, timeout: Any = None, *rest: Any, **options: Any) -> Any:
            return super().send(request, stream, timeout or TIMEOUT_SECONDS, *rest, **options)

    if isinstance(catalog, RestCatalog) and catalog.properties.get("rest.sigv4-enabled", "").lower() != "true":
        again = Retry(total=5, read=1, backoff_factor=0.2, status_forcelist=(500, 502, 503, 504), raise_on_status=False)
        for scheme in ("http://", "https://"):
            catalog._session.mount(scheme, Patient(max_retries=again))


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


def retry_commit(
    lake: "Lake", table: "Table", attempt: Callable[[], T], *, timeout: timedelta = timedelta(minutes=5)
) -> T:
    """Make a commit, again on the table's new state each time that another writer was faster.

    The first try just races, which costs nothing while there is one writer.

    Args:
        lake: the table's lake.
        table: the table; it is refreshed before every try but the first.
        attempt: plans the commit on the table and makes it; raises CommitFailedException when it lost the race.
        timeout: how long to queue behind other writers.

    Raises:
        ServiceUnavailable: other writers were faster for all of `timeout`; nothing was changed.
    """
    from pyiceberg.exceptions import CommitFailedException

    deadline, identifier = time.monotonic() + timeout.total_seconds(), ".".join(table.name())
    with suppress(CommitFailedException):
        return attempt()
    with commit_lock(lake, identifier, deadline=deadline):
        while time.monotonic() < deadline:
            table.refresh()
            with suppress(CommitFailedException):  # lost to a first try
                return attempt()
    raise ServiceUnavailable(f"{identifier}: other writers were faster for {timeout}; run it again")
