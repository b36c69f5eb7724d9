"""Which applications a list or stream shows, and which of their fields."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

_TERM = re.compile(r"\s*(!?)([\w./-]+)\s*(?:(==|=|!=)\s*([\w.-]*)|(in|notin)\s*\(([^)]*)\))?\s*")


def labels_match(selector: str, labels: Mapping[str, str]) -> bool:
    """A Kubernetes label selector against labels. A malformed selector matches nothing."""
    return all(_term(term, labels) for term in re.split(r",(?![^(]*\))", selector) if term.strip())


def _term(term: str, labels: Mapping[str, str]) -> bool:
    match = _TERM.fullmatch(term)
    if match is None:
        return False
    absent, name, operator, value, membership, values = match.groups()
    if membership:
        inside = labels.get(name) in [each.strip() for each in values.split(",")]
        return inside == (membership == "in")
    if operator:
        return (labels.get(name) == value) == (operator != "!=")
    return (name in labels) != bool(absent)


def shown(app: Mapping[str, Any], query: Mapping[str, Any]) -> bool:
    """Whether an application passes the filters of a query: `name`, `projects`, `repo`, `selector`."""
    spec, metadata = app["spec"], app["metadata"]
    return (
        query.get("name") in (None, "", metadata["name"])
        and (not query.get("projects") or spec["project"] in query["projects"])
        and query.get("repo") in (None, "", spec["source"]["repoURL"])
        and labels_match(query.get("selector") or "", metadata.get("labels", {}))
    )


def fields(value: Any, paths: Sequence[str]) -> Any:
    """Only the fields under dotted paths (lists are walked through), or with a leading `-` all but those."""
    if not paths or not paths[0]:
        return value
    excluded = paths[0].startswith("-")
    split = [tuple(path.removeprefix("-").split(".")) for path in paths]
    return _without(value, split) if excluded else _only(value, split)


def _only(value: Any, paths: list[tuple[str, ...]]) -> Any:
    if () in paths:
        return value
    if isinstance(value, list):
        return [_only(item, paths) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {}
    for name in value:
        deeper = [path[1:] for path in paths if path[0] == name]
        if deeper:
            kept[name] = _only(value[name], deeper)
    return kept


def _without(value: Any, paths: list[tuple[str, ...]]) -> Any:
    if isinstance(value, list):
        return [_without(item, paths) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: _without(item, [path[1:] for path in paths if path[0] == name])
        for name, item in value.items()
        if (name,) not in paths
    }
