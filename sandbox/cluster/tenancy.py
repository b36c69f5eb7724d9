"""Namespaces and Secrets for the stages that the use cases name, and the Gateway. Runs where the spec can be read."""

import base64
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from include.foundation.spec import load_all
from sandbox.cluster.gateways import NAME as CONTROLLER
from sandbox.endpoints import Endpoints

TRAINING = "flightline"
_CONFLICT = 409


def settle(at: Endpoints) -> None:
    """Create what is missing and bring the Secrets up to date."""
    stages = sorted({stage.namespace for use_case in load_all() for stage in use_case.promotion.stages})
    for namespace in (TRAINING, *stages):
        _put(at, "/api/v1/namespaces", {"kind": "Namespace", "metadata": {"name": namespace}})
    _secret(at, TRAINING, "flightline-trainer", at.trainer_env)
    for namespace in stages:
        _secret(at, namespace, "flightline-serving", at.serving_env)
    _gateway(at)


def _secret(at: Endpoints, namespace: str, name: str, values: Mapping[str, str]) -> None:
    data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
    metadata = {"name": name, "namespace": namespace}
    _put(at, f"/api/v1/namespaces/{namespace}/secrets", {"kind": "Secret", "metadata": metadata, "data": data})


def _gateway(at: Endpoints) -> None:
    """The Gateway that routes name as their parent (`include/stages/promotion/routing`)."""
    api, metadata = "/apis/gateway.networking.k8s.io/v1", {"name": "flightline"}
    _put(at, f"{api}/gatewayclasses", {"metadata": metadata, "spec": {"controllerName": CONTROLLER}})
    listener = {"name": "http", "protocol": "HTTP", "port": at.port_of("gateway")}
    listener |= {"allowedRoutes": {"namespaces": {"from": "All"}}}
    spec = {"gatewayClassName": "flightline", "listeners": [listener]}
    _put(at, f"{api}/namespaces/{TRAINING}/gateways", {"metadata": metadata, "spec": spec})


def _put(at: Endpoints, path: str, body: dict[str, Any]) -> None:
    try:
        _call(at, "POST", path, body)
    except urllib.error.HTTPError as error:
        if error.code != _CONFLICT:
            raise
        if changed := {part: body[part] for part in ("data", "spec") if part in body}:
            _call(at, "PATCH", f"{path}/{body['metadata']['name']}", changed)


def _call(at: Endpoints, method: str, path: str, body: dict[str, Any]) -> None:
    content = "application/merge-patch+json" if method == "PATCH" else "application/json"
    headers = {"Authorization": f"Bearer {at.secrets.cluster_token}", "Content-Type": content}
    request = urllib.request.Request(  # noqa: S310 (our own http URL)
        at.url("cluster") + path, json.dumps(body).encode(), headers, method=method
    )
    urllib.request.urlopen(request, timeout=10).close()  # noqa: S310


if __name__ == "__main__":
    settle(Endpoints.from_env())
