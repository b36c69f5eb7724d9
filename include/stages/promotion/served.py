"""What each stage serves, read from the files of the GitOps repository, which production follows."""

from collections.abc import Mapping
from dataclasses import dataclass

import yaml

from include.foundation.errors import InvalidInput
from include.foundation.spec import UseCase
from include.stages.promotion import manifests

VERSION = "flightline/model-version"


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
    found = []
    for stage in spec.promotion.stages:
        folder = f"{manifests.path(spec, stage)}/"
        mine = {path for path in files if path.startswith(folder)}
        foreign = tuple(sorted(mine - {*manifests.paths(spec, stage)}))
        deployment = files.get(f"{folder}deployment.yaml")
        version = None if deployment is None else _version(f"{folder}deployment.yaml", deployment)
        found.append(Served(stage=stage.name, version=version, foreign=foreign))
    return tuple(found)


def _version(path: str, text: str) -> str:
    try:
        return str(yaml.safe_load(text)["metadata"]["annotations"][VERSION])
    except (yaml.YAMLError, TypeError, KeyError) as error:
        raise InvalidInput(
            f"{path} in the GitOps repository does not say which version it deploys (annotation {VERSION}): {error!r}. "
            "Restore it from Git's history"
        ) from error
