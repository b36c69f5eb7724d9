"""Cascading deletion: dependents follow their owners, a namespace takes what is in it along."""

from sandbox.cluster.controller import Controller
from sandbox.cluster.registry import FOREGROUND, Registry
from sandbox.cluster.resources import RESOURCES
from sandbox.cluster.status import Object
from sandbox.cluster.store import Change


class Garbage(Controller):
    """The garbage collector. Its keys are (resource, uid of an owner that is gone or going)."""

    def __init__(self, registry: Registry) -> None:
        super().__init__()
        self._registry = registry

    def start(self) -> None:
        """Begin, and collect what was left when the cluster last ended."""
        super().start()
        living = {item["metadata"]["uid"] for _, item in self._registry.store.all() if "uid" in item["metadata"]}
        for _, item in self._registry.store.all():
            for reference in item["metadata"].get("ownerReferences") or ():
                if reference["uid"] not in living:
                    self.wake("", reference["uid"])
            if "deletionTimestamp" in item["metadata"]:
                self.wake("", item["metadata"]["uid"])

    def observe(self, change: Change) -> None:
        """Wake owners that go, and owners that wait for the object that went."""
        metadata = change.item["metadata"]
        if change.resource == "events":
            return
        if change.type == "DELETED":
            if "uid" in metadata:
                self.wake("", metadata["uid"])
            for reference in metadata.get("ownerReferences") or ():
                self.wake("", reference["uid"])
            if space := self._registry.store.find("namespaces", "", metadata.get("namespace", "")):
                self.wake("", space["metadata"]["uid"])
        elif "deletionTimestamp" in metadata and change.resource != "pods":
            self.wake("", metadata["uid"])

    def reconcile(self, namespace: str, name: str) -> None:
        """Delete the dependents of the owner with uid `name`, and the owner itself once none is left."""
        del namespace
        found = next(
            ((resource, item) for resource, item in self._registry.store.all() if item["metadata"].get("uid") == name),
            None,
        )
        if found is None:
            self._delete_all(self._registry.dependents(name))
            return
        resource, owner = found
        if "deletionTimestamp" not in owner["metadata"]:
            return
        if resource == "namespaces":
            self._empty(owner)
        elif FOREGROUND in (owner["metadata"].get("finalizers") or ()):
            dependents = self._registry.dependents(name)
            self._delete_all(dependents)
            if not self._registry.dependents(name):
                finalizers = [entry for entry in owner["metadata"]["finalizers"] if entry != FOREGROUND]
                body = owner | {"metadata": owner["metadata"] | {"finalizers": finalizers}}
                self._registry.replace(
                    resource, owner["metadata"].get("namespace", ""), owner["metadata"]["name"], body
                )

    def _delete_all(self, dependents: list[tuple[str, Object]]) -> None:
        for resource, item in dependents:
            metadata = item["metadata"]
            # An object of two owners stays until both are gone.
            others = [entry["uid"] for entry in metadata["ownerReferences"]]
            living = [uid for uid in others if self._living(uid)]
            if "deletionTimestamp" not in metadata and not living:
                self._registry.delete(resource, metadata.get("namespace", ""), metadata["name"])

    def _living(self, uid: str) -> bool:
        return any(
            item["metadata"].get("uid") == uid and "deletionTimestamp" not in item["metadata"]
            for _, item in self._registry.store.all()
        )

    def _empty(self, space: Object) -> None:
        name, store = space["metadata"]["name"], self._registry.store
        left = False
        # Controllers first, or they would replace the pods that are deleted.
        order = sorted(
            (resource for resource in RESOURCES.values() if resource.namespaced), key=lambda entry: not entry.group
        )
        for resource in order:
            for item in store.list(resource.name, name):
                if "deletionTimestamp" not in item["metadata"]:
                    self._registry.delete(resource.name, name, item["metadata"]["name"])
            left = left or bool(store.list(resource.name, name))
        if not left:
            store.remove("namespaces", "", name)
