"""Kubernetes' three-way strategic merge: the patch that applies a manifest."""

from typing import Any

from sandbox.patch import MERGED_LISTS

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
        return bool(live == patch)
    return str(live) == str(patch)  # `cpu: 1` comes back as "1"


def _merge_key(name: str, items: Any) -> str | None:
    if not isinstance(items, list) or not items or not all(isinstance(item, dict) for item in items):
        return None
    return next((by for by in MERGED_LISTS.get(name, ()) if all(by in item for item in items)), None)
