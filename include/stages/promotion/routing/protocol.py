"""What a way of dividing requests must offer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from include.foundation.spec import UseCase
from include.foundation.spec.promotion import Stage

Manifest = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Split:
    """Who gets the requests of a stage.

    Attributes:
        candidate: the version that is brought on.
        stable: the version that served before; None if there is none, or no longer.
        weight: percent of the requests that the candidate answers.
        mirror: percent of the requests that it gets a copy of; what it answers to a copy is dropped.
    """

    candidate: str
    stable: str | None = None
    weight: int = 100
    mirror: int = 0

    @property
    def shares(self) -> dict[str, int]:
        """Version -> percent of the requests that it answers."""
        rest = {self.stable: 100 - self.weight} if self.stable else {}
        return rest | {self.candidate: self.weight if self.stable else 100}


class Routing(Protocol):
    """Turns a split into manifests. Equal input, equal text."""

    mirrors: bool
    file: str

    def manifest(self, spec: UseCase, stage: Stage, split: Split, *, parent: str) -> Manifest:
        """What is committed as `file`: the stage's one address, whoever answers behind it.

        Args:
            spec: the use case.
            stage: one of its stages.
            split: who gets the requests.
            parent: `<namespace>/<name>` of the cluster's Gateway.
        """
        ...

    def replicas(self, stage: Stage, split: Split) -> dict[str, int]:
        """Version -> how many replicas it has."""
        ...

    def serving(self, manifest: Manifest, replicas: Mapping[str, int]) -> str | None:
        """The version that most requests go to; the reverse of the two above.

        Args:
            manifest: of `file`.
            replicas: version -> replicas, of the stage's deployments.
        """
        ...

    def path(self, spec: UseCase, stage: Stage) -> str | None:
        """Of the stage's address, on the cluster's Gateway; None where the stage's Service is the address."""
        ...
