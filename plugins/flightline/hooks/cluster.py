"""The Kubernetes cluster, as far as more is asked of it than running pods."""

import ipaddress
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook

from include.foundation.errors import ServiceUnavailable
from include.foundation.evidence import code

if TYPE_CHECKING:
    from airflow.providers.cncf.kubernetes.hooks.kubernetes import KubernetesHook

SERVING_IMAGE = "flightline/serving"


class ClusterHook(BaseHook):
    """Find where the cluster's Services are reached from outside."""

    conn_name_attr = "cluster_conn_id"
    default_conn_name = "cluster"
    hook_name = "Cluster"

    def __init__(self, cluster_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.cluster_conn_id = cluster_conn_id

    def get_conn(self) -> "KubernetesHook":
        """The provider's hook of the same Connection."""
        from airflow.providers.cncf.kubernetes.hooks.kubernetes import KubernetesHook

        return KubernetesHook(conn_id=self.cluster_conn_id)

    @property
    def serving_image(self) -> str:
        """The image that serves, with the code that is running: extra `serving_image` of the Connection names it."""
        connection = self.get_connection(self.cluster_conn_id)
        return code.image(str(connection.extra_dejson.get("serving_image", SERVING_IMAGE)))

    def service_url(self, name: str, namespace: str) -> str:
        """Base URL of a Service of type NodePort or LoadBalancer, first port.

        Raises:
            ServiceUnavailable: the Service has no address from outside (yet).
        """
        core = self.get_conn().core_v1_client
        service = core.read_namespaced_service(name, namespace)
        port = service.spec.ports[0]
        balancer = service.status and service.status.load_balancer
        for ingress in (balancer and balancer.ingress) or []:
            return f"http://{_host(ingress.hostname or ingress.ip)}:{port.port}"
        if port.node_port:
            return f"http://{_host(_address(core.list_node().items))}:{port.node_port}"
        raise ServiceUnavailable(
            f"Service {namespace}/{name} of type {service.spec.type} has no address from outside: make it NodePort or "
            f"LoadBalancer (deploy/gitops/service.yaml)"
        )


def _address(nodes: list[Any]) -> str:
    """Of a node that is Ready: one that is not may not answer, whatever Service is behind its port."""
    ready = [node for node in nodes if _ready(node)]
    for kind in ("ExternalIP", "InternalIP"):
        for node in ready:
            for address in node.status.addresses or []:
                if address.type == kind:
                    return str(address.address)
    raise ServiceUnavailable(f"none of the cluster's {len(nodes)} nodes is Ready and tells its address")


def _ready(node: Any) -> bool:
    return any(condition.type == "Ready" and condition.status == "True" for condition in node.status.conditions or [])


def _host(address: str) -> str:
    """A name or address as a URL wants it: IPv6 in brackets (RFC 3986, 3.2.2)."""
    try:
        return f"[{address}]" if ipaddress.ip_address(address).version == 6 else address
    except ValueError:
        return address
