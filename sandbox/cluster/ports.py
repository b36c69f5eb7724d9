"""Real ports: every declared containerPort of a pod is mapped to a free port of 127.0.0.1 while it lives.

The map is the pod's annotation `sandbox/ports`. A container finds its first port in PORT, each in PORT_<containerPort>.
"""

import json
import socket
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


def assign(pod: Object, taken: set[int]) -> None:
    """Write the annotation, in place, avoiding `taken`; a pod that has it keeps it."""
    numbers = {str(port["containerPort"]) for port in _declared(pod)}
    if not numbers or assigned(pod):
        return
    chosen: dict[str, int] = {}
    for number in sorted(numbers):
        port = free_port()
        while port in taken or port in chosen.values():
            port = free_port()
        chosen[number] = port
    pod["metadata"]["annotations"] = (pod["metadata"].get("annotations") or {}) | {ANNOTATION: json.dumps(chosen)}


def real_port(pod: Object, target: int | str) -> int | None:
    """The real port of a declared port, by number or name; an undeclared number is itself, an unknown name None."""
    if isinstance(target, str) and not target.isdigit():
        number = next((port["containerPort"] for port in _declared(pod) if port.get("name") == target), None)
        return None if number is None else assigned(pod).get(str(number))
    return assigned(pod).get(str(target), int(target))


def variables(pod: Object, container: dict[str, Any]) -> dict[str, str]:
    """HOST, PORT and PORT_<containerPort> of a container that declares ports."""
    declared = [str(port["containerPort"]) for port in container.get("ports") or ()]
    if not declared:
        return {}
    real = assigned(pod)
    told = {f"PORT_{number}": str(real[number]) for number in declared}
    return {"HOST": HOST, "PORT": str(real[declared[0]])} | told
