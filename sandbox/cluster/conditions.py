"""Conditions of a status: one entry a type, whose lastTransitionTime moves only when its status does."""

from sandbox.cluster import timestamps
from sandbox.cluster.status import Object


def condition(items: list[Object], kind: str) -> Object | None:
    """The condition of that type, or None."""
    return next((item for item in items if item["type"] == kind), None)


def with_condition(items: list[Object], kind: str, holds: bool, reason: str = "", message: str = "") -> list[Object]:
    """The conditions with one of them set."""
    old, status = condition(items, kind), "True" if holds else "False"
    since = old["lastTransitionTime"] if old and old["status"] == status else timestamps.now()
    new: Object = {"type": kind, "status": status, "lastTransitionTime": since}
    new |= {key: value for key, value in (("reason", reason), ("message", message)) if value}
    return (
        [item for item in items if item["type"] != kind] + [new]
        if old is None
        else [new if item["type"] == kind else item for item in items]
    )
