"""Defaults and validation of the spec of a pod.

Features that would change what a pod does and that this cluster lacks are refused, not ignored.
"""

from typing import Any

from sandbox.cluster import quantities
from sandbox.cluster.faults import LABEL, LEFT_OUT, Faults
from sandbox.cluster.status import Object

_PROBES = ("readinessProbe", "livenessProbe", "startupProbe")


def admit_pod_spec(spec: Object, path: str, faults: Faults) -> None:
    """Fill in defaults in place and note what is wrong; `path` is where the spec is in its object."""
    defaults = {
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "schedulerName": "default-scheduler",
        "securityContext": {},
        "enableServiceLinks": True,
    }
    for key, value in defaults.items():
        if spec.get(key) is None:
            spec[key] = value
    account = spec.get("serviceAccountName") or spec.get("serviceAccount") or "default"
    spec["serviceAccountName"] = spec["serviceAccount"] = account
    if spec["restartPolicy"] not in ("Always", "OnFailure", "Never"):
        faults.add(f"{path}.restartPolicy", f"Unsupported value: {spec['restartPolicy']!r}")
    for key in ("terminationGracePeriodSeconds", "activeDeadlineSeconds"):
        faults.whole(spec, key, path)
    if not spec.get("containers"):
        faults.add(f"{path}.containers", "Required value")
    _containers(spec, path, faults)


def _containers(spec: Object, path: str, faults: Faults) -> None:
    names: set[str] = set()
    volumes = {volume["name"] for volume in spec.get("volumes") or ()}
    for part in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(part) or ()):
            where = f"{path}.{part}[{index}]"
            _container(container, where, faults)
            if container.get("name") in names:
                faults.add(f"{where}.name", f"Duplicate value: {container['name']!r}")
            names.add(container.get("name", ""))
            for mount in container.get("volumeMounts") or ():
                if mount["name"] not in volumes:
                    faults.add(f"{where}.volumeMounts", f"Not found: {mount['name']!r}")
            if part == "initContainers" and container.get("restartPolicy"):
                faults.add(f"{where}.restartPolicy", LEFT_OUT)


def _container(container: Object, path: str, faults: Faults) -> None:
    name, image = container.get("name"), container.get("image")
    if not isinstance(name, str) or not LABEL.fullmatch(name) or len(name) > 63:
        faults.add(f"{path}.name", f"Invalid value: {name!r}" if name else "Required value")
    if not isinstance(image, str) or not image.strip():
        faults.add(f"{path}.image", "Required value")
        return
    container.setdefault("resources", {})
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    tag = image.rpartition("/")[2]
    latest = "@" not in image and (":" not in tag or tag.endswith(":latest"))
    container.setdefault("imagePullPolicy", "Always" if latest else "IfNotPresent")
    _values(container, path, faults)
    _resources(container["resources"], f"{path}.resources", faults)
    for kind in _PROBES:
        if container.get(kind):
            _probe(container[kind], f"{path}.{kind}", faults)
    hooks = container.get("lifecycle") or {}
    if hooks.get("postStart"):
        faults.add(f"{path}.lifecycle.postStart", LEFT_OUT)
    if any(key not in ("exec", "sleep") for key in hooks.get("preStop") or ()):
        faults.add(f"{path}.lifecycle.preStop", LEFT_OUT)
    elif "exec" in (hooks.get("preStop") or ()):
        _command(hooks["preStop"]["exec"], f"{path}.lifecycle.preStop.exec", faults)


def _values(container: Object, path: str, faults: Faults) -> None:
    for part in ("command", "args"):
        if not all(isinstance(word, str) for word in container.get(part) or ()):
            faults.add(f"{path}.{part}", "Invalid value: must be strings")
    for index, variable in enumerate(container.get("env") or ()):
        if not isinstance(variable.get("name"), str) or not variable["name"] or "=" in variable["name"]:
            faults.add(f"{path}.env[{index}].name", f"Invalid value: {variable.get('name')!r}")
        if not isinstance(variable.get("value") or "", str):
            faults.add(f"{path}.env[{index}].value", f"Invalid value: {variable['value']!r}: must be a string")
    for port in container.get("ports") or ():
        port.setdefault("protocol", "TCP")
        if not isinstance(port.get("containerPort"), int) or not 0 < port["containerPort"] < 65536:
            faults.add(f"{path}.ports", f"Invalid value: {port.get('containerPort')!r}: must be between 1 and 65535")


def _resources(resources: Object, path: str, faults: Faults) -> None:
    for kind in ("limits", "requests"):
        for quantity in (resources.get(kind) or {}).values():
            quantities.parse(quantity)
    for name, limit in (resources.get("limits") or {}).items():
        request = resources.setdefault("requests", {}).setdefault(name, limit)
        if quantities.parse(request) > quantities.parse(limit):
            faults.add(f"{path}.requests", f"Invalid value: {request!r}: must be less than or equal to {name} limit")


def _probe(probe: Object, path: str, faults: Faults) -> None:
    defaults = {"periodSeconds": 10, "timeoutSeconds": 1, "successThreshold": 1, "failureThreshold": 3}
    for key, value in defaults.items():
        probe.setdefault(key, value)
        faults.whole(probe, key, path, least=1)
    faults.whole(probe, "initialDelaySeconds", path)
    handlers = [key for key in ("httpGet", "tcpSocket", "exec", "grpc") if probe.get(key)]
    if len(handlers) != 1:
        faults.add(path, "Required value: must specify exactly one handler type")
    elif handlers == ["grpc"]:
        faults.add(f"{path}.grpc", LEFT_OUT)
    elif handlers == ["exec"]:
        _command(probe["exec"], f"{path}.exec", faults)
    else:
        _port(probe[handlers[0]].get("port"), f"{path}.{handlers[0]}.port", faults)
    if handlers == ["httpGet"]:
        probe["httpGet"].setdefault("path", "/")
        probe["httpGet"].setdefault("scheme", "HTTP")
        if probe["httpGet"]["scheme"] != "HTTP":
            faults.add(f"{path}.httpGet.scheme", LEFT_OUT)


def _port(port: Any, path: str, faults: Faults) -> None:
    """The number of a port, or the name of one that the pod declares."""
    number = int(port) if isinstance(port, str) and port.isdigit() else port
    named = isinstance(number, str) and LABEL.fullmatch(number)
    if not named and not (isinstance(number, int) and 0 < number < 65536):
        faults.add(path, f"Invalid value: {port!r}: must be a port's name or between 1 and 65535")


def _command(handler: Object, path: str, faults: Faults) -> None:
    words = handler.get("command")
    if not isinstance(words, list) or not words or not all(isinstance(word, str) for word in words):
        faults.add(f"{path}.command", "Required value: must be a list of strings")
