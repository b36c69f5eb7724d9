"""Mark on Grafana's pictures what a Dag did."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowNotFoundException, AirflowSkipException

if TYPE_CHECKING:
    from airflow.sdk import Context


class GrafanaAnnotationOperator(BaseOperator):
    """Annotate, once a run. Skipped without the Connection, and where Grafana does not take it: a mark is no work.

    Args:
        text: what is shown; templated.
        tags: by which dashboards choose, beside `flightline` and the use case; templated.
        grafana_conn_id: Connection of Grafana.
    """

    template_fields = ("text", "tags", "grafana_conn_id")
    ui_color = "#f5e1c8"

    def __init__(self, *, text: str, tags: Sequence[str], grafana_conn_id: str = "grafana", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.text, self.tags, self.grafana_conn_id = text, tags, grafana_conn_id

    def execute(self, context: "Context") -> int:
        """Make the annotation; its id."""
        import httpx

        from flightline.hooks.grafana import GrafanaHook

        ti = context["ti"]
        use_case = ti.dag_id.rpartition(".")[0]
        key = f"{ti.dag_id} {ti.run_id} {ti.task_id}"
        try:
            found = GrafanaHook(self.grafana_conn_id).annotate(key, self.text, ["flightline", use_case, *self.tags])
        except AirflowNotFoundException:
            raise AirflowSkipException(f"there is no Connection {self.grafana_conn_id}: nothing is marked") from None
        except httpx.HTTPError as error:
            raise AirflowSkipException(f"Grafana did not take the annotation: {error}") from error
        self.log.info("annotation %d: %s", found, self.text)
        return found
