"""What the API serves, in the forms by which clients find out: versions, groups, resources and an empty schema."""

from functools import cache

from sandbox.cluster.resources import GROUPS, RESOURCES
from sandbox.cluster.status import Object

VERSION = {
    "major": "1",
    "minor": "32",
    "gitVersion": "v1.32.0+sandbox",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "2026-01-01T00:00:00Z",
    "goVersion": "",
    "compiler": "",
    "platform": "linux/amd64",
}
_VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]


def document(path: str) -> Object | None:
    """The discovery document at a path, or None."""
    return _documents().get(path)


@cache
def _documents() -> dict[str, Object]:
    groups = {f"/apis/{name}": {"kind": "APIGroup", "apiVersion": "v1"} | _group(name) for name in GROUPS}
    versions = {f"/apis/{name}/v1": _resources(name, f"{name}/v1") for name in GROUPS}
    return {
        "/version": VERSION,
        "/api": {"kind": "APIVersions", "versions": ["v1"]},
        "/api/v1": _resources("", "v1"),
        "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(name) for name in GROUPS]},
        "/openapi/v3": {"paths": {}},
        **groups,
        **versions,
    }


def _group(name: str) -> Object:
    version = {"groupVersion": f"{name}/v1", "version": "v1"}
    return {"name": name, "versions": [version], "preferredVersion": version}


def _resources(group: str, version: str) -> Object:
    entries: list[Object] = []
    for resource in RESOURCES.values():
        if resource.group != group:
            continue
        entry = {
            "name": resource.name,
            "singularName": resource.kind.lower(),
            "namespaced": resource.namespaced,
            "kind": resource.kind,
            "verbs": _VERBS,
            "shortNames": list(resource.short),
            "categories": ["all"] if resource.name in _ALL else [],
        }
        entries.append(entry)
        for part in resource.subresources:
            extra = (
                {"group": "autoscaling", "version": "v1", "kind": "Scale"}
                if part == "scale"
                else {"kind": resource.kind}
            )
            verbs = ["get"] if part in ("log", "proxy") else ["get", "patch", "update"]
            name = f"{resource.name}/{part}"
            entries.append(
                {"name": name, "singularName": "", "namespaced": resource.namespaced, "verbs": verbs} | extra
            )
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": entries}


_ALL = ("pods", "services", "deployments", "replicasets", "jobs")
