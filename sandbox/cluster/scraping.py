"""What Prometheus scrapes, for its HTTP discovery: Debian's Prometheus is built without the one for Kubernetes.

https://prometheus.io/docs/prometheus/latest/http_sd/. The labels are those that `role: endpointslice` of the Kubernetes
discovery gives, as far as `deploy/prometheus/prometheus.yaml` reads them.
"""

import re
from typing import Any

from sandbox.cluster.status import Object
from sandbox.cluster.store import Store

PATH = "/sandbox/prometheus-targets"
_PREFIX = "__meta_kubernetes_"


def targets(store: Store) -> list[dict[str, Any]]:
    """Every address of every Service, ready or not."""
    found = []
    for endpoints in store.list("endpoints"):
        service = store.find("services", endpoints["metadata"]["namespace"], endpoints["metadata"]["name"])
        if service is None:
            continue
        for subset in endpoints.get("subsets") or ():
            for address in (*subset.get("addresses", ()), *subset.get("notReadyAddresses", ())):
                at = [f"{address['ip']}:{port['port']}" for port in subset["ports"]]
                found.append({"targets": at, "labels": _labels(service, address)})
    return found


def _labels(service: Object, address: Object) -> dict[str, str]:
    metadata = service["metadata"]
    named = {
        "namespace": metadata["namespace"],
        "service_name": metadata["name"],
        "pod_name": (address.get("targetRef") or {}).get("name", ""),
        **{
            f"service_label_{re.sub(r'[^a-zA-Z0-9_]', '_', name)}": value
            for name, value in (metadata.get("labels") or {}).items()
        },
    }
    return {_PREFIX + name: value for name, value in named.items()}
