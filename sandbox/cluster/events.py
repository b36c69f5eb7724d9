"""Events: what happened to an object, in the words of the real components. Repeats are counted, old ones forgotten."""

import time

from sandbox.cluster import timestamps
from sandbox.cluster.registry import Registry
from sandbox.cluster.status import ApiError, Object

_KEEP_SECONDS = 3600


class Recorder:
    """Writes events."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._swept = 0.0

    def record(
        self,
        item: Object,
        reason: str,
        message: str,
        *,
        component: str,
        warning: bool = False,
        field_path: str = "",
    ) -> None:
        """Record that `reason` happened to `item`; the same again raises the count of the first event."""
        self._sweep()
        store, metadata, now = self._registry.store, item["metadata"], timestamps.now()
        namespace = metadata.get("namespace", "default")
        involved = {
            "kind": item["kind"],
            "namespace": namespace,
            "name": metadata["name"],
            "uid": metadata["uid"],
            "apiVersion": item["apiVersion"],
            **({"fieldPath": field_path} if field_path else {}),
        }
        for event in store.list("events", namespace):
            same = (event["involvedObject"], event.get("reason"), event.get("message")) == (involved, reason, message)
            if same:

                def again(current: Object) -> None:
                    current |= {"count": (current.get("count") or 1) + 1, "lastTimestamp": now}

                store.change("events", namespace, event["metadata"]["name"], again)
                return
        body = {
            "metadata": {"name": f"{metadata['name']}.{time.time_ns():x}"},
            "involvedObject": involved,
            "reason": reason,
            "message": message,
            "type": "Warning" if warning else "Normal",
            "count": 1,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "eventTime": None,
            "source": {"component": component, "host": "sandbox"},
            "reportingComponent": component,
            "reportingInstance": "sandbox",
        }
        try:
            self._registry.create("events", namespace, body)
        except ApiError as error:
            if error.code != 404:  # the namespace went away while its pods were still stopping
                raise

    def _sweep(self) -> None:
        if time.time() - self._swept < 60:
            return
        self._swept = time.time()
        for event in self._registry.store.list("events"):
            seen = event.get("lastTimestamp") or event["metadata"]["creationTimestamp"]
            if timestamps.parse(seen) < self._swept - _KEEP_SECONDS:
                self._registry.store.remove("events", event["metadata"]["namespace"], event["metadata"]["name"])
