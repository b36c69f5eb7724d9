"""The kinds that the API serves: names for paths and discovery, selectable fields, scope and subresources."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Resource:
    """One kind of object. `name` is the plural of the path and the key of the store."""

    name: str
    kind: str
    group: str = ""
    namespaced: bool = True
    short: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()

    @property
    def api_version(self) -> str:
        """`v1`, `apps/v1`, `batch/v1`."""
        return f"{self.group}/v1" if self.group else "v1"

    @property
    def selectable(self) -> tuple[str, ...]:
        """Dotted paths that a field selector may name."""
        return ("metadata.name", "metadata.namespace", *self.fields)


GATEWAY_API = "gateway.networking.k8s.io"
_POD_FIELDS = (
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.schedulerName",
    "spec.serviceAccountName",
    "status.phase",
    "status.podIP",
)
_EVENT_FIELDS = (
    *(f"involvedObject.{key}" for key in ("kind", "namespace", "name", "uid", "apiVersion", "fieldPath")),
    "reason",
    "reportingComponent",
    "source",
    "type",
)

RESOURCES = {
    resource.name: resource
    for resource in (
        Resource(
            name="pods",
            kind="Pod",
            short=("po",),
            fields=_POD_FIELDS,
            subresources=("status", "log", "proxy"),
        ),
        Resource(name="services", kind="Service", short=("svc",), subresources=("status", "proxy")),
        Resource(name="endpoints", kind="Endpoints", short=("ep",)),
        Resource(name="configmaps", kind="ConfigMap", short=("cm",)),
        Resource(name="secrets", kind="Secret", fields=("type",)),
        Resource(name="persistentvolumeclaims", kind="PersistentVolumeClaim", short=("pvc",), subresources=("status",)),
        Resource(name="events", kind="Event", short=("ev",), fields=_EVENT_FIELDS),
        Resource(name="serviceaccounts", kind="ServiceAccount", short=("sa",)),
        Resource(
            name="namespaces",
            kind="Namespace",
            namespaced=False,
            short=("ns",),
            fields=("status.phase",),
            subresources=("status",),
        ),
        Resource(
            name="nodes",
            kind="Node",
            namespaced=False,
            short=("no",),
            fields=("spec.unschedulable",),
            subresources=("status",),
        ),
        Resource(
            name="deployments",
            kind="Deployment",
            group="apps",
            short=("deploy",),
            subresources=("status", "scale"),
        ),
        Resource(
            name="replicasets",
            kind="ReplicaSet",
            group="apps",
            short=("rs",),
            fields=("status.replicas",),
            subresources=("status", "scale"),
        ),
        Resource(name="jobs", kind="Job", group="batch", fields=("status.successful",), subresources=("status",)),
        Resource(name="networkpolicies", kind="NetworkPolicy", group="networking.k8s.io", short=("netpol",)),
        Resource(
            name="gatewayclasses",
            kind="GatewayClass",
            group=GATEWAY_API,
            namespaced=False,
            short=("gc",),
            subresources=("status",),
        ),
        Resource(name="gateways", kind="Gateway", group=GATEWAY_API, short=("gtw",), subresources=("status",)),
        Resource(name="httproutes", kind="HTTPRoute", group=GATEWAY_API, subresources=("status",)),
    )
}
KINDS = {resource.kind: resource for resource in RESOURCES.values()}
GROUPS = tuple(sorted({resource.group for resource in RESOURCES.values()} - {""}))
