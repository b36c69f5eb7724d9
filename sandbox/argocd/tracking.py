"""Which live objects belong to which application, and what Git wants them to be."""

import base64
import json
from typing import Any

from sandbox.argocd.live import Cluster, Key, Live, Manifest

TRACKING = "argocd.argoproj.io/tracking-id"
WAVE = "argocd.argoproj.io/sync-wave"
HOOK = "argocd.argoproj.io/hook"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
# gitops-engine's order within a wave; other kinds come last.
_FIRST = (
    "Namespace",
    "ServiceAccount",
    "Secret",
    "ConfigMap",
    "PersistentVolumeClaim",
    "Role",
    "RoleBinding",
    "Service",
)

Targets = dict[Key, Manifest]


def tracking_id(app: str, key: Key) -> str:
    """The value of the annotation that ties an object to an application."""
    return f"{app}:{key.group}/{key.kind}:{key.namespace}/{key.name}"


def targets(app: dict[str, Any], manifests: list[Manifest], cluster: Cluster) -> Targets:
    """What the application wants, in the order of application: namespace set, tracked, without `stringData`."""
    wanted = []
    for manifest in manifests:
        metadata = dict(manifest["metadata"])
        if cluster.namespaced(manifest):
            metadata.setdefault("namespace", app["spec"]["destination"].get("namespace") or "default")
        else:
            metadata.pop("namespace", None)
        target = {**manifest, "metadata": metadata}
        target.pop("status", None)
        if manifest["kind"] == "Secret" and "stringData" in target:
            plain = target.pop("stringData")
            encoded = {name: base64.b64encode(str(value).encode()).decode() for name, value in plain.items()}
            target["data"] = {**target.get("data", {}), **encoded}
        tracked = tracking_id(app["metadata"]["name"], Key.of(target))
        metadata["annotations"] = {**(metadata.get("annotations") or {}), TRACKING: tracked}
        wanted.append(target)
    wanted.sort(key=lambda target: (wave(target), _rank(target["kind"]), Key.of(target)))
    return {Key.of(target): target for target in wanted}


def _rank(kind: str) -> int:
    return _FIRST.index(kind) if kind in _FIRST else len(_FIRST)


def wave(target: Manifest) -> int:
    """The sync wave of an object."""
    return int((target["metadata"].get("annotations") or {}).get(WAVE, 0))


def owned(app: str, live: Live) -> dict[Key, Manifest]:
    """The live objects that carry the application's tracking id (copies of it on children do not count)."""
    return {
        key: found
        for key, found in live.items()
        if (found["metadata"].get("annotations") or {}).get(TRACKING) == tracking_id(app, key)
    }


def last_applied(live: Manifest) -> Manifest:
    """What was applied last, as the annotation remembers it."""
    remembered = (live["metadata"].get("annotations") or {}).get(LAST_APPLIED)
    return dict(json.loads(remembered)) if remembered else {}


def remembering(target: Manifest) -> Manifest:
    """The target with the annotation that the next three-way merge starts from."""
    metadata = target["metadata"]
    annotations = {**metadata["annotations"], LAST_APPLIED: json.dumps(target, sort_keys=True)}
    return {**target, "metadata": {**metadata, "annotations": annotations}}
