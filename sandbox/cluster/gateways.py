"""The controller of Gateways and HTTPRoutes: writes Traefik's routes and both kinds' status."""

import json
from pathlib import Path

from sandbox.cluster.conditions import with_condition
from sandbox.cluster.controller import Controller
from sandbox.cluster.forwarder import Backend
from sandbox.cluster.ports import HOST
from sandbox.cluster.registry import Registry
from sandbox.cluster.services import backends
from sandbox.cluster.status import Object
from sandbox.cluster.store import Change
from sandbox.gateway.routes import Configuration, Unsupported

NAME = "flightline.sandbox/traefik"  # GatewayClasses say which controller is theirs
Faults = dict[str, tuple[str, str]]  # type of condition -> reason and message
_KINDS = ("gatewayclasses", "gateways", "httproutes", "services", "endpoints")


class Gateways(Controller):
    """All Gateways of the classes that name this controller are one Traefik.

    Args:
        registry: of the cluster.
        folder: that Traefik reads.
    """

    def __init__(self, registry: Registry, folder: Path) -> None:
        super().__init__()
        self._registry = registry
        self._file = folder / "routes.yml"
        self._written: str | None = None

    def observe(self, change: Change) -> None:
        """Anything that a route may depend on."""
        if change.resource in _KINDS:
            self.wake("", "")

    def reconcile(self, _namespace: str, _name: str) -> None:
        """Write all routes and what became of them."""
        store, configuration = self._registry.store, Configuration()
        classes = {
            item["metadata"]["name"]
            for item in store.list("gatewayclasses")
            if item["spec"].get("controllerName") == NAME
        }
        ours = [item for item in store.list("gateways") if item["spec"].get("gatewayClassName") in classes]
        names = {(item["metadata"]["namespace"], item["metadata"]["name"]) for item in ours}
        routes = [(item, parents) for item in store.list("httproutes") if (parents := _parents(item, names))]
        outcomes = [(item, parents, self._add(configuration, item)) for item, parents in routes]
        text = json.dumps(configuration.document(), indent=1, sort_keys=True)  # JSON is YAML
        if text != self._written:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            part = self._file.with_suffix(".part")
            part.write_text(text, encoding="utf-8")
            part.replace(self._file)
            self._written = text
        for gateway in ours:
            self._accept(gateway)
        for route, parents, faults in outcomes:
            self._tell(route, parents, faults)

    def _add(self, configuration: Configuration, route: Object) -> Faults:
        """Add a route; which conditions are False, and why."""
        missing = set(configuration.missing)
        try:
            configuration.add(route, self._servers)
        except Unsupported as error:
            return {"Accepted": ("UnsupportedValue", str(error))}
        if absent := configuration.missing - missing:
            return {"ResolvedRefs": ("BackendNotFound", f"no Service {', '.join(sorted(absent))}")}
        return {}

    def _servers(self, namespace: str, name: str, port: int) -> list[Backend] | None:
        store = self._registry.store
        service = store.find("services", namespace, name)
        ports = [entry for entry in service["spec"].get("ports") or () if entry["port"] == port] if service else []
        if not ports:
            return None
        return backends(store.find("endpoints", namespace, name), ports[0].get("name") or "")

    def _accept(self, gateway: Object) -> None:
        old = (gateway.get("status") or {}).get("conditions") or []
        made = _conditions(gateway, old, "Accepted", "Programmed", faults={})
        addresses = [{"type": "IPAddress", "value": HOST}]
        self._registry.set_status("gateways", gateway, conditions=made, addresses=addresses)

    def _tell(self, route: Object, parents: list[Object], faults: Faults) -> None:
        told = {json.dumps(each["parentRef"]): each for each in (route.get("status") or {}).get("parents") or ()}
        status = []
        for parent in parents:
            old = told.get(json.dumps(parent), {}).get("conditions") or []
            made = _conditions(route, old, "Accepted", "ResolvedRefs", faults=faults)
            status.append({"parentRef": parent, "controllerName": NAME, "conditions": made})
        self._registry.set_status("httproutes", route, parents=status)


def _parents(route: Object, gateways: set[tuple[str, str]]) -> list[Object]:
    """The references of a route to Gateways of ours."""
    own = route["metadata"]["namespace"]
    return [
        parent
        for parent in route["spec"].get("parentRefs") or ()
        if parent.get("kind", "Gateway") == "Gateway" and (parent.get("namespace", own), parent["name"]) in gateways
    ]


def _conditions(item: Object, old: list[Object], *kinds: str, faults: Faults) -> list[Object]:
    """The conditions of those types, of the object as it is now."""
    for kind in kinds:
        old = with_condition(old, kind, kind not in faults, *faults.get(kind, (kind, "")))
    return [each | {"observedGeneration": item["metadata"]["generation"]} for each in old]
