"""Defaults and validation: what an object looks like once the API has accepted it, and what it refuses with 422."""

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from typing import Any

from sandbox.cluster import quantities, timestamps
from sandbox.cluster.faults import LABEL, LEFT_OUT, SUBDOMAIN, Faults
from sandbox.cluster.pod_spec import admit_pod_spec
from sandbox.cluster.resources import Resource
from sandbox.cluster.selectors import field, matches, requirements
from sandbox.cluster.status import Object, invalid

_SERVICE = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?")
_LABEL_KEY = re.compile(r"([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_DATA_KEY = re.compile(r"[-._a-zA-Z0-9]+")


def admit(resource: Resource, item: Object, old: Object | None = None) -> None:
    """Fill in defaults and validate, in place. `old` is the object that an update replaces.

    Raises:
        ApiError: 422 with every fault.
    """
    faults = Faults()
    _metadata(resource, item, faults)
    if not faults:
        try:
            if prepare := _PREPARE.get(resource.kind):
                prepare(item, faults)
            if old is not None:
                _immutable(resource, item, old, faults)
        except (TypeError, AttributeError, KeyError, ValueError) as error:
            # Any value of a wrong type ends here; the API server would name the field, this one names the value.
            faults.add("spec", f"Invalid value: {error}")
    if faults:
        raise invalid(resource.kind, item["metadata"].get("name", ""), faults)


def _metadata(resource: Resource, item: Object, faults: Faults) -> None:
    metadata = item["metadata"]
    name, longest = metadata["name"], 63 if resource.kind in ("Service", "Namespace") else 253
    pattern = {"Service": _SERVICE, "Namespace": LABEL}.get(resource.kind, SUBDOMAIN)
    if not isinstance(name, str) or len(name) > longest or not pattern.fullmatch(name):
        rule = "must consist of lower case alphanumeric characters, '-' or '.', and must start and end with one"
        faults.add("metadata.name", f"Invalid value: {name!r}: a lowercase RFC 1123 name {rule}")
    for part in ("labels", "annotations"):
        values = metadata.get(part)
        if values is not None and not (
            isinstance(values, dict) and all(isinstance(value, str) for value in values.values())
        ):
            faults.add(f"metadata.{part}", "Invalid value: must be a map of strings")
        elif part == "labels":
            _labels(values or {}, "metadata.labels", faults)
    if not _texts(metadata.get("finalizers") or []):
        faults.add("metadata.finalizers", "Invalid value: must be a list of names")
    owners = metadata.get("ownerReferences") or []
    if not isinstance(owners, list):
        faults.add("metadata.ownerReferences", "Invalid value: must be a list")
        return
    for index, owner in enumerate(owners):
        for key in ("apiVersion", "kind", "name", "uid"):
            if not isinstance(owner, dict) or not _texts([owner.get(key)]):
                faults.add(f"metadata.ownerReferences[{index}].{key}", "Invalid value: must not be empty")


def _texts(values: Any) -> bool:
    """Whether it is a list of texts, none of them empty."""
    return isinstance(values, list) and all(isinstance(value, str) and value for value in values)


def _labels(labels: dict[str, str], path: str, faults: Faults) -> None:
    for key, value in labels.items():
        prefix, _, short = key.rpartition("/")
        if not _LABEL_KEY.fullmatch(key) or len(short) > 63 or len(prefix) > 253:
            faults.add(path, f"Invalid value: {key!r}: is not a qualified name")
        if len(value) > 63 or not _LABEL_VALUE.fullmatch(value):
            faults.add(path, f"Invalid value: {value!r}: a valid label must be at most 63 characters of [-A-Za-z0-9_.]")


def _pod(item: Object, faults: Faults) -> None:
    admit_pod_spec(item.setdefault("spec", {}), "spec", faults)


def _workload(item: Object, faults: Faults) -> None:
    """Deployments and ReplicaSets."""
    spec = item.setdefault("spec", {})
    if spec.get("replicas") is None:
        spec["replicas"] = 1
    faults.whole(spec, "replicas", "spec")
    faults.whole(spec, "minReadySeconds", "spec")
    labels = field(spec, "template.metadata.labels") or {}
    selector = spec.get("selector")
    if not selector or not requirements(selector):
        faults.add("spec.selector", "Required value")
    elif not matches(requirements(selector), labels):
        faults.add(
            "spec.template.metadata.labels", f"Invalid value: {labels}: `selector` does not match template `labels`"
        )
    _template(spec, faults, "Always")


def _template(spec: Object, faults: Faults, *policies: str) -> None:
    template = spec.setdefault("template", {})
    metadata = template.setdefault("metadata", {})
    _labels(metadata.get("labels") or {}, "spec.template.metadata.labels", faults)
    pod = template.setdefault("spec", {})
    admit_pod_spec(pod, "spec.template.spec", faults)
    if pod["restartPolicy"] not in policies:
        wanted = ", ".join(map(repr, policies))
        faults.add(
            "spec.template.spec.restartPolicy",
            f"Unsupported value: {pod['restartPolicy']!r}: supported values: {wanted}",
        )


def _deployment(item: Object, faults: Faults) -> None:
    _workload(item, faults)
    spec = item["spec"]
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("progressDeadlineSeconds", 600)
    strategy = spec.setdefault("strategy", {})
    if strategy.setdefault("type", "RollingUpdate") == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        for key in ("maxUnavailable", "maxSurge"):
            quantities.scaled(rolling.setdefault(key, "25%"), spec["replicas"], up=True)
    elif strategy["type"] != "Recreate":
        faults.add("spec.strategy.type", f"Unsupported value: {strategy['type']!r}")


def _job(item: Object, faults: Faults) -> None:
    spec = item.setdefault("spec", {})
    for key, value in {"parallelism": 1, "backoffLimit": 6, "completionMode": "NonIndexed", "suspend": False}.items():
        if spec.get(key) is None:
            spec[key] = value
    if spec.get("completions") is None and spec["parallelism"] <= 1:
        spec["completions"] = 1
    for key in ("parallelism", "backoffLimit", "completions", "activeDeadlineSeconds", "ttlSecondsAfterFinished"):
        faults.whole(spec, key, "spec")
    if spec["completionMode"] != "NonIndexed":
        faults.add("spec.completionMode", LEFT_OUT)
    if spec.get("podFailurePolicy"):
        faults.add("spec.podFailurePolicy", LEFT_OUT)
    uid, metadata = item["metadata"].get("uid", ""), spec.setdefault("template", {}).setdefault("metadata", {})
    selector = {"batch.kubernetes.io/controller-uid": uid}  # the label without a prefix is its older name
    spec.setdefault("selector", {"matchLabels": selector})
    metadata["labels"] = (metadata.get("labels") or {}) | {
        **(spec["selector"].get("matchLabels") or {}),
        "batch.kubernetes.io/job-name": item["metadata"]["name"],
        "job-name": item["metadata"]["name"],
        "controller-uid": uid,
    }
    _template(spec, faults, "OnFailure", "Never")


def _service(item: Object, faults: Faults) -> None:
    spec = item.setdefault("spec", {})
    kind = spec.setdefault("type", "ClusterIP")
    if kind not in ("ClusterIP", "NodePort", "LoadBalancer"):
        faults.add("spec.type", LEFT_OUT if kind == "ExternalName" else f"Unsupported value: {kind!r}")
    spec.setdefault("sessionAffinity", "None")
    if spec["sessionAffinity"] != "None":
        faults.add("spec.sessionAffinity", LEFT_OUT)
    spec.setdefault("clusterIP", "127.0.0.1")
    spec.setdefault("clusterIPs", [spec["clusterIP"]])
    ports = spec.get("ports") or []
    if not ports and spec["clusterIP"] != "None":
        faults.add("spec.ports", "Required value")
    for index, port in enumerate(ports):
        port.setdefault("protocol", "TCP")
        port.setdefault("targetPort", port.get("port"))
        if not isinstance(port.get("port"), int) or not 0 < port["port"] < 65536:
            faults.add(f"spec.ports[{index}].port", f"Invalid value: {port.get('port')!r}: must be between 1 and 65535")
        if port["protocol"] != "TCP":
            faults.add(f"spec.ports[{index}].protocol", LEFT_OUT)
        if len(ports) > 1 and not port.get("name"):
            faults.add(f"spec.ports[{index}].name", "Required value")


def _secret(item: Object, faults: Faults) -> None:
    item.setdefault("type", "Opaque")
    data = dict(item.get("data") or {})
    for key, text in (item.pop("stringData", None) or {}).items():
        data[key] = base64.b64encode(text.encode()).decode()
    for key, text in data.items():
        if not _DATA_KEY.fullmatch(key):
            faults.add(f"data[{key}]", "Invalid value: a valid config key must consist of [-._a-zA-Z0-9]")
        try:
            base64.b64decode(text or "", validate=True)
        except (binascii.Error, TypeError):
            faults.add(f"data[{key}]", "Invalid value: illegal base64 data")
    if data:
        item["data"] = data


def _configmap(item: Object, faults: Faults) -> None:
    for key, text in (item.get("data") or {}).items():
        if not _DATA_KEY.fullmatch(key):
            faults.add(f"data[{key}]", "Invalid value: a valid config key must consist of [-._a-zA-Z0-9]")
        if not isinstance(text, str):
            faults.add(f"data[{key}]", f"Invalid value: {text!r}: must be a string")


def _event(item: Object, faults: Faults) -> None:
    involved = item.get("involvedObject")
    if not isinstance(involved, dict) or not _texts([involved.get("kind"), involved.get("name")]):
        faults.add("involvedObject", "Invalid value: must have kind and name")
    faults.whole(item, "count", "event")
    if item.get("lastTimestamp"):
        timestamps.parse(item["lastTimestamp"])


def _node(item: Object, _faults: Faults) -> None:
    item.setdefault("spec", {})
    item.setdefault("status", {}).setdefault("allocatable", {})


def _namespace(item: Object, _faults: Faults) -> None:
    item.setdefault("spec", {}).setdefault("finalizers", ["kubernetes"])
    item.setdefault("status", {}).setdefault("phase", "Active")
    metadata = item["metadata"]
    metadata["labels"] = (metadata.get("labels") or {}) | {"kubernetes.io/metadata.name": metadata["name"]}


_PREPARE: dict[str, Callable[[Object, Faults], None]] = {
    "Pod": _pod,
    "Deployment": _deployment,
    "ReplicaSet": _workload,
    "Job": _job,
    "Service": _service,
    "Secret": _secret,
    "ConfigMap": _configmap,
    "Namespace": _namespace,
    "Node": _node,
    "Event": _event,
}


def _immutable(resource: Resource, item: Object, old: Object, faults: Faults) -> None:
    for path in {"Deployment": ("spec.selector",), "ReplicaSet": ("spec.selector",)}.get(resource.kind, ()):
        if field(item, path) != field(old, path):
            faults.add(path, f"Invalid value: {field(item, path)}: field is immutable")
    if resource.kind == "Job":
        for path in ("spec.selector", "spec.template", "spec.completions"):
            if field(item, path) != field(old, path):
                faults.add(path, "Invalid value: field is immutable")
    if resource.kind in ("Secret", "ConfigMap") and old.get("immutable") and item.get("data") != old.get("data"):
        faults.add("data", "Forbidden: field is immutable when `immutable` is set")
    if resource.kind == "Secret" and item["type"] != old["type"]:
        faults.add("type", "Invalid value: field is immutable")
    if resource.kind == "Pod" and dict(_frozen(item["spec"])) != dict(_frozen(old["spec"])):
        allowed = (
            "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations`"
        )
        faults.add("spec", f"Forbidden: pod updates may not change fields other than {allowed}")


def _frozen(spec: Object) -> Iterator[tuple[str, Any]]:
    for key, value in spec.items():
        if key in ("containers", "initContainers"):
            yield key, [{name: part for name, part in container.items() if name != "image"} for container in value]
        elif key not in ("activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds"):
            yield key, value
