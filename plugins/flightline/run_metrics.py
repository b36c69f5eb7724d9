"""How runs ended, as metrics. The scheduler, whose listener this module is, pushes them and does not wait for it."""

import logging
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.listeners import hookimpl

if TYPE_CHECKING:
    from include.stages.observability.pushed import Values

log = logging.getLogger(__name__)


@hookimpl
def on_dag_run_success(dag_run: Any) -> None:
    """A run has ended well."""
    _push(dag_run, failed=False)


@hookimpl
def on_dag_run_failed(dag_run: Any) -> None:
    """A run has failed."""
    _push(dag_run, failed=True)


def _push(dag_run: Any, *, failed: bool) -> None:
    end = dag_run.end_date or datetime.now(UTC)
    found = values(dag_run.start_date or end, end, failed=failed)
    threading.Thread(target=_send, args=(dag_run.dag_id, found), name="run metrics", daemon=True).start()


def values(start: datetime, end: datetime, *, failed: bool) -> "Values":
    """What is pushed of a run."""
    from include.stages.observability import pushed

    always = {pushed.RUN_SECONDS: (end - start).total_seconds(), pushed.RUN_FAILED: float(failed)}
    ended = {pushed.RUN_ENDED: end.timestamp(), **({} if failed else {pushed.RUN_SUCCEEDED: end.timestamp()})}
    return {**always, **ended}


def _send(dag_id: str, found: "Values") -> None:
    from airflow.models import Connection  # noqa: TID251 (a listener runs in the scheduler, which has no SDK)
    from airflow.sdk.exceptions import AirflowNotFoundException

    from flightline.hooks.pushgateway import PushgatewayHook, send

    try:
        send(Connection.get_connection_from_secrets(PushgatewayHook.default_conn_name), dag_id, "run", found)
    except AirflowNotFoundException:
        log.debug("no Connection %s: metrics are not pushed", PushgatewayHook.default_conn_name)
