"""The log of an application's pod, as Argo CD streams it: a JSON entry a line, and one that says it was the last.

Left out: `follow`, filters and `since…`, more than a few last lines unless `tailLines` asks for them, and the log of
several pods at once (`/applications/{name}/logs`).
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from sandbox.argocd.errors import INVALID_ARGUMENT, ArgoError

_TO_CLUSTER = ("tailLines", "container", "previous")


def find(nodes: list[dict[str, Any]], pod: str, namespace: str) -> dict[str, Any]:
    """The pod of the resource tree. Raises ArgoError where the application has no such pod, as Argo CD does."""
    for node in nodes:
        if node["kind"] == "Pod" and node["name"] == pod and namespace in {"", node["namespace"]}:
            return node
    raise ArgoError(INVALID_ARGUMENT, f"pod {pod[:253]} not found as part of the application")


def asked(query: Mapping[str, str]) -> dict[str, str]:
    """What the cluster is asked, with times; a `tailLines` of 0 and empty values count as absent, as in Argo CD."""
    found = {name: query[name] for name in _TO_CLUSTER if query.get(name) not in {None, "", "0"}}
    if not found.get("tailLines", "1").isdecimal():
        raise ArgoError(INVALID_ARGUMENT, "tailLines is no number")
    return {**found, "timestamps": "true"}


def entries(pod: str, text: str) -> Iterator[str]:
    """The lines of the answer, from the cluster's lines: a time, a blank, what was said."""
    for line in text.splitlines():
        time, _, content = line.partition(" ")
        yield _entry(content=content, timeStamp=time, timeStampStr=time, last=False, podName=pod)
    yield _entry(content="", timeStamp=None, timeStampStr="", last=True, podName=pod)


def _entry(**fields: Any) -> str:
    return json.dumps({"result": fields}, separators=(",", ":")) + "\n"
