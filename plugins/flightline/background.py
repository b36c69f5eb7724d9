"""Work of a listener that must not hold up the scheduler: it has many runs to see to."""

import logging
import threading
from collections.abc import Callable
from typing import Any

from airflow.sdk.exceptions import AirflowNotFoundException

log = logging.getLogger(__name__)


def with_connection(conn_id: str, work: Callable[[Any], None]) -> None:
    """Give a Connection to `work`, in a thread; nothing happens without the Connection."""
    threading.Thread(target=_do, args=(conn_id, work), name=f"work with {conn_id}", daemon=True).start()


def _do(conn_id: str, work: Callable[[Any], None]) -> None:
    from airflow.models import Connection  # noqa: TID251 (a listener runs in the scheduler, which has no SDK)

    try:
        work(Connection.get_connection_from_secrets(conn_id))
    except AirflowNotFoundException:
        log.debug("there is no Connection %s", conn_id)
    except Exception:
        log.exception("work with Connection %s failed", conn_id)
