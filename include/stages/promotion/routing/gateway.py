"""Weights and mirrors of a HTTPRoute (https://gateway-api.sigs.k8s.io, v1 of the standard channel)."""

from collections.abc import Mapping

from include.foundation.spec import UseCase
from include.foundation.spec.promotion import Stage
from include.stages.promotion import templates
from include.stages.promotion.routing.protocol import Manifest, Split


class Gateway:
    """A version is behind a Service of its own; a rule's weights divide the requests."""

    mirrors = True
    file = "route"

    def manifest(self, spec: UseCase, stage: Stage, split: Split, *, parent: str) -> Manifest:
        """The HTTPRoute."""
        namespace, _, name = parent.partition("/")
        values = {
            **templates.place(spec, stage),
            "route_path": self.path(spec, stage),
            "gateway": name,
            "gateway_namespace": namespace,
        }
        route: Manifest = templates.fill("route", values)
        (rule,) = route["spec"]["rules"]
        rule["backendRefs"] = [
            {**_backend(spec, version), "weight": share} for version, share in sorted(split.shares.items())
        ]
        if split.mirror:
            mirror = {"backendRef": _backend(spec, split.candidate), "percent": split.mirror}
            rule["filters"].append({"type": "RequestMirror", "requestMirror": mirror})
        return route

    def replicas(self, stage: Stage, split: Split) -> dict[str, int]:
        """The stage's for both: either could answer everything at once."""
        return dict.fromkeys(split.shares, stage.replicas)

    def serving(self, manifest: Manifest, replicas: Mapping[str, int]) -> str | None:
        """Of the backend with the greatest weight."""
        backends = [backend for rule in manifest["spec"]["rules"] for backend in rule["backendRefs"]]
        greatest = max(backends, key=lambda backend: int(backend["weight"]))
        return next((version for version in replicas if str(greatest["name"]).endswith(f"-v{version}")), None)

    def path(self, spec: UseCase, stage: Stage) -> str:
        """`/<stage>/<use case>`."""
        return f"/{stage.name.replace('_', '-')}/{spec.slug}"


def _backend(spec: UseCase, version: str) -> Manifest:
    return {"name": templates.name(spec, version), "port": templates.PORT}
