"""JSON merge patch (RFC 7386), JSON patch (RFC 6902) and Kubernetes' strategic merge patch. All return a new value."""

import copy
from typing import Any

from sandbox.cluster.status import ApiError, Object, bad_request

# Lists that strategic merge joins by a key; every other list is replaced. From the patchMergeKey tags of k8s.io/api.
_MERGE_KEYS: dict[str, tuple[str, ...]] = {
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
_PRIMITIVE_LISTS = ("finalizers",)


def merge(target: Any, patch: Any) -> Any:
    """Apply a JSON merge patch: null removes, objects merge, anything else replaces."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge(result.get(key), value)
    return result


def json_patch(target: Any, operations: list[Object]) -> Any:
    """Apply a JSON patch.

    Raises:
        ApiError: 400 for an unknown operation, 422 when a path is absent or a test fails.
    """
    document = copy.deepcopy(target)
    for operation in operations:
        try:
            document = _apply(document, operation)
        except (KeyError, IndexError, ValueError, TypeError) as error:
            message = f"the server rejected our request due to an error in our request: {operation}: {error}"
            raise ApiError(422, "Invalid", message) from error
    return document


def _apply(document: Any, operation: Object) -> Any:
    name, path = operation["op"], _pointer(operation["path"])
    match name:
        case "add":
            return _add(document, path, copy.deepcopy(operation["value"]))
        case "remove":
            return _remove(document, path)
        case "replace":
            if path:
                document = _remove(document, path)
            return _add(document, path, copy.deepcopy(operation["value"]))
        case "copy":
            return _add(document, path, copy.deepcopy(_at(document, _pointer(operation["from"]))))
        case "move":
            source = _pointer(operation["from"])
            value = _at(document, source)
            return _add(_remove(document, source), path, value)
        case "test":
            if _at(document, path) != operation["value"]:
                raise ValueError("test failed")
            return document
    raise bad_request(f"unknown JSON patch operation {name!r}")


def _pointer(text: str) -> list[str]:
    if text and not text.startswith("/"):
        raise ValueError(f"{text!r} is not a JSON pointer")
    return [step.replace("~1", "/").replace("~0", "~") for step in text.split("/")[1:]]


def _index(step: str, end: int) -> int:
    index = int(step)
    if not 0 <= index < end:
        raise IndexError(f"index {step} is out of range")
    return index


def _at(document: Any, path: list[str]) -> Any:
    for step in path:
        document = document[_index(step, len(document))] if isinstance(document, list) else document[step]
    return document


def _add(document: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value
    parent, last = _at(document, path[:-1]), path[-1]
    if isinstance(parent, list):
        parent.insert(len(parent) if last == "-" else _index(last, len(parent) + 1), value)
    else:
        parent[last] = value
    return document


def _remove(document: Any, path: list[str]) -> Any:
    if not path:
        return None
    parent, last = _at(document, path[:-1]), path[-1]
    del parent[_index(last, len(parent)) if isinstance(parent, list) else last]
    return document


def strategic(target: Any, patch: Object) -> Object:
    """Apply a strategic merge patch.

    Directives: $patch, $retainKeys, $setElementOrder and $deleteFromPrimitiveList.
    """
    if patch.get("$patch") == "replace":
        return {key: copy.deepcopy(value) for key, value in patch.items() if key != "$patch"}
    result = dict(target) if isinstance(target, dict) else {}
    if retained := patch.get("$retainKeys"):
        result = {key: value for key, value in result.items() if key in retained}
    for key, value in patch.items():
        directive, _, name = key.partition("/")
        if directive == "$deleteFromPrimitiveList":
            result[name] = [item for item in result.get(name) or [] if item not in value]
        elif not key.startswith("$"):
            _strategic_field(result, key, value)
    for key, order in patch.items():
        directive, _, name = key.partition("/")
        if directive == "$setElementOrder" and name in result:
            result[name] = _ordered(name, result[name], order)
    return result


def _strategic_field(result: Object, key: str, value: Any) -> None:
    if value is None or (isinstance(value, dict) and value.get("$patch") == "delete"):
        result.pop(key, None)
    elif isinstance(value, dict):
        result[key] = strategic(result.get(key), value)
    elif isinstance(value, list):
        result[key] = _strategic_list(key, result.get(key) or [], value)
    else:
        result[key] = value


def _merge_key(name: str, items: list[Any]) -> str | None:
    for key in _MERGE_KEYS.get(name, ()):
        if items and all(isinstance(item, dict) and key in item for item in items if not _replaces(item)):
            return key
    return None


def _replaces(item: Any) -> bool:
    return isinstance(item, dict) and item.get("$patch") == "replace"


def _strategic_list(name: str, target: list[Any], patch: list[Any]) -> list[Any]:
    if name in _PRIMITIVE_LISTS:
        return target + [item for item in patch if item not in target]
    key = _merge_key(name, patch)
    if any(map(_replaces, patch)) or key is None:
        return [copy.deepcopy(item) for item in patch if not _replaces(item)]
    result = list(target)
    for item in patch:
        at = next((index for index, old in enumerate(result) if old.get(key) == item[key]), None)
        if item.get("$patch") == "delete":
            result = [old for old in result if old.get(key) != item[key]]
        elif at is None:
            result.append(strategic({}, item))
        else:
            result[at] = strategic(result[at], item)
    return result


def _ordered(name: str, items: list[Any], order: list[Any]) -> list[Any]:
    """Items named in `order` first and in that order; the rest keep their order behind them."""
    if name in _PRIMITIVE_LISTS:
        rank = {item: index for index, item in enumerate(order)}
        return sorted(items, key=lambda item: rank.get(item, len(order)))
    key = _merge_key(name, order)
    if key is None:
        return items
    rank = {item[key]: index for index, item in enumerate(order)}
    return sorted(items, key=lambda item: rank.get(item.get(key), len(order)))
