"""Patches: Kubernetes' three-way strategic merge, JSON merge patch (RFC 7386) and JSON patch (RFC 6902)."""

import copy
from typing import Any

# Lists that strategic merge joins item by item, and the field that names an item (first one that the items have).
_MERGED_LISTS = {
    "containers": ("name",),
    "initContainers": ("name",),
    "env": ("name",),
    "volumes": ("name",),
    "volumeMounts": ("mountPath",),
    "ports": ("containerPort", "port"),
    "imagePullSecrets": ("name",),
    "hostAliases": ("ip",),
}
_DELETE = {"$patch": "delete"}


def strategic(last: dict[str, Any], want: dict[str, Any]) -> dict[str, Any]:
    """The strategic merge patch that sets all of `want` and removes what only `last` (applied before) held.

    What neither of them names (defaults, fields of controllers) is left alone.
    """
    patch: dict[str, Any] = {name: None for name in last if name not in want}
    for name, value in want.items():
        old = last.get(name)
        if isinstance(value, dict):
            patch[name] = strategic(old if isinstance(old, dict) else {}, value)
        elif by := _merge_key(name, value):
            olds = {item[by]: item for item in old or [] if isinstance(item, dict) and by in item}
            patch[name] = [strategic(olds.pop(item[by], {}), item) for item in value]
            patch[name] += [{by: gone, **_DELETE} for gone in olds]
        else:
            patch[name] = value
    return patch


def satisfied(live: Any, patch: Any, *, name: str = "") -> bool:
    """Whether applying a strategic patch would leave `live` as it is."""
    if isinstance(patch, dict):
        if not isinstance(live, dict):
            return not patch and live is None
        return all(satisfied(live.get(field), value, name=field) for field, value in patch.items())
    if isinstance(patch, list):
        by = _merge_key(name, patch)
        if by is None:
            return isinstance(live, list) and len(live) == len(patch) and all(map(satisfied, live, patch))
        lives = {item.get(by): item for item in live or []}
        return all(
            (item[by] not in lives) if item.get("$patch") == "delete" else satisfied(lives.get(item[by]), item)
            for item in patch
        )
    if patch is None or live is None or isinstance(patch, bool):
        return live == patch
    return str(live) == str(patch)  # `cpu: 1` comes back as "1"


def _merge_key(name: str, items: Any) -> str | None:
    if not isinstance(items, list) or not items or not all(isinstance(item, dict) for item in items):
        return None
    return next((by for by in _MERGED_LISTS.get(name, ()) if all(by in item for item in items)), None)


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7386: null removes, objects join, anything else replaces."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merge_patch(result.get(name), value)
    return result


def json_patch(target: dict[str, Any], operations: list[dict[str, Any]]) -> dict[str, Any]:
    """RFC 6902 without move and copy.

    Raises:
        ValueError: an operation is unknown, its path does not exist or its test fails.
    """
    result = copy.deepcopy(target)
    for operation in operations:
        *parents, last = [part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:]]
        try:
            place: Any = result
            for part in parents:
                place = place[int(part)] if isinstance(place, list) else place[part]
            _apply(place, last, operation)
        except (KeyError, IndexError, TypeError) as error:
            raise ValueError(f"{operation['op']} operation does not apply: {operation['path']}: {error!r}") from error
    return result


def _apply(place: Any, name: str, operation: dict[str, Any]) -> None:
    listed = isinstance(place, list)
    index: Any = (len(place) if name == "-" else int(name)) if listed else name
    match operation["op"]:
        case "add" if listed:
            place.insert(index, operation["value"])
        case "add":
            place[index] = operation["value"]
        case "replace":
            del place[index]  # it must exist
            _apply(place, name, {**operation, "op": "add"})
        case "remove":
            del place[index]
        case "test":
            if place[index] != operation["value"]:
                raise ValueError(f"testing value {operation['path']} failed")
        case other:
            raise ValueError(f"unexpected kind: {other}")
