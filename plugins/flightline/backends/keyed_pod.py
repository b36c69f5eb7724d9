"""A KubernetesPodOperator whose pod is found by what it does. Its import costs seconds: only where a pod is started."""

from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator

from flightline.hooks.cluster_client import ClusterClient
from flightline.triggers.cluster_pod import ClusterPodTrigger

if TYPE_CHECKING:
    from typing import Never

    from airflow.sdk import Context

LABEL = "flightline/job"


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

    def defer(self, *, trigger: Any, **options: Any) -> "Never":
        """Defer without the Connection's extra, whose token would stand in the trigger's row as plain text."""
        trigger.connection_extras = None  # the triggerer reads the Connection itself
        if self.cluster:
            trigger = ClusterPodTrigger(cluster=self.cluster, **trigger.serialize()[1])
        super().defer(trigger=trigger, **options)
