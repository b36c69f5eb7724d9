"""Opening the Iceberg catalog and making namespaces, safe when many processes do it first at the same time."""

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyiceberg.catalog import Catalog

ATTEMPTS = 5


def open_catalog(name: str, properties: dict[str, str]) -> "Catalog":
    """Open the catalog, creating its own tables when they are missing."""
    from pyiceberg.catalog import load_catalog
    from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError

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
