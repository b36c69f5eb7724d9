"""The environment, command and volumes of a container, built from the pod, Secrets and ConfigMaps."""

import base64
import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sandbox.cluster import quantities
from sandbox.cluster.images import Image
from sandbox.cluster.selectors import field
from sandbox.cluster.status import Object
from sandbox.cluster.store import Store

_REFERENCE = re.compile(r"\$(\$)?\(([^()$]+)\)")
_NAME = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")
_INHERITED = ("PATH", "HOME", "LANG", "TMPDIR")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class ConfigError(Exception):
    """The container cannot be made yet: something that it refers to is not there."""


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Replace $(NAME) by a known variable; $$(NAME) is the text $(NAME), an unknown name stays as it is."""

    def value(match: re.Match[str]) -> str:
        return match[0][1:] if match[1] else variables.get(match[2], match[0])

    return _REFERENCE.sub(value, text)


def data(store: Store, namespace: str, resource: str, name: str) -> dict[str, str]:
    """The entries of a Secret (decoded) or ConfigMap.

    Raises:
        ConfigError: there is no such object.
    """
    item = store.find(resource, namespace, name)
    if item is None:
        raise ConfigError(f'{resource[:-1]} "{name}" not found')
    entries = item.get("data") or {}
    if resource == "secrets":
        return {key: base64.b64decode(value).decode(errors="surrogateescape") for key, value in entries.items()}
    return dict(entries)


def variables(store: Store, pod: Object, container: Object, image: Image, extra: dict[str, str]) -> dict[str, str]:
    """The environment of a container; `extra` (its ports and volumes) cannot be overridden by `env`.

    Raises:
        ConfigError: a Secret, ConfigMap or key that is not optional is missing.
    """
    result = {key: os.environ[key] for key in _INHERITED if key in os.environ} | {"HOSTNAME": pod["metadata"]["name"]}
    result["PATH"] = ":".join(filter(None, (image.path, result.get("PATH", _PATH))))
    result |= image.env
    namespace = pod["metadata"]["namespace"]
    for source in container.get("envFrom") or ():
        for part, resource in (("secretRef", "secrets"), ("configMapRef", "configmaps")):
            reference = source.get(part)
            if not reference:
                continue
            try:
                entries = data(store, namespace, resource, reference["name"])
            except ConfigError:
                if not reference.get("optional"):
                    raise
                continue
            result |= {source.get("prefix", "") + key: value for key, value in entries.items() if _NAME.fullmatch(key)}
    result |= extra
    for variable in container.get("env") or ():
        name = variable["name"]
        if name in extra:
            continue
        if "valueFrom" in variable:
            value = _from(store, pod, container, variable["valueFrom"])
            if value is None:
                continue
        else:
            value = expand(variable.get("value") or "", result)
        result[name] = value
    return result


def _from(store: Store, pod: Object, container: Object, source: Object) -> str | None:
    """The value of a `valueFrom`, None when it is optional and missing."""
    if reference := source.get("fieldRef"):
        return _field(pod, reference["fieldPath"])
    if reference := source.get("resourceFieldRef"):
        return _resource(store, container, reference)
    for part, resource in (("secretKeyRef", "secrets"), ("configMapKeyRef", "configmaps")):
        if reference := source.get(part):
            namespace, name, key = pod["metadata"]["namespace"], reference["name"], reference["key"]
            try:
                entries = data(store, namespace, resource, name)
                if key not in entries:
                    kind = "Secret" if resource == "secrets" else "ConfigMap"
                    raise ConfigError(f"couldn't find key {key} in {kind} {namespace}/{name}")
            except ConfigError:
                if reference.get("optional"):
                    return None
                raise
            return entries[key]
    raise ConfigError(f"valueFrom with {', '.join(source) or 'nothing'} is left out of the sandbox cluster")


def _field(pod: Object, path: str) -> str:
    if match := re.fullmatch(r"metadata\.(labels|annotations)\['(.+)'\]", path):
        return str((pod["metadata"].get(match[1]) or {}).get(match[2], ""))
    if path == "status.podIPs":
        return str(field(pod, "status.podIP") or "")
    if path == "status.hostIPs":
        return str(field(pod, "status.hostIP") or "")
    value = field(pod, path)
    if isinstance(value, (dict, list)):
        raise ConfigError(f"fieldPath {path} is not a single value")
    return str(value or "")


def _resource(store: Store, container: Object, reference: Object) -> str:
    kind, _, name = reference["resource"].partition(".")
    quantity = (container["resources"].get(kind) or {}).get(name)
    if quantity is None:  # a missing limit is the node's
        quantity = store.list("nodes")[0]["status"]["allocatable"].get(name, "0")
    divisor = quantities.parse(reference.get("divisor") or "1") or 1.0
    return str(math.ceil(quantities.parse(quantity) / divisor))


def command(container: Object, image: Image, env: Mapping[str, str]) -> list[str]:
    """The words to run: `command` replaces the image's entrypoint and cmd, `args` its cmd.

    Raises:
        ConfigError: neither pod nor image says what to run.
    """
    head = container.get("command") or list(image.entrypoint)
    tail = container.get("args") or ([] if container.get("command") else list(image.cmd))
    words = [expand(word, env) for word in [*head, *tail]]
    if not words:
        raise ConfigError("no command specified")
    return words


def make_volumes(store: Store, pod: Object, root: Path, claims: Path) -> dict[str, str]:
    """Make the pod's volumes as directories under `root` and return the variables that tell where they are.

    Args:
        store: of the cluster.
        pod: of it.
        root: holds what goes with the pod.
        claims: holds what stays, a directory for each PersistentVolumeClaim.

    Raises:
        ConfigError: a volume's source is missing or of a type that the cluster leaves out.
    """
    variables: dict[str, str] = {}
    for volume in pod["spec"].get("volumes") or ():
        name = volume["name"]
        path = root / name
        variable = "VOLUME_" + re.sub(r"[^A-Z0-9]", "_", name.upper())
        variables[variable] = str(path)
        entries: dict[str, str] = {}
        if "secret" in volume:
            entries = _files(store, pod, "secrets", volume["secret"], volume["secret"]["secretName"])
        elif "configMap" in volume:
            entries = _files(store, pod, "configmaps", volume["configMap"], volume["configMap"]["name"])
        elif "persistentVolumeClaim" in volume:
            namespace, claim = pod["metadata"]["namespace"], volume["persistentVolumeClaim"]["claimName"]
            if store.find("persistentvolumeclaims", namespace, claim) is None:
                raise ConfigError(f'persistentvolumeclaim "{claim}" not found')
            path = claims / namespace / claim
            variables[variable] = str(path)
        elif "emptyDir" not in volume:
            kinds = ", ".join(key for key in volume if key != "name")
            raise ConfigError(
                f'MountVolume.SetUp failed for volume "{name}": {kinds} is left out of the sandbox cluster'
            )
        path.mkdir(parents=True, exist_ok=True)
        for key, text in entries.items():
            target = path / key
            if not target.resolve().is_relative_to(path.resolve()):
                raise ConfigError(f'MountVolume.SetUp failed for volume "{name}": {key} leaves the volume')
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(text.encode(errors="surrogateescape"))
            target.chmod(0o600)
    return variables


def _files(store: Store, pod: Object, resource: str, source: Object, name: str) -> dict[str, str]:
    try:
        entries = data(store, pod["metadata"]["namespace"], resource, name)
    except ConfigError as error:
        if source.get("optional"):
            return {}
        raise ConfigError(f"MountVolume.SetUp failed for volume: {error}") from error
    items: list[Any] = source.get("items") or [{"key": key, "path": key} for key in entries]
    if missing := [item["key"] for item in items if item["key"] not in entries]:
        raise ConfigError(f"MountVolume.SetUp failed for volume: references non-existent key {', '.join(missing)}")
    return {item["path"]: entries[item["key"]] for item in items}
