"""JSON patch (RFC 6902), JSON merge patch (RFC 7386), and the lists of Kubernetes' strategic merge."""

import copy
from typing import Any

import jsonpatch
import jsonpointer

SHOWN_CHARACTERS = 500  # of what is refused
# Lists that Kubernetes' strategic merge joins by a key (the first that the items have); every other list is replaced.
# From the patchMergeKey tags of k8s.io/api.
MERGED_LISTS: dict[str, tuple[str, ...]] = {
    "containers": ("name",),
    "initContainers": ("name",),
    "env": ("name",),
    "volumes": ("name",),
    "volumeMounts": ("mountPath",),
    "volumeDevices": ("devicePath",),
    "imagePullSecrets": ("name",),
    "secrets": ("name",),
    "ports": ("containerPort", "port"),
    "hostAliases": ("ip",),
    "topologySpreadConstraints": ("topologyKey",),
    "ownerReferences": ("uid",),
    "conditions": ("type",),
    "addresses": ("type",),
    "taints": ("key",),
    "podIPs": ("ip",),
}


def json_patch(document: Any, operations: Any) -> Any:
    """Apply a list of operations to a copy of the document, all or none.

    Raises:
        ValueError: an operation is none of the RFC's, its path does not exist or its test fails.
    """
    shown = str(operations)[:SHOWN_CHARACTERS]
    if not isinstance(operations, list) or not all(map(_is_operation, operations)):
        raise ValueError(
            f"the JSON patch {shown} does not apply: it is no list of objects with op, path and from as text"
        )
    try:
        return jsonpatch.apply_patch(document, operations)
    # TypeError: a path leads through what is neither object nor array.
    except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException, TypeError) as error:
        raise ValueError(f"the JSON patch {shown} does not apply: {str(error)[:SHOWN_CHARACTERS]}") from error


def _is_operation(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(value.get(name, ""), str) for name in ("op", "path", "from"))


def merge(document: Any, patch: Any) -> Any:
    """Apply a merge patch to a copy of the document: null removes, objects merge, anything else replaces."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = dict(document) if isinstance(document, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge(result.get(key), value)
    return result
