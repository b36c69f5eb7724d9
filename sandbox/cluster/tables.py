"""The columns that kubectl prints: lists as a `Table` for clients that ask for one."""

import time
from collections.abc import Callable
from typing import Any

from sandbox.cluster.selectors import field
from sandbox.cluster.status import Object
from sandbox.cluster.timestamps import parse

_MEDIA = "as=Table"


def wanted(accept: str) -> bool:
    """Whether the client prefers a Table."""
    return _MEDIA in accept.partition(",")[0]


def age(item: Object) -> str:
    """How long ago the object was made, as kubectl shortens it."""
    seconds = max(0, int(time.time() - parse(item["metadata"]["creationTimestamp"])))
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _pod_state(pod: Object) -> str:
    if "deletionTimestamp" in pod["metadata"]:
        return "Terminating"
    status = pod["status"]
    for entry in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        for state in ("waiting", "terminated"):
            reason = field(entry, f"state.{state}.reason")
            if reason and reason not in ("PodInitializing", "Completed"):
                return str(reason)
    if status["phase"] == "Succeeded":
        return "Completed"
    return str(status.get("reason") or status["phase"])


def _containers(pod: Object) -> list[Object]:
    return pod["status"].get("containerStatuses") or []


def _pod_ready(pod: Object) -> str:
    return f"{sum(entry['ready'] for entry in _containers(pod))}/{len(pod['spec']['containers'])}"


def _ports(service: Object) -> str:
    ports = service["spec"].get("ports") or ()
    return ",".join(
        f"{port['port']}{':' + str(port['nodePort']) if 'nodePort' in port else ''}/{port['protocol']}"
        for port in ports
    )


def _addresses(endpoints: Object) -> str:
    subsets = endpoints.get("subsets") or ()
    pairs = [f"{a['ip']}:{p['port']}" for s in subsets for a in s.get("addresses") or () for p in s.get("ports") or ()]
    return ",".join(pairs) or "<none>"


def _job_state(job: Object) -> str:
    kinds = [entry["type"] for entry in field(job, "status.conditions") or () if entry["status"] == "True"]
    return kinds[-1] if kinds else "Running"


def _at(path: str, default: Any = 0) -> Callable[[Object], Any]:
    def value(item: Object) -> Any:
        found = field(item, path)
        return default if found is None else found

    return value


_COLUMNS: dict[str, dict[str, Callable[[Object], Any]]] = {
    "Pod": {
        "Ready": _pod_ready,
        "Status": _pod_state,
        "Restarts": lambda pod: sum(entry["restartCount"] for entry in _containers(pod)),
    },
    "Deployment": {
        "Ready": lambda item: f"{_at('status.readyReplicas')(item)}/{item['spec']['replicas']}",
        "Up-to-date": _at("status.updatedReplicas"),
        "Available": _at("status.availableReplicas"),
    },
    "ReplicaSet": {
        "Desired": _at("spec.replicas"),
        "Current": _at("status.replicas"),
        "Ready": _at("status.readyReplicas"),
    },
    "Job": {
        "Status": _job_state,
        "Completions": lambda job: f"{_at('status.succeeded')(job)}/{job['spec'].get('completions', 1)}",
    },
    "Service": {"Type": _at("spec.type"), "Cluster-IP": _at("spec.clusterIP"), "Port(s)": _ports},
    "Endpoints": {"Endpoints": _addresses},
    "Namespace": {"Status": _at("status.phase")},
    "Node": {"Status": lambda _: "Ready", "Version": _at("status.nodeInfo.kubeletVersion")},
    "ConfigMap": {"Data": lambda item: len(item.get("data") or ())},
    "Secret": {"Type": _at("type"), "Data": lambda item: len(item.get("data") or ())},
    "Event": {
        "Type": _at("type", ""),
        "Reason": _at("reason", ""),
        "Object": lambda event: f"{event['involvedObject']['kind'].lower()}/{event['involvedObject']['name']}",
        "Message": _at("message", ""),
    },
    "ServiceAccount": {},
}


def table(kind: str, items: list[Object], version: str) -> Object:
    """The Table of some objects of one kind."""
    columns: dict[str, Callable[[Object], Any]] = {
        "Name": lambda item: item["metadata"]["name"],
        **_COLUMNS.get(kind, {}),
        "Age": age,
    }
    types = {"Restarts": "integer", "Data": "integer"}
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {"resourceVersion": version},
        "columnDefinitions": [
            {
                "name": name,
                "type": types.get(name, "string"),
                "format": "name" if name == "Name" else "",
                "description": "",
                "priority": 0,
            }
            for name in columns
        ],
        "rows": [{"cells": [cell(item) for cell in columns.values()], "object": item} for item in items],
    }
