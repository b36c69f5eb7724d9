"""Waiting for a pod in a cluster behind Rancher."""

from functools import cached_property
from typing import Any

from airflow.providers.cncf.kubernetes.triggers.pod import KubernetesPodTrigger

from flightline.hooks.cluster_client import AsyncClusterClient


class ClusterPodTrigger(KubernetesPodTrigger):
    """The provider's trigger, told which cluster the pod is in: its row has the Connection's id and no token.

    Args:
        cluster: id of the cluster.
        fields: the provider's.
    """

    def __init__(self, *, cluster: str, **fields: Any) -> None:
        super().__init__(**fields)
        self.cluster = cluster

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Class path and arguments."""
        _, fields = super().serialize()
        return f"{type(self).__module__}.{type(self).__qualname__}", {**fields, "cluster": self.cluster}

    @cached_property
    def hook(self) -> AsyncClusterClient:
        """The cluster."""
        return AsyncClusterClient(str(self.kubernetes_conn_id), cluster=self.cluster)
