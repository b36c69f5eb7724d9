"""Services: Endpoints of the ready pods, and a forwarder on the node port of those that have one."""

import asyncio
from typing import Any

from sandbox.cluster import ports
from sandbox.cluster.conditions import condition
from sandbox.cluster.controller import Controller
from sandbox.cluster.events import Recorder
from sandbox.cluster.forwarder import Backend, Forwarder
from sandbox.cluster.registry import TERMINAL, Registry
from sandbox.cluster.selectors import matches, requirements
from sandbox.cluster.status import Object
from sandbox.cluster.store import Change

_RETRY_SECONDS = 5.0


def backends(endpoints: Object | None, port_name: str) -> list[Backend]:
    """Address and real port of every ready endpoint of a Service's port."""
    return [
        (address["ip"], port["port"])
        for subset in (endpoints or {}).get("subsets") or ()
        for port in subset.get("ports") or ()
        if (port.get("name") or "") == port_name
        for address in subset.get("addresses") or ()
    ]


class Services(Controller):
    """The Endpoints controller and the proxy of the node."""

    def __init__(self, registry: Registry, recorder: Recorder) -> None:
        super().__init__()
        self._registry = registry
        self._recorder = recorder
        self._forwarders: dict[int, Forwarder] = {}
        self._starting: set[asyncio.Task[None]] = set()

    def stop(self) -> None:
        """Close the node ports."""
        super().stop()
        for forwarder in self._forwarders.values():
            forwarder.stop()

    def observe(self, change: Change) -> None:
        """Wake a changed Service, or those that a changed pod belongs to."""
        metadata = change.item["metadata"]
        if change.resource in ("services", "endpoints"):
            self.wake(metadata["namespace"], metadata["name"])
        elif change.resource == "pods":
            labels = metadata.get("labels") or {}
            for service in self._registry.store.list("services", metadata["namespace"]):
                wanted = service["spec"].get("selector")
                if wanted and matches(requirements({"matchLabels": wanted}), labels):
                    self.wake(metadata["namespace"], service["metadata"]["name"])

    def reconcile(self, namespace: str, name: str) -> None:
        """Write the Endpoints of one Service and point its forwarders at them."""
        store = self._registry.store
        service = store.find("services", namespace, name)
        if service is None:
            if store.find("endpoints", namespace, name):
                store.remove("endpoints", namespace, name)
        else:
            if service["spec"].get("selector"):
                self._write(service)
            if service["spec"]["type"] == "LoadBalancer":
                self._registry.set_status("services", service, loadBalancer={"ingress": [{"ip": ports.HOST}]})
        self._forward()

    def _write(self, service: Object) -> None:
        store, metadata = self._registry.store, service["metadata"]
        wanted = requirements({"matchLabels": service["spec"]["selector"]})
        groups: dict[tuple[tuple[str, int], ...], dict[str, list[Object]]] = {}
        for pod in store.list("pods", metadata["namespace"]):
            if not matches(wanted, pod["metadata"].get("labels")) or "podIP" not in pod["status"]:
                continue
            if "deletionTimestamp" in pod["metadata"] or pod["status"]["phase"] in TERMINAL:
                continue
            ready = condition(pod["status"].get("conditions") or [], "Ready")
            holds = bool(ready and ready["status"] == "True") or service["spec"].get("publishNotReadyAddresses")
            real = tuple(
                (port.get("name") or "", number)
                for port in service["spec"].get("ports") or ()
                if (number := ports.real_port(pod, port["targetPort"])) is not None
            )
            reference = {"kind": "Pod"} | {key: pod["metadata"][key] for key in ("namespace", "name", "uid")}
            address = {"ip": pod["status"]["podIP"], "nodeName": pod["spec"]["nodeName"], "targetRef": reference}
            groups.setdefault(real, {}).setdefault("addresses" if holds else "notReadyAddresses", []).append(address)
        subsets: list[Any] = [
            part
            | {
                "ports": [
                    {"port": number, "protocol": "TCP"} | ({"name": name} if name else {}) for name, number in real
                ]
            }
            for real, part in groups.items()
        ]
        if store.find("endpoints", metadata["namespace"], metadata["name"]) is None:
            body = {"metadata": {"name": metadata["name"], "labels": metadata.get("labels") or {}}, "subsets": subsets}
            self._registry.create("endpoints", metadata["namespace"], body)
            return

        def edit(endpoints: Object) -> None:
            endpoints["subsets"] = subsets

        store.change("endpoints", metadata["namespace"], metadata["name"], edit)

    def _forward(self) -> None:
        """Have one forwarder per node port, with its present backends."""
        store, wanted = self._registry.store, {}
        for service in store.list("services"):
            endpoints = store.find("endpoints", service["metadata"]["namespace"], service["metadata"]["name"])
            for port in service["spec"].get("ports") or ():
                if "nodePort" in port:
                    wanted[port["nodePort"]] = (service, backends(endpoints, port.get("name") or ""))
        for number in self._forwarders.keys() - wanted.keys():
            self._forwarders.pop(number).stop()
        for number, (service, targets) in wanted.items():
            if number not in self._forwarders:
                self._forwarders[number] = Forwarder(number)
                task = asyncio.create_task(self._listen(self._forwarders[number], service))
                self._starting.add(task)
                task.add_done_callback(self._starting.discard)
            self._forwarders[number].backends = targets

    async def _listen(self, forwarder: Forwarder, service: Object) -> None:
        try:
            await forwarder.start()
        except OSError as error:
            text = f"node port {forwarder.port} cannot be opened and is tried again: {error}"
            self._recorder.record(service, "FailedListen", text, component="kube-proxy", warning=True)
            if self._forwarders.get(forwarder.port) is forwarder:
                del self._forwarders[forwarder.port]
                self.wake(service["metadata"]["namespace"], service["metadata"]["name"], after=_RETRY_SECONDS)
