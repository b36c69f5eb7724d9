"""Buttons to the pages that a task's result lives on: each reads a URL that a task of the same run pushed to XCom."""

from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseOperatorLink
from airflow.sdk.bases.xcom import BaseXCom

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey


class _Page(BaseOperatorLink):
    """A URL under XCom key `key` of `task_id` (None: of the task itself)."""

    key: ClassVar[str]
    task_id: ClassVar[str | None] = None

    def get_link(self, operator: "BaseOperator", *, ti_key: "TaskInstanceKey") -> str:  # noqa: ARG002
        """The URL, empty while no task pushed one."""
        return (
            BaseXCom.get_one(
                key=self.key, dag_id=ti_key.dag_id, run_id=ti_key.run_id, task_id=self.task_id or ti_key.task_id
            )
            or ""
        )


class MlflowRunLink(_Page):
    """The MLflow run of a training run."""

    name = "MLflow run"
    key = "mlflow_run"
    task_id = "freeze"


class JobLink(_Page):
    """The job on the system where it runs, if that has a page of it."""

    name = "Job"
    key = "job_page"


class MlflowVersionLink(_Page):
    """The registered version that a task made, judged or promotes."""

    name = "Model version"
    key = "mlflow_version"


class ChosenVersionLink(_Page):
    """The registered version that a run was started for."""

    name = "Model version"
    key = "mlflow_version"
    task_id = "choose"


class EndpointLink(_Page):
    """The endpoint that a task asked."""

    name = "Endpoint"
    key = "endpoint"


class HostedLink(_Page):
    """The endpoint of SageMaker that serves a version."""

    name = "SageMaker endpoint"
    key = "hosted"


class MarketplaceLink(_Page):
    """A version in the marketplace."""

    name = "Marketplace"
    key = "marketplace"


class WorkspaceLink(_Page):
    """A workspace, which opens for its owner alone."""

    name = "Open the workspace"
    key = "workspace"


def linked(result: Any, *links: BaseOperatorLink) -> Any:
    """Put buttons on a TaskFlow task; returns its result, so that it reads as part of the wiring."""
    result.operator.operator_extra_links = links
    return result
