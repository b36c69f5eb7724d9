"""A KubernetesPodOperator whose pod is found by what it does. Its import costs seconds: only where a pod is started."""

from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.sdk.exceptions import AirflowSkipException
from urllib3.exceptions import HTTPError

from flightline.hooks.cluster_client import ClusterClient
from flightline.triggers.cluster_pod import ClusterPodTrigger
from include.foundation.echo import cut

if TYPE_CHECKING:
    from typing import Never

    from airflow.sdk import Context

LABEL = "flightline/job"
ANSWER_SECONDS = 20


class KeyedPod(KubernetesPodOperator):
    """A pod that is found by its job's key (label `flightline/job`), not by the task that started it.

    A task that was cleared with other inputs must not be given the pod of the former ones.

    Args:
        cluster: id of the cluster, where the Connection is Rancher's; its pods are followed there and nowhere else.
        fields: the provider's.
    """

    def __init__(self, *, cluster: str = "", **fields: Any) -> None:
        super().__init__(**fields)
        self.cluster = cluster

    @cached_property
    def hook(self) -> ClusterClient:
        """The cluster."""
        return ClusterClient(str(self.kubernetes_conn_id), cluster=self.cluster)

    def _get_pod_from_task_state_store(self, context: "Context") -> None:
        """No: the provider's memory is of a task's last pod, whatever that pod does."""

    def _build_find_pod_label_selector(self, context: Any = None, *, exclude_checked: bool = True) -> str:  # noqa: ARG002
        return f"{LABEL}={self.labels[LABEL]}" + (f",{self.POD_CHECKED_KEY}!=True" if exclude_checked else "")

    def cleanup(self, pod: Any, remote_pod: Any, xcom_result: Any = None, context: Any = None) -> None:
        """Clean up after the pod. The one that says that no retry can help is told by the last line of its log.

        Raises:
            AirflowSkipException: the pod said so (`skip_on_exit_code`).
            AirflowException: it failed otherwise.
        """
        said = self._last_line(remote_pod)  # before the pod is deleted
        try:
            super().cleanup(pod, remote_pod, xcom_result, context)
        except AirflowSkipException as error:
            raise AirflowSkipException(f"{said} ({error})" if said else str(error)) from error

    def _last_line(self, pod: Any) -> str:
        """The last line that a failed pod logged; empty where it cannot be read, which hides nothing."""
        from kubernetes.client import ApiException

        if not pod or not pod.status or pod.status.phase != "Failed":
            return ""
        try:
            answer = self.client.read_namespaced_pod_log(
                pod.metadata.name,
                pod.metadata.namespace,
                container=self.base_container_name,
                tail_lines=1,
                _preload_content=False,  # the client would give the text as Python writes bytes
                _request_timeout=ANSWER_SECONDS,
            )
        except (ApiException, HTTPError):
            return ""
        return cut(answer.data.decode("utf-8", errors="backslashreplace").strip(), 500)

    def defer(self, *, trigger: Any, **options: Any) -> "Never":
        """Defer without the Connection's extra, whose token would stand in the trigger's row as plain text."""
        trigger.connection_extras = None  # the triggerer reads the Connection itself
        if self.cluster:
            trigger = ClusterPodTrigger(cluster=self.cluster, **trigger.serialize()[1])
        super().defer(trigger=trigger, **options)
