"""HTTPRoutes (gateway.networking.k8s.io/v1) as Traefik's dynamic configuration: pure, objects in, a dictionary out.

Traefik's own provider for the Gateway API refuses `RequestMirror`; its file provider mirrors. Understood are
host names, matches by path prefix, the filters `URLRewrite` (the prefix replaced by `/`) and `RequestMirror`, and
weights of Services.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

Object = dict[str, Any]
Servers = Callable[[str, str, int], Sequence[tuple[str, int]] | None]


class Unsupported(Exception):
    """A part of a route that this gateway does not understand."""


@dataclass
class Configuration:
    """What Traefik reads; names of routers, services and middlewares are of this gateway alone.

    Attributes:
        http: the sections of `http`.
        missing: Services that routes name and that are not there, `<namespace>/<name>`.
    """

    http: dict[str, dict[str, Object]] = field(
        default_factory=lambda: {"routers": {}, "services": {}, "middlewares": {}}
    )
    missing: set[str] = field(default_factory=set)

    def add(self, route: Object, servers: Servers) -> None:
        """Add a route.

        Args:
            route: the object.
            servers: (namespace, Service, port) -> addresses of its ready pods, None if there is no such Service.

        Raises:
            Unsupported: nothing of the route is added.
        """
        made = Configuration()
        for index, rule in enumerate(route["spec"].get("rules") or ()):
            made._rule(route, index, rule, servers)
        for section, entries in made.http.items():
            self.http[section] |= entries
        self.missing |= made.missing

    def document(self) -> Object:
        """The file's content; Traefik refuses empty sections."""
        filled = {section: entries for section, entries in self.http.items() if entries}
        return {"http": filled} if filled else {}

    def _rule(self, route: Object, index: int, rule: Object, servers: Servers) -> None:
        metadata, hosts = route["metadata"], _hosts(route["spec"].get("hostnames") or ())
        namespace, name = metadata["namespace"], f"{metadata['namespace']}-{metadata['name']}-{index}"
        prefixes = [_prefix(match) for match in rule.get("matches") or [{}]]
        shares = [
            {"name": self._service(namespace, reference, servers), "weight": reference.get("weight", 1)}
            for reference in rule.get("backendRefs") or ()
        ]
        service: Object = {"weighted": {"services": [share for share in shares if share["weight"]]}}
        middlewares = []
        for filtered in rule.get("filters") or ():
            if filtered["type"] == "RequestMirror":
                mirror = filtered["requestMirror"]
                copy = {
                    "name": self._service(namespace, mirror["backendRef"], servers),
                    "percent": mirror.get("percent", 100),
                }
                self.http["services"][f"{name}-answered"] = service
                service = {"mirroring": {"service": f"{name}-answered", "mirrors": [copy]}}
            elif _strips(filtered):
                self.http["middlewares"][name] = {"stripPrefix": {"prefixes": prefixes}}
                middlewares.append(name)
            else:
                raise Unsupported(f"filter {filtered['type']}: left out of this gateway")
        paths = " || ".join(f"Path(`{each}`) || PathPrefix(`{each.rstrip('/')}/`)" for each in prefixes)
        self.http["services"][name] = service
        self.http["routers"][name] = {
            "entryPoints": ["web"],
            "rule": f"{hosts} && ({paths})" if hosts else paths,
            "service": name,
            **({"middlewares": middlewares} if middlewares else {}),
        }

    def _service(self, namespace: str, reference: Object, servers: Servers) -> str:
        if reference.get("kind", "Service") != "Service" or reference.get("namespace", namespace) != namespace:
            raise Unsupported("a backend that is no Service of the route's namespace: left out of this gateway")
        found = servers(namespace, reference["name"], reference["port"])
        if found is None:
            self.missing.add(f"{namespace}/{reference['name']}")
        name = f"{namespace}-{reference['name']}-{reference['port']}"
        urls = [{"url": f"http://{host}:{port}"} for host, port in found or ()]
        self.http["services"][name] = {"loadBalancer": {"servers": urls}}
        return name


def _prefix(match: Object) -> str:
    path = match.get("path") or {"type": "PathPrefix", "value": "/"}
    if path.get("type", "PathPrefix") != "PathPrefix" or match.keys() - {"path"} or "`" in path["value"]:
        raise Unsupported("matches by anything but a path's prefix: left out of this gateway")
    return str(path["value"])


def _hosts(names: Sequence[str]) -> str:
    """The part of a rule that asks for one of the host names; nothing where any will do."""
    if any("`" in name or "*" in name for name in names):
        raise Unsupported("host names with a wildcard: left out of this gateway")
    return f"({' || '.join(f'Host(`{name}`)' for name in names)})" if names else ""


def _strips(filtered: Object) -> bool:
    rewritten = {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}}
    return bool(filtered["type"] == "URLRewrite" and filtered.get("urlRewrite") == rewritten)
