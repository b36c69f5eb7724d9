"""Kubernetes' strategic merge patch. Returns a new value."""

import copy
from typing import Any

from sandbox.cluster.status import Object
from sandbox.patch import MERGED_LISTS

_PRIMITIVE_LISTS = ("finalizers",)


def merge(target: Any, patch: Object) -> Object:
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
            _merge_field(result, key, value)
    for key, order in patch.items():
        directive, _, name = key.partition("/")
        if directive == "$setElementOrder" and name in result:
            result[name] = _ordered(name, result[name], order)
    return result


def _merge_field(result: Object, key: str, value: Any) -> None:
    if value is None or (isinstance(value, dict) and value.get("$patch") == "delete"):
        result.pop(key, None)
    elif isinstance(value, dict):
        result[key] = merge(result.get(key), value)
    elif isinstance(value, list):
        result[key] = _merge_list(key, result.get(key) or [], value)
    else:
        result[key] = value


def _merge_key(name: str, items: list[Any]) -> str | None:
    for key in MERGED_LISTS.get(name, ()):
        if items and all(isinstance(item, dict) and key in item for item in items if not _replaces(item)):
            return key
    return None


def _replaces(item: Any) -> bool:
    return isinstance(item, dict) and item.get("$patch") == "replace"


def _merge_list(name: str, target: list[Any], patch: list[Any]) -> list[Any]:
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
            result.append(merge({}, item))
        else:
            result[at] = merge(result[at], item)
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
