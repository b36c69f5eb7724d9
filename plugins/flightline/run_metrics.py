"""How runs ended, as metrics. The scheduler, whose listener this module is, pushes them and does not wait for it."""

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.listeners import hookimpl

from flightline.background import with_connection
from flightline.hooks import pushgateway

if TYPE_CHECKING:
    from include.stages.observability.pushed import Values


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
    send = partial(pushgateway.send, dag_id=dag_run.dag_id, task="run", values=found)
    with_connection(pushgateway.PushgatewayHook.default_conn_name, send)


def values(start: datetime, end: datetime, *, failed: bool) -> "Values":
    """What is pushed of a run."""
    from include.stages.observability import pushed

    always = {pushed.RUN_SECONDS: (end - start).total_seconds(), pushed.RUN_FAILED: float(failed)}
    ended = {pushed.RUN_ENDED: end.timestamp(), **({} if failed else {pushed.RUN_SUCCEEDED: end.timestamp()})}
    return {**always, **ended}
