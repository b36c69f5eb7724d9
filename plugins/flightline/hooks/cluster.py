"""The Kubernetes cluster, as far as more is asked of it than running pods."""

import ipaddress
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook

from flightline.hooks.rancher import RancherHook
from include.foundation.echo import cause, cut
from include.foundation.errors import InvalidInput, RetryableError, ServiceUnavailable
from include.foundation.evidence import code
from include.foundation.jobs import PERMANENT

if TYPE_CHECKING:
    from airflow.providers.cncf.kubernetes.hooks.kubernetes import KubernetesHook

    from flightline.hooks.rancher_cluster import Cluster, Selection
    from include.foundation.spec import UseCase
    from include.foundation.spec.promotion import Stage

SERVING_IMAGE = "flightline/serving"
GATEWAY = "flightline/flightline"
ENDED = ("Succeeded", "Failed")
NO_IMAGE = ("ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName")
POLL_SECONDS = 0.3
ANSWER_SECONDS, METRICS_SECONDS = 20, 10  # for an answer of the API, and of a replica behind it


class ClusterHook(BaseHook):
    """Run a pod to its end, and find where the cluster's Services are reached from outside."""

    conn_name_attr = "cluster_conn_id"
    default_conn_name = "cluster"
    hook_name = "Cluster"

    def __init__(self, cluster_conn_id: str = default_conn_name, *, cluster: "Selection" = None) -> None:
        super().__init__()
        self.cluster_conn_id = cluster_conn_id
        self._selection = cluster

    @classmethod
    def of(cls, stage: "Stage") -> "ClusterHook":
        """The cluster that a stage is in."""
        where = stage.cluster
        return cls(where) if isinstance(where, str) else cls(RancherHook.default_conn_name, cluster=where.rancher)

    @cached_property
    def _found(self) -> "tuple[RancherHook, Cluster] | None":
        """Rancher and the cluster behind it that is meant; None of a Connection to the cluster itself."""
        connection = self.get_connection(self.cluster_conn_id)
        if connection.conn_type != RancherHook.conn_type:
            return None
        rancher = RancherHook(connection=connection)
        if self._selection is not None:  # a stage stays where it is
            return rancher, rancher.one(self._selection)
        return rancher, rancher.choose(rancher.selection)

    @cached_property
    def _extra(self) -> dict[str, Any]:
        if self._found is None:
            return dict(self.get_connection(self.cluster_conn_id).extra_dejson)
        rancher, cluster = self._found
        return rancher.settings(cluster)

    def get_conn(self) -> "KubernetesHook":
        """The provider's hook of the same Connection."""
        from flightline.hooks.cluster_client import ClusterClient

        return ClusterClient(self.cluster_conn_id, cluster=self._found[1].id if self._found else "")

    @property
    def serving_image(self) -> str:
        """The image that serves, with the code that is running: extra `serving_image` of the Connection names it."""
        connection = self.get_connection(self.cluster_conn_id)
        return code.image(str(connection.extra_dejson.get("serving_image", SERVING_IMAGE)))

    @property
    def destination(self) -> str:
        """URL of the cluster's API as Argo CD knows it: extra `argocd_server`, else the one that Argo CD runs in."""
        from include.stages.promotion.manifests import IN_CLUSTER

        return str(self._extra.get("argocd_server", IN_CLUSTER))

    def run_pod(self, image: str, arguments: Sequence[str], *, seconds: float = 600) -> str:
        """Run `python …` of an image to its end, where and as training pods run: by the template of the profile.

        Args:
            image: reference.
            arguments: what follows `python`.
            seconds: until the pod is given up.

        Returns:
            The pod's output.

        Raises:
            ServiceUnavailable: the image cannot be pulled (yet), the pod does not end in time, the cluster ended it
                (an eviction, a node's drain), or does not answer.
            InvalidInput: the program says by its exit code that a retry cannot help; its last words are in the message.
            RetryableError: it failed otherwise.
        """
        from flightline.backends.pods import asking

        core = self.get_conn().core_v1_client
        asked = asking(self.cluster_conn_id, image, arguments, seconds=int(seconds))
        namespace, deadline = asked["metadata"]["namespace"], time.monotonic() + seconds
        with _answering(f"a pod of image {image}"):
            pod = core.create_namespaced_pod(namespace, asked, _request_timeout=ANSWER_SECONDS)
            try:
                while pod.status.phase not in ENDED:
                    if (waiting := _state(pod, "waiting")) and waiting.reason in NO_IMAGE:
                        raise ServiceUnavailable(f"image {image} cannot be had: {str(waiting.message)[:500]}")
                    if time.monotonic() > deadline:
                        raise ServiceUnavailable(f"a pod of image {image} did not end within {seconds:.0f} s")
                    time.sleep(POLL_SECONDS)
                    pod = core.read_namespaced_pod(pod.metadata.name, namespace, _request_timeout=ANSWER_SECONDS)
                failed = pod.status.phase == "Failed"
                if failed and (why := _taken(pod)):  # then there may be no log
                    raise ServiceUnavailable(f"the cluster ended a pod of image {image}: {why}")
                # Raw: the client would take output that is JSON for an object.
                answer = core.read_namespaced_pod_log(
                    pod.metadata.name,
                    namespace,
                    container=asked["spec"]["containers"][0]["name"],
                    _preload_content=False,
                    _request_timeout=ANSWER_SECONDS,
                )
                said: str = answer.data.decode(errors="replace")
            finally:
                self._delete(core, pod.metadata.name, namespace)
        if failed:
            ended = _state(pod, "terminated")
            error = InvalidInput if ended and ended.exit_code == PERMANENT else RetryableError
            raise error(f"python {' '.join(arguments)[:200]} failed in image {image}: {said.strip()[-500:]}")
        return said

    def _delete(self, core: Any, name: str, namespace: str) -> None:
        """Delete a pod; what stands in the way must not hide how the pod ended."""
        from kubernetes.client import ApiException
        from urllib3.exceptions import HTTPError

        try:
            core.delete_namespaced_pod(name, namespace, grace_period_seconds=0, _request_timeout=ANSWER_SECONDS)
        except (ApiException, HTTPError) as error:
            self.log.warning("pod %s is not deleted: %s", name, _fault(error))

    @property
    def gateway(self) -> str:
        """`<namespace>/<name>` of the Gateway that routes are attached to: extra `gateway` of the Connection."""
        return str(self._extra.get("gateway", GATEWAY))

    def endpoint(self, spec: "UseCase", stage: "Stage") -> str:
        """Base URL of a stage, which stays the same whichever version answers.

        Raises:
            ServiceUnavailable: the stage has no address from outside (yet).
        """
        from include.stages.promotion import routing

        path = routing.of(stage).path(spec, stage)
        return self.service_url(spec.slug, stage.namespace) if path is None else self._gateway_url() + path

    def _gateway_url(self) -> str:
        """Extra `gateway_url` of the Connection, else what the Gateway's status says."""
        given = self._extra.get("gateway_url")
        if given:
            return str(given).rstrip("/")
        namespace, _, name = self.gateway.partition("/")
        group = ("gateway.networking.k8s.io", "v1")
        custom = self.get_conn().custom_object_client
        with _answering(f"Gateway {self.gateway}"):
            found = custom.get_namespaced_custom_object(
                *group, namespace, "gateways", name, _request_timeout=ANSWER_SECONDS
            )
        listener = found["spec"]["listeners"][0]
        for address in (found.get("status") or {}).get("addresses") or ():
            return f"{listener['protocol'].lower()}://{_host(address['value'])}:{listener['port']}"
        raise ServiceUnavailable(f"Gateway {self.gateway} has no address (yet): does a controller serve its class?")

    def expositions(self, spec: "UseCase", version: str, namespace: str) -> dict[str, tuple[int, str]]:
        """What each running replica of a version counts: pod -> restarts of its containers, text of `/metrics`.

        Asked through the API's proxy, for a Service's address is answered by one replica or another. The text of one
        that does not answer is empty; one that is on its way out is left out then.
        """
        from kubernetes.client import ApiException
        from urllib3.exceptions import HTTPError

        core = self.get_conn().core_v1_client
        labels = f"app.kubernetes.io/name={spec.slug},app.kubernetes.io/component=serving"
        with _answering(f"the pods of {spec.name} version {version}"):
            pods = core.list_namespaced_pod(
                namespace,
                label_selector=f"{labels},app.kubernetes.io/version={version}",
                field_selector="status.phase=Running",  # an evicted pod is listed for long, and tells nothing any more
                _request_timeout=ANSWER_SECONDS,
            )
        found = {}
        for pod in pods.items:
            restarts = sum(each.restart_count for each in pod.status.container_statuses or [])
            try:
                text = core.connect_get_namespaced_pod_proxy_with_path(
                    f"{pod.metadata.name}:8080",
                    namespace,
                    "metrics",
                    _preload_content=False,
                    _request_timeout=METRICS_SECONDS,
                ).data.decode(errors="replace")
            except (ApiException, HTTPError) as error:  # it is starting, or hangs: its restarts count all the same
                self.log.warning("%s does not tell its metrics: %s", pod.metadata.name, _fault(error))
                if pod.metadata.deletion_timestamp:
                    continue
                text = ""
            found[pod.metadata.name] = (restarts, text)
        return found

    def service_url(self, name: str, namespace: str) -> str:
        """Base URL of a Service of type NodePort or LoadBalancer, first port.

        Raises:
            ServiceUnavailable: the Service has no address from outside (yet).
        """
        core = self.get_conn().core_v1_client
        with _answering(f"Service {namespace}/{name}"):
            service = core.read_namespaced_service(name, namespace, _request_timeout=ANSWER_SECONDS)
        port = service.spec.ports[0]
        balancer = service.status and service.status.load_balancer
        for ingress in (balancer and balancer.ingress) or []:
            return f"http://{_host(ingress.hostname or ingress.ip)}:{port.port}"
        if port.node_port:
            with _answering("its nodes"):
                nodes = core.list_node(_request_timeout=ANSWER_SECONDS).items
            return f"http://{_host(_address(nodes))}:{port.node_port}"
        raise ServiceUnavailable(
            f"Service {namespace}/{name} of type {service.spec.type} has no address from outside: make it NodePort or "
            f"LoadBalancer (deploy/gitops/service.yaml)"
        )


