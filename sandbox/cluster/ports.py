"""Real ports: every declared containerPort of a pod is mapped to a free port of 127.0.0.1 while it lives.

The map is the pod's annotation `sandbox/ports`. Where somebody else takes a port while its container does not run, the
container starts again on another one. A container finds its first port in PORT, each in
PORT_<containerPort>.
"""

import json
import socket
from collections.abc import Collection
from typing import Any

from sandbox.cluster.status import Object

ANNOTATION = "sandbox/ports"
HOST = "127.0.0.1"


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _declared(pod: Object) -> list[Object]:
    containers = [*pod["spec"]["containers"], *(pod["spec"].get("initContainers") or ())]
    return [port for container in containers for port in container.get("ports") or ()]


def assigned(pod: Object) -> dict[str, int]:
    """Declared port, as text, to real port."""
    text = (pod["metadata"].get("annotations") or {}).get(ANNOTATION)
    return json.loads(text) if text else {}


def busy(pod: Object, container: Object) -> list[str]:
    """Declared ports of a container that does not run, whose real port somebody else has."""
    real = assigned(pod)
    return [number for number in _numbers(container) if number not in real or not _free(real[number])]


def assign(pod: Object, taken: set[int], anew: Collection[str] = ()) -> None:
    """Write the annotation, in place, avoiding `taken`; what a pod has it keeps, but for the declared ports `anew`."""
    real = {number: port for number, port in assigned(pod).items() if number not in anew}
    for number in sorted({str(port["containerPort"]) for port in _declared(pod)} - real.keys()):
        port = free_port()
        while port in taken or port in real.values():
            port = free_port()
        real[number] = port
    if real:
        pod["metadata"]["annotations"] = (pod["metadata"].get("annotations") or {}) | {ANNOTATION: json.dumps(real)}


def _numbers(container: Object) -> list[str]:
    return [str(port["containerPort"]) for port in container.get("ports") or ()]


def _free(port: int) -> bool:
    try:
        socket.create_server((HOST, port)).close()
    except OSError:
        return False
    return True


def real_port(pod: Object, target: int | str) -> int | None:
    """The real port of a declared port, by number or name; an undeclared number is itself, an unknown name None."""
    if isinstance(target, str) and not target.isdigit():
        number = next((port["containerPort"] for port in _declared(pod) if port.get("name") == target), None)
        return None if number is None else assigned(pod).get(str(number))
    return assigned(pod).get(str(target), int(target))


def variables(pod: Object, container: dict[str, Any]) -> dict[str, str]:
    """HOST, PORT and PORT_<containerPort> of a container that declares ports."""
    declared = _numbers(container)
    if not declared:
        return {}
    real = assigned(pod)
    named = {f"PORT_{number}": str(real[number]) for number in declared}
    return {"HOST": HOST, "PORT": str(real[declared[0]])} | named
