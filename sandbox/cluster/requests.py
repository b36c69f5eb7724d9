"""What a request asks for: the target of its path, its body, patch and options."""

import json
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple

import yaml
from starlette.requests import Request

from include.foundation.http.depth import DEPTH, is_deep
from sandbox import bodies, patch
from sandbox.cluster import strategic_merge
from sandbox.cluster.resources import RESOURCES, Resource
from sandbox.cluster.status import ApiError, Object, bad_request

_PATCHES: dict[str, Callable[[Any, Any], Any]] = {
    "application/json-patch+json": patch.json_patch,
    "application/merge-patch+json": patch.merge,
    "application/strategic-merge-patch+json": strategic_merge.merge,
}


MAX_BYTES = 3 * 2**20  # of a body, as the API server has it
_LEFT_OUT = ("exec", "attach", "portforward", "ephemeralcontainers", "authorization.k8s.io", "metrics.k8s.io")


class Target(NamedTuple):
    """What a path names. `namespace` is '' for cluster-scoped objects and for lists over all namespaces."""

    resource: Resource
    namespace: str
    name: str
    subresource: str
    rest: str


def parse_path(path: str) -> Target | None:
    """The target of `/api/v1/…` or `/apis/<group>/v1/…`, None when the path is not one."""
    parts = path.lstrip("/").split("/")
    group, parts = ("", parts[1:]) if parts[0] == "api" else (parts[1] if len(parts) > 1 else "", parts[2:])
    if not path.startswith(("/api/", "/apis/")) or len(parts) < 2 or parts[0] != "v1":
        return None
    parts, namespace = parts[1:], ""
    if parts[0] == "namespaces" and len(parts) > 2 and parts[2] not in ("status", "finalize"):
        namespace, parts = parts[1], parts[2:]
    resource = RESOURCES.get(parts[0])
    if resource is None or resource.group != group or (namespace and not resource.namespaced):
        return None
    name, subresource = (*parts[1:3], "", "")[:2]
    if name and resource.namespaced != bool(namespace):
        return None
    if subresource and subresource not in resource.subresources:
        return None
    return Target(resource, namespace, name, subresource, "/".join(parts[3:]))


def left_out(path: str) -> str | None:
    """What a path asks for that Kubernetes has and this stand-in does not."""
    words = path.strip("/").split("/")
    if words[:3] == ["api", "v1", "namespaces"] and words[4:5] == ["pods"] and words[6:] and words[6] in _LEFT_OUT:
        return f"{words[6]} of pods"
    return words[1] if words[0] == "apis" and words[1:] and words[1] in _LEFT_OUT else None


async def read(request: Request) -> bytes:
    """The bytes of a body. Raises ApiError 413 if there are more than `MAX_BYTES`."""
    try:
        return await bodies.read(request, MAX_BYTES)
    except bodies.TooLarge as error:
        text = f"Request entity too large: limit is {MAX_BYTES}"
        raise ApiError(413, "RequestEntityTooLarge", text) from error


def decode(body: bytes) -> Any:
    """JSON, or YAML, which contains it.

    Raises:
        ApiError: 400: it is neither, or nested too deep.
    """
    if body.lstrip().startswith((b"{", b"[")) and is_deep(body):
        raise bad_request(f"the body is nested more than {DEPTH} levels deep")
    try:
        return json.loads(body)
    except ValueError:
        try:
            return yaml.safe_load(body)
        except (yaml.YAMLError, RecursionError) as error:
            raise bad_request(f"the body is neither JSON nor YAML: {error}") from error


def dry_run(request: Request) -> bool:
    """Whether nothing is to be written."""
    return request.query_params.get("dryRun") == "All"


async def delete_options(request: Request) -> Object:
    """The DeleteOptions of body and query.

    Raises:
        ApiError: 400.
    """
    body = await read(request)
    options = decode(body) if body else {}
    if not isinstance(options, dict):
        raise bad_request("the body is not a DeleteOptions")
    query = request.query_params
    if "propagationPolicy" in query:
        options["propagationPolicy"] = query["propagationPolicy"]
    if "gracePeriodSeconds" in query:
        options["gracePeriodSeconds"] = query["gracePeriodSeconds"]
    policy, grace = options.get("propagationPolicy"), options.get("gracePeriodSeconds")
    if policy not in (None, "Background", "Foreground", "Orphan"):
        raise bad_request(f"unknown propagationPolicy {policy!r}")
    if grace is not None and not str(grace).lstrip("-").isdigit():
        raise bad_request(f"gracePeriodSeconds {grace!r} is not an integer")
    return options


async def body(request: Request, target: Target) -> Object:
    """The object of a POST or PUT, checked against the path.

    Raises:
        ApiError: 400 or 415.
    """
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip()
    if kind not in ("application/json", "application/yaml", "*/*"):
        raise _unsupported(kind, ("application/json", "application/yaml"))
    item = decode(await read(request))
    if not isinstance(item, dict) or not isinstance(item.get("metadata", {}), dict):
        raise bad_request("the body is not an object of the API")
    resource = target.resource
    if (
        item.get("kind", resource.kind) != resource.kind
        or item.get("apiVersion", resource.api_version) != resource.api_version
    ):
        given, wanted = (item.get("apiVersion"), item.get("kind")), (resource.api_version, resource.kind)
        raise bad_request(f"the object provided is unrecognized: {given} is not {wanted}")
    namespace = (item.get("metadata") or {}).get("namespace")
    if namespace and resource.namespaced and namespace != target.namespace:
        text = "the namespace of the provided object does not match the namespace sent on the request"
        raise bad_request(f"{text} ({namespace} is not {target.namespace})")
    return item


async def patch_body(request: Request) -> tuple[Callable[[Any, Any], Any], Any]:
    """The function of a PATCH, which raises ApiError 422 where the patch does not fit the object, and its argument.

    Raises:
        ApiError: 400 or 415.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    if kind not in _PATCHES:
        raise _unsupported(kind, _PATCHES)
    body = decode(await read(request))
    if isinstance(body, list) != (kind == "application/json-patch+json"):
        raise bad_request(f"the body is not a {kind}")
    return partial(_applied, _PATCHES[kind]), body


def _applied(apply: Callable[[Any, Any], Any], item: Object, body: Any) -> Any:
    try:
        return apply(item, body)
    except (ValueError, TypeError, AttributeError) as error:  # the last two: parts of other types than the object's
        message = f"the server rejected our request due to an error in our request: {error}"
        raise ApiError(422, "Invalid", message) from error


def _unsupported(kind: str, accepted: Iterable[str]) -> ApiError:
    text = f"the body of the request was in an unknown format ({kind}) - accepted media types include: "
    remedy = "; instead of protobuf `--dry-run=client -o yaml | kubectl create -f -` sends JSON"
    return ApiError(415, "UnsupportedMediaType", text + ", ".join(accepted) + (remedy if "protobuf" in kind else ""))