@contextmanager
def _answering(what: str) -> Iterator[None]:
    """Turn the client's errors into the project's."""
    from kubernetes.client import ApiException
    from urllib3.exceptions import HTTPError

    try:
        yield
    except (ApiException, HTTPError) as error:
        raise ServiceUnavailable(f"the cluster does not answer for {what}: {_fault(error)}") from error


def _fault(error: Any) -> str:
    """What one of the client's errors says, without the headers that came along."""
    from kubernetes.client import ApiException

    if isinstance(error, ApiException):
        return f"{error.status} {error.reason} {cut(str(error.body or ''), 300)}".strip()
    return cause(error)


def _state(pod: Any, kind: str) -> Any:
    """Why the pod's container does not run yet (`waiting`) or any more (`terminated`); None where that is not so."""
    for status in pod.status.container_statuses or []:
        return getattr(status.state, kind)
    return None


def _taken(pod: Any) -> str:
    """Why the cluster ended the pod; empty where its program ended by itself.

    Kubelet gives a reason of the pod's own only then (Evicted, Preempting, NodeShutdown, DeadlineExceeded and others);
    what is evicted by the API, as a drain does it, has the condition, and is deleted.
    """
    if pod.status.reason:
        return f"{pod.status.reason}: {pod.status.message}"
    for condition in pod.status.conditions or []:
        if condition.type == "DisruptionTarget" and condition.status == "True":
            return f"{condition.reason}: {condition.message}"
    return "somebody has deleted it" if pod.metadata.deletion_timestamp else ""


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
