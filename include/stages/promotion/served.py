"""What each stage serves, read from the files of the GitOps repository, which production follows."""

from collections.abc import Mapping
from dataclasses import dataclass

from include.foundation.spec import UseCase
from include.stages.promotion import manifests


@dataclass(frozen=True, kw_only=True)
class Served:
    """What Git holds for a stage.

    Attributes:
        stage: its name.
        version: that is deployed; None if there is none.
        foreign: files that no promotion made.
    """

    stage: str
    version: str | None
    foreign: tuple[str, ...] = ()


def served(spec: UseCase, files: Mapping[str, str]) -> tuple[Served, ...]:
    """What each stage of the spec serves.

    Args:
        spec: the use case.
        files: path in the repository -> content, of the use case's folder at one commit.

    Raises:
        InvalidInput: a deployment cannot be read: what is served is not guessed.
    """
    found = [(stage.name, manifests.deployed(spec, stage, files)) for stage in spec.promotion.stages]
    return tuple(Served(stage=name, version=each.version, foreign=each.foreign) for name, each in found)
