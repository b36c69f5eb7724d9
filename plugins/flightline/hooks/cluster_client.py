"""The provider's Kubernetes hooks, which take a Connection of type `rancher` too. Their import costs seconds.

A token never leaves the process: what reaches the cluster is made of the Connection where the client is made.
"""

from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.providers.cncf.kubernetes.hooks.kubernetes import AsyncKubernetesHook, KubernetesHook

from flightline.hooks.rancher import RancherHook

if TYPE_CHECKING:
    from airflow.sdk import Connection


def extras(connection: "Connection", cluster: str) -> dict[str, Any]:
    """What the provider's hooks read: a Kubernetes Connection's extra as it is, Rancher's with a way to a cluster.

    Args:
        connection: of type `kubernetes` or `rancher`.
        cluster: name or id of the cluster; empty is the one that the Connection means.
    """
    if connection.conn_type != RancherHook.conn_type:
        return dict(connection.extra_dejson)
    rancher = RancherHook(connection=connection)
    found = rancher.one(cluster or rancher.selection)
    return {**rancher.settings(found), "kube_config": rancher.kubeconfig(found)}


class ClusterClient(KubernetesHook):
    """A client of a cluster."""

    def __init__(self, conn_id: str, *, cluster: str = "") -> None:
        super().__init__(conn_id=conn_id)
        self.cluster = cluster

    @cached_property
    def conn_extras(self) -> dict[str, Any]:
        """The Connection, as the provider reads it."""
        return extras(self.get_connection(str(self.conn_id)), self.cluster)


class AsyncClusterClient(AsyncKubernetesHook):
    """The same for the triggerer."""

    def __init__(self, conn_id: str, *, cluster: str = "") -> None:
        super().__init__(conn_id=conn_id)
        self.cluster = cluster

    async def get_conn_extras(self) -> dict[str, Any]:
        """The Connection, as the provider reads it; Rancher is asked in a thread."""
        import asyncio

        if self._extras is not None:
            return self._extras
        connection = await RancherHook.aget_connection(str(self.conn_id))
        made = await asyncio.to_thread(extras, connection, self.cluster)
        self._extras = made
        return made
