"""What is committed for a stage: its two versions at most, and who gets the requests. Equal input, equal text."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from include.foundation.errors import InvalidInput
from include.foundation.spec import UseCase
from include.foundation.spec.promotion import Stage
from include.stages.promotion import routing, templates
from include.stages.promotion.routing import Split

IN_CLUSTER = "https://kubernetes.default.svc"
VERSION = "flightline/model-version"  # the annotation that says which version a Deployment is of
_OURS = re.compile(r"README\.md|route\.yaml|(?P<kind>deployment|service)(-(?P<version>[0-9]+))?\.yaml")


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """What a stage's folder holds.

    Attributes:
        version: that most requests go to; None if nothing is deployed.
        replicas: version -> replicas, of each version that has files of its own.
        foreign: files that no promotion made.
    """

    version: str | None
    replicas: Mapping[str, int]
    foreign: tuple[str, ...]

    def stable(self, candidate: str) -> str | None:
        """The version that a candidate is compared with, and that stays beside it until it serves alone."""
        return self.version if self.version in self.replicas and self.version != candidate else None


def deployed(spec: UseCase, stage: Stage, files: Mapping[str, str]) -> Deployed:
    """Read a stage's folder.

    Args:
        spec: the use case.
        stage: one of its stages.
        files: path in the repository -> content, of the use case's folder at one commit.

    Raises:
        InvalidInput: a file cannot be read: what is served is not guessed.
    """
    found: dict[str, tuple[str, int]] = {}  # file's version ("" for none) -> version, replicas
    folder = f"{templates.path(spec, stage)}/"
    mine = {path.removeprefix(folder): text for path, text in files.items() if path.startswith(folder)}
    ours = {path: match for path in mine if (match := _OURS.fullmatch(path))}
    for path, match in ours.items():
        if match["kind"] == "deployment":
            found[match["version"] or ""] = _read(folder + path, mine[path])
    route = routing.of(stage)
    replicas = {version: count for version, (_, count) in found.items() if version}
    serving = next((version for version, _ in found.values()), None)
    if replicas and (text := mine.get(f"{route.file}.yaml")):
        serving = route.serving(yaml.safe_load(text), replicas)
    foreign = tuple(sorted(folder + path for path in mine.keys() - ours.keys()))
    return Deployed(version=serving, replicas=replicas, foreign=foreign)


def render(
    spec: UseCase,
    stage: Stage,
    split: Split,
    *,
    before: Mapping[str, str],
    parent: str,
    model_uri: str,
    digest: str,
    image: str,
    manifest_digest: str,
    feature_code: str,
    run_id: str,
    kafka: str = "{}",
) -> dict[str, str | None]:
    """What is committed to the GitOps repository so that `stage` serves as the split says.

    Args:
        spec: the use case.
        stage: one of the spec's stages.
        split: who gets the requests; the rest describes its candidate.
        before: path in the repository -> content, as it is: the stable version's files are kept as they are.
        parent: `<namespace>/<name>` of the cluster's Gateway.
        model_uri: where the model file is (`s3://...`).
        digest: SHA-256 of the model file, hex; the pods refuse another.
        image: of serving.
        manifest_digest: SHA-256 of the run manifest, hex.
        feature_code: SHA-256 of the feature code that the image must have, hex; empty for any.
        run_id: of the MLflow run that made the version.
        kafka: librdkafka's settings of the prediction log, a JSON object without secrets; empty: nothing is logged.

    Returns:
        Path in the repository -> YAML text, ending in a newline, or None for a file that is to go.

    Raises:
        InvalidInput: the stable version's files are not there.
    """
    route, folder = routing.of(stage), templates.path(spec, stage)
    replicas = route.replicas(stage, split)
    values = {
        **templates.place(spec, stage),
        "name": templates.name(spec, split.candidate),
        "stage": stage.name,
        "use_case": spec.name,
        "replicas": replicas[split.candidate],
        "cpu": spec.serving.cpu,
        "memory": spec.serving.memory,
        "model_uri": model_uri,
        "digest": digest,
        "version": split.candidate,
        "image": image,
        "manifest_digest": manifest_digest,
        "feature_code": feature_code,
        "run_id": run_id,
        "kafka": kafka,
    }
    service = templates.fill("service", values)
    service["spec"]["selector"]["app.kubernetes.io/version"] = split.candidate
    files: dict[str, str | None] = {
        f"{folder}/deployment-{split.candidate}.yaml": _text(templates.fill("deployment", values)),
        f"{folder}/service-{split.candidate}.yaml": _text(service),
        f"{folder}/{route.file}.yaml": _text(route.manifest(spec, stage, split, parent=parent)),
    }
    if split.stable:
        files |= _kept(folder, split.stable, replicas[split.stable], before)
    gone = {path for path in before if path.startswith(f"{folder}/") and _OURS.fullmatch(path[len(folder) + 1 :])}
    return {**dict.fromkeys(gone), **files, **dict([readme(spec, stage)])}


def _kept(folder: str, version: str, replicas: int, before: Mapping[str, str]) -> dict[str, str | None]:
    """The stable version's files: what has another number of replicas is the same otherwise."""
    paths = [f"{folder}/{kind}-{version}.yaml" for kind in ("deployment", "service")]
    if lost := [path for path in paths if path not in before]:
        raise InvalidInput(
            f"{lost[0]} is not in the GitOps repository, but version {version} is to stay: restore it from Git"
        )
    deployment = yaml.safe_load(before[paths[0]])
    deployment["spec"]["replicas"] = replicas
    return {paths[0]: _text(deployment), paths[1]: before[paths[1]]}


def application(spec: UseCase, stage: Stage, repo_url: str, *, server: str = IN_CLUSTER) -> dict[str, Any]:
    """The Argo CD Application that brings the stage's manifests from the repository to its cluster and namespace.

    Args:
        spec: the use case.
        stage: one of its stages.
        repo_url: of the GitOps repository, as Argo CD reaches it.
        server: URL of the cluster's API, as Argo CD knows it; by default the cluster that Argo CD runs in.
    """
    values = {**templates.place(spec, stage), "repo_url": repo_url, "server": server}
    filled: dict[str, Any] = templates.fill("application", values)
    return filled


def readme(spec: UseCase, stage: Stage) -> tuple[str, str]:
    """Path and text of the file that keeps the stage's folder, for Argo CD wants one before anything is deployed."""
    return f"{templates.path(spec, stage)}/README.md", f"{spec.title}: {stage.name}.\n"


def _read(path: str, text: str) -> tuple[str, int]:
    """Version and replicas of a Deployment."""
    try:
        found = yaml.safe_load(text)
        return str(found["metadata"]["annotations"][VERSION]), int(found["spec"]["replicas"])
    except (yaml.YAMLError, TypeError, KeyError, ValueError) as error:
        raise InvalidInput(
            f"{path} in the GitOps repository does not say which version it deploys (annotation {VERSION}) and how "
            f"often: {error!r}. Restore it from Git's history"
        ) from error


def _text(manifest: Any) -> str:
    return yaml.safe_dump(manifest, sort_keys=False)
