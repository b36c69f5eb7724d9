"""Button to the application in Argo CD's UI."""

from typing import TYPE_CHECKING

from airflow.sdk import BaseOperatorLink
from airflow.sdk.execution_time.xcom import XCom

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey


class ArgoCDLink(BaseOperatorLink):
    """The operator pushes the URL under `xcom_key` when it starts, so the button is there while the task waits."""

    name = "Argo CD"

    def get_link(self, operator: "BaseOperator", *, ti_key: "TaskInstanceKey") -> str:  # noqa: ARG002
        """The URL, empty before the operator knew it."""
        return XCom.get_value(ti_key=ti_key, key=self.xcom_key) or ""
