"""What the API does to objects: create, replace, patch and delete with their rules. Controllers and HTTP share it."""

import copy
import secrets
import time
import uuid
from typing import Any

from sandbox.cluster import admission, timestamps
from sandbox.cluster.node_ports import NodePorts
from sandbox.cluster.resources import GATEWAY_API, RESOURCES, Resource
from sandbox.cluster.status import Object, already_exists, bad_request, conflict, forbidden, invalid, not_found
from sandbox.cluster.store import Store

_SUFFIX = "bcdfghjklmnpqrstvwxz2456789"
_MANAGED = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation", "namespace")
TERMINAL = ("Succeeded", "Failed")
NAMESPACES = ("default", "kube-system")
FOREGROUND = "foregroundDeletion"


def owner_reference(owner: Object, kind: str) -> Object:
    """The reference by which a controller owns what it creates."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": kind,
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def controller_uid(item: Object) -> str | None:
    """The uid of the controller that owns the object."""
    for reference in item["metadata"].get("ownerReferences") or ():
        if reference.get("controller"):
            return str(reference["uid"])
    return None


def without_nulls(item: Any) -> Any:
    """A copy in which what is null is absent, as typed decoding has it."""
    if isinstance(item, dict):
        return {key: without_nulls(value) for key, value in item.items() if value is not None}
    return [without_nulls(value) for value in item] if isinstance(item, list) else item


class Registry:
    """The rules of the API on top of the store."""

    def __init__(self, store: Store, node_ports: NodePorts) -> None:
        self.store = store
        self._node_ports = node_ports

    def create(self, name: str, namespace: str, item: Object, *, dry_run: bool = False) -> Object:
        """Create an object of resource `name`.

        Raises:
            ApiError: 400, 403, 404 (namespace), 409 or 422.
        """
        resource, item = RESOURCES[name], without_nulls(item)
        metadata = item.setdefault("metadata", {})
        if metadata.get("resourceVersion"):
            raise bad_request("resourceVersion should not be set on objects to be created")
        if not metadata.get("name"):
            if not metadata.get("generateName"):
                raise invalid(
                    resource.kind, "", [("metadata.name", "Required value: name or generateName is required")]
                )
            metadata["name"] = metadata["generateName"] + "".join(secrets.choice(_SUFFIX) for _ in range(5))
        for key in _MANAGED:
            metadata.pop(key, None)
        if resource.namespaced:
            self._require_namespace(name, namespace, metadata["name"])
            metadata["namespace"] = namespace
        item |= {"apiVersion": resource.api_version, "kind": resource.kind}
        metadata |= {"uid": str(uuid.uuid4()), "creationTimestamp": timestamps.now()}
        if resource.kind in ("Deployment", "ReplicaSet", "Job") or resource.group == GATEWAY_API:
            metadata["generation"] = 1
        if "status" in resource.subresources and resource.kind != "Node":
            item.pop("status", None)
        admission.admit(resource, item)
        if resource.kind == "Pod":
            self._admit_pod(item)
        if self.store.find(name, metadata.get("namespace", ""), metadata["name"]):
            raise already_exists(name, metadata["name"])
        if resource.kind == "Service":
            self._node_ports.assign(item, dry_run=dry_run)
        if dry_run:
            return item
        created = self.store.add(name, item)
        if resource.kind == "Namespace":
            self.create("serviceaccounts", metadata["name"], {"metadata": {"name": "default"}})
        return created

    def _require_namespace(self, resource: str, namespace: str, name: str) -> None:
        holder = self.store.find("namespaces", "", namespace)
        if holder is None:
            raise not_found("namespaces", namespace)
        if holder["metadata"].get("deletionTimestamp") and resource != "events":
            why = f"unable to create new content in namespace {namespace} because it is being terminated"
            raise forbidden(resource, name, why)

    def _admit_pod(self, pod: Object) -> None:
        metadata, account = pod["metadata"], pod["spec"]["serviceAccountName"]
        if not self.store.find("serviceaccounts", metadata["namespace"], account):
            where = f"{metadata['namespace']}/{account}"
            why = f'error looking up service account {where}: serviceaccount "{account}" not found'
            raise forbidden("pods", metadata["name"], why)
        pod["status"] = {"phase": "Pending", "qosClass": _qos(pod["spec"])}

    def replace(
        self,
        name: str,
        namespace: str,
        key: str,
        item: Object,
        *,
        subresource: str = "",
        dry_run: bool = False,
    ) -> Object:
        """Replace an object, or only its status.

        Raises:
            ApiError: 404, 409 when `metadata.resourceVersion` or `uid` is given and is not the present one, or 422.
        """
        resource, old, item = RESOURCES[name], self.store.get(name, namespace, key), without_nulls(item)
        metadata = item.setdefault("metadata", {})
        if metadata.get("resourceVersion") not in (None, "", old["metadata"]["resourceVersion"]):
            raise conflict(name, key)
        if metadata.get("uid") not in (None, "", old["metadata"]["uid"]):
            why = f"UID in precondition: {metadata['uid']}, UID in object meta: {old['metadata']['uid']}"
            raise conflict(name, key, f"Precondition failed: {why}")
        if metadata.get("name", key) != key:
            raise bad_request(f"the name of the object ({metadata['name']}) does not match the name on the URL ({key})")
        if subresource == "status":
            item = copy.deepcopy(old) | {"status": item.get("status", {})}
        else:
            _carry_over(resource, item, old)
            admission.admit(resource, item, old)
            if resource.kind == "Service":
                self._node_ports.assign(item, dry_run=dry_run)
            if item.get("spec") != old.get("spec") and "generation" in old["metadata"]:
                item["metadata"]["generation"] = old["metadata"]["generation"] + 1
        if dry_run:
            return item

        def edit(current: Object) -> None:
            current.clear()
            current.update(item)

        result = self.store.change(name, namespace, key, edit)
        if _released(resource, result):
            self.store.remove(name, namespace, key)
        return result

    def delete(
        self, name: str, namespace: str, key: str, options: Object | None = None, *, dry_run: bool = False
    ) -> tuple[Object, bool]:
        """Delete an object, or begin to: pods take their grace period, finalizers and namespaces their time.

        Returns:
            The object and whether it is already gone.

        Raises:
            ApiError: 404, or 409 when a precondition does not hold.
        """
        options, item = options or {}, self.store.get(name, namespace, key)
        for field, wanted in (options.get("preconditions") or {}).items():
            if wanted and item["metadata"].get(field) != wanted:
                why = f"{field} in precondition: {wanted}, in object meta: {item['metadata'].get(field)}"
                raise conflict(name, key, f"Precondition failed: {why}")
        if name == "namespaces" and key in NAMESPACES:
            raise forbidden(name, key, "this namespace may not be deleted")
        if dry_run:
            return item, True
        policy = options.get("propagationPolicy") or ("Orphan" if options.get("orphanDependents") else "Background")
        if policy == "Orphan":
            self._orphan(item["metadata"]["uid"])
        grace = self._grace(item, options) if name == "pods" else 0

        def mark(current: Object) -> None:
            metadata = current["metadata"]
            if policy == "Foreground" and name != "pods" and FOREGROUND not in (metadata.get("finalizers") or ()):
                metadata["finalizers"] = [*(metadata.get("finalizers") or ()), FOREGROUND]
            if "deletionTimestamp" not in metadata or grace < metadata.get("deletionGracePeriodSeconds", 0):
                metadata["deletionTimestamp"] = timestamps.text(time.time() + grace)
                metadata["deletionGracePeriodSeconds"] = grace
            if name == "namespaces":
                current["status"]["phase"] = "Terminating"

        wanted = copy.deepcopy(item)
        mark(wanted)
        if grace or name == "namespaces" or wanted["metadata"].get("finalizers"):
            return self.store.change(name, namespace, key, mark), False
        return self.store.remove(name, namespace, key), True

    def finish(self, name: str, namespace: str, key: str) -> None:
        """End a graceful deletion: the object goes, or stays for its finalizers alone."""

        def mark(current: Object) -> None:
            current["metadata"]["deletionGracePeriodSeconds"] = 0

        item = self.store.change(name, namespace, key, mark)
        if not item["metadata"].get("finalizers"):
            self.store.remove(name, namespace, key)

    @staticmethod
    def _grace(pod: Object, options: Object) -> int:
        """Seconds that a pod gets; none when nothing of it runs."""
        if not pod["spec"].get("nodeName") or pod["status"].get("phase") in TERMINAL:
            return 0
        asked = options.get("gracePeriodSeconds")
        return max(0, pod["spec"]["terminationGracePeriodSeconds"] if asked is None else int(asked))

    def _orphan(self, uid: str) -> None:
        def cut(item: Object) -> None:
            kept = [reference for reference in item["metadata"]["ownerReferences"] if reference["uid"] != uid]
            item["metadata"]["ownerReferences"] = kept

        for resource, item in self.dependents(uid):
            self.store.change(resource, item["metadata"].get("namespace", ""), item["metadata"]["name"], cut)

    def dependents(self, uid: str) -> list[tuple[str, Object]]:
        """Everything that names `uid` as an owner, with the name of its resource."""
        return [
            (resource, item)
            for resource, item in self.store.all()
            if any(reference["uid"] == uid for reference in item["metadata"].get("ownerReferences") or ())
        ]

    def owned(self, name: str, owner: Object) -> list[Object]:
        """The objects of a resource that `owner` controls."""
        uid = owner["metadata"]["uid"]
        return [item for item in self.store.list(name, owner["metadata"]["namespace"]) if controller_uid(item) == uid]

    def set_status(self, name: str, item: Object, **status: Any) -> Object:
        """Set some fields of the status; None removes a field."""

        def edit(current: Object) -> None:
            merged = (current.get("status") or {}) | status
            current["status"] = {key: value for key, value in merged.items() if value is not None}

        return self.store.change(name, item["metadata"]["namespace"], item["metadata"]["name"], edit)


def _carry_over(resource: Resource, item: Object, old: Object) -> None:
    """Keep what a client cannot change or need not repeat."""
    item |= {"apiVersion": resource.api_version, "kind": resource.kind}
    metadata = item["metadata"] | {"name": old["metadata"]["name"]}
    for key in _MANAGED:
        metadata.pop(key, None)
        if key in old["metadata"]:
            metadata[key] = old["metadata"][key]
    metadata["resourceVersion"] = old["metadata"]["resourceVersion"]
    item["metadata"] = metadata
    if "status" in resource.subresources:
        item.pop("status", None)
        if "status" in old:
            item["status"] = old["status"]
    if resource.kind == "Service":
        for key in ("clusterIP", "clusterIPs"):
            item.get("spec", {}).setdefault(key, old["spec"][key])


def _released(resource: Resource, item: Object) -> bool:
    """Whether an object that waits for its finalizers has lost the last one."""
    metadata = item["metadata"]
    waits = "deletionTimestamp" in metadata and not metadata.get("deletionGracePeriodSeconds")
    return waits and not metadata.get("finalizers") and resource.kind != "Namespace"


def _qos(spec: Object) -> str:
    resources = [container["resources"] for container in spec["containers"]]
    if not any(part.get("limits") or part.get("requests") for part in resources):
        return "BestEffort"
    guaranteed = all(
        {"cpu", "memory"} <= (part.get("limits") or {}).keys() and part.get("requests") == part.get("limits")
        for part in resources
    )
    return "Guaranteed" if guaranteed else "Burstable"
