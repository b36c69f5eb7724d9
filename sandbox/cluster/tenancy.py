"""Namespaces and Secrets for the stages that the use cases name, and the Gateway. Runs where the spec can be read."""

import base64
import json
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any, NamedTuple

from include.foundation.spec import load_all
from sandbox.airflow.config import USER
from sandbox.cluster.gateways import NAME as CONTROLLER
from sandbox.endpoints import Endpoints

TRAINING, WORKSPACES = "flightline", "flightline-workspaces"
_CONFLICT = 409


class Api(NamedTuple):
    """Where a cluster is reached, and the token for it."""

    url: str
    token: str


def settle(at: Endpoints, api: Api, *, gateway: bool) -> None:
    """Create what is missing in a cluster and bring the Secrets up to date."""
    stages = sorted({stage.namespace for use_case in load_all() for stage in use_case.promotion.stages})
    for namespace in (TRAINING, WORKSPACES, *stages):
        _put(api, "/api/v1/namespaces", {"kind": "Namespace", "metadata": {"name": namespace}})
    _secret(api, TRAINING, "flightline-trainer", at.trainer_env)
    _secret(api, WORKSPACES, f"rights-{USER}", at.workspace_env)
    for namespace in stages:
        _secret(api, namespace, "flightline-serving", at.serving_env)
    if gateway:
        _gateway(at, api)


def _secret(api: Api, namespace: str, name: str, values: Mapping[str, str]) -> None:
    data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
    metadata = {"name": name, "namespace": namespace}
    _put(api, f"/api/v1/namespaces/{namespace}/secrets", {"kind": "Secret", "metadata": metadata, "data": data})


def _gateway(at: Endpoints, api: Api) -> None:
    """The Gateway that routes name as their parent (`include/stages/promotion/routing`)."""
    path, metadata = "/apis/gateway.networking.k8s.io/v1", {"name": "flightline"}
    _put(api, f"{path}/gatewayclasses", {"metadata": metadata, "spec": {"controllerName": CONTROLLER}})
    listener = {"name": "http", "protocol": "HTTP", "port": at.port_of("gateway")}
    listener |= {"allowedRoutes": {"namespaces": {"from": "All"}}}
    spec = {"gatewayClassName": "flightline", "listeners": [listener]}
    _put(api, f"{path}/namespaces/{TRAINING}/gateways", {"metadata": metadata, "spec": spec})


def _put(api: Api, path: str, body: dict[str, Any]) -> None:
    try:
        _call(api, "POST", path, body)
    except urllib.error.HTTPError as error:
        if error.code != _CONFLICT:
            raise
        if changed := {part: value for part, value in body.items() if part in ("data", "spec")}:
            _call(api, "PATCH", f"{path}/{body['metadata']['name']}", changed)


def _call(api: Api, method: str, path: str, body: dict[str, Any]) -> None:
    content = "application/merge-patch+json" if method == "PATCH" else "application/json"
    headers = {"Authorization": f"Bearer {api.token}", "Content-Type": content}
    request = urllib.request.Request(  # noqa: S310 (our own http URL)
        api.url + path, json.dumps(body).encode(), headers, method=method
    )
    urllib.request.urlopen(request, timeout=10).close()  # noqa: S310


def behind_rancher(at: Endpoints) -> list[Api]:
    """Each cluster of Rancher's, by its proxy."""
    headers = {"Authorization": f"Bearer {at.rancher_token}"}
    request = urllib.request.Request(f"{at.url('rancher')}/v3/clusters", headers=headers)  # noqa: S310 (as below)
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        found = json.load(answer)["data"]
    return [Api(f"{at.url('rancher')}/k8s/clusters/{each['id']}", at.rancher_token) for each in found]


def main() -> None:
    """Settle the cluster, or with the word `rancher` those behind Rancher, which have no Gateway."""
    at = Endpoints.from_env()
    if sys.argv[1:] == ["rancher"]:
        for api in behind_rancher(at):
            settle(at, api, gateway=False)
    else:
        settle(at, Api(at.url("cluster"), at.secrets.cluster_token), gateway=True)


if __name__ == "__main__":
    main()
