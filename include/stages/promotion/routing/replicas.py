"""Shares by numbers of replicas behind one Service, where a cluster has no Gateway API. Nothing can be mirrored."""

from collections.abc import Mapping

from include.foundation.spec import UseCase
from include.foundation.spec.promotion import Stage
from include.stages.promotion import templates
from include.stages.promotion.routing.protocol import Manifest, Split


class Replicas:
    """All versions are behind one Service, which gives each replica as much as any other."""

    mirrors = False
    file = "service"

    def manifest(self, spec: UseCase, stage: Stage, split: Split, *, parent: str) -> Manifest:  # noqa: ARG002
        """The Service, which stays the same."""
        found: Manifest = templates.fill("service", {**templates.place(spec, stage), "name": spec.slug})
        return found

    def replicas(self, stage: Stage, split: Split) -> dict[str, int]:
        """The stable version keeps the stage's until the candidate has all; the candidate's make its share."""
        if not split.stable or split.weight == 100:
            return {version: stage.replicas if version == split.candidate else 0 for version in split.shares}
        more = round(stage.replicas * split.weight / (100 - split.weight))
        return {split.stable: stage.replicas, split.candidate: max(1, more) if split.weight else 0}

    def serving(self, manifest: Manifest, replicas: Mapping[str, int]) -> str | None:  # noqa: ARG002
        """The one with the most."""
        return max(replicas, key=lambda version: replicas[version], default=None)

    def path(self, spec: UseCase, stage: Stage) -> None:  # noqa: ARG002
        """The Service is the address."""
        return
