"""Where batch work pushes its metrics."""

import logging
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

from flightline.hooks.address import base_url

if TYPE_CHECKING:
    from include.stages.observability.pushed import Values

log = logging.getLogger(__name__)
SECONDS = 5.0


class PushgatewayHook(BaseHook):
    """Push metrics to what a Connection of type `http` names (login and password: basic authentication).

    Without the Connection nothing is pushed. A gateway that does not answer costs a warning and never the work.
    """

    conn_name_attr = "pushgateway_conn_id"
    default_conn_name = "pushgateway"
    hook_name = "Pushgateway"

    def __init__(self, pushgateway_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.pushgateway_conn_id = pushgateway_conn_id

    def get_conn(self) -> Any:
        """The Connection; None if there is none."""
        try:
            return self.get_connection(self.pushgateway_conn_id)
        except AirflowNotFoundException:
            return None

    def push(self, ti: Any, values: "Values") -> None:
        """Replace these metrics of a task instance's task; its others stay."""
        if (connection := self.get_conn()) is None:
            log.debug("no Connection %s: metrics are not pushed", self.pushgateway_conn_id)
        else:
            send(connection, ti.dag_id, ti.task_id, values)


def send(connection: Any, dag_id: str, task: str, values: "Values") -> None:
    """Push to the gateway of a Connection; the metrics of each task of each Dag are a group there."""
    from http.client import HTTPException

    from prometheus_client import pushadd_to_gateway
    from prometheus_client.exposition import basic_auth_handler

    from include.stages.observability.pushed import registry

    use_case, _, dag = dag_id.rpartition(".")
    try:
        pushadd_to_gateway(
            base_url(connection),
            job="flightline",
            grouping_key={"use_case": use_case, "dag": dag, "task": task},
            registry=registry(values),
            timeout=SECONDS,
            handler=partial(basic_auth_handler, username=connection.login, password=connection.password),
        )
    except (OSError, HTTPException) as error:  # what answers may speak no HTTP
        log.warning("the Pushgateway at %s took no metrics of %s: %s", base_url(connection), dag_id, error)
