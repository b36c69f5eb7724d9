"""Kubernetes and Argo CD manifests of a stage, from the templates in `deploy/gitops/`. Equal input, equal text."""

from functools import cache
from pathlib import Path
from string import Template
from typing import Any

import yaml

from include.foundation.spec import UseCase
from include.foundation.spec.promotion import Stage

KINDS = ("deployment", "service")
TEMPLATES = Path(__file__).parents[3] / "deploy" / "gitops"
IN_CLUSTER = "https://kubernetes.default.svc"


def render(
    spec: UseCase,
    stage: Stage,
    *,
    model_uri: str,
    digest: str,
    version: str,
    image: str,
    manifest_digest: str,
    feature_code: str,
    run_id: str,
    kafka: str = "{}",
) -> dict[str, str]:
    """What is committed to the GitOps repository so that `stage` serves a version.

    Args:
        spec: the use case.
        stage: one of the spec's stages.
        model_uri: where the model file is (`s3://...`).
        digest: SHA-256 of the model file, hex; the pods refuse another.
        version: of the registered model.
        image: of serving.
        manifest_digest: SHA-256 of the run manifest, hex.
        feature_code: SHA-256 of the feature code that the image must have, hex; empty for any.
        run_id: of the MLflow run that made the version.
        kafka: librdkafka's settings of the prediction log, a JSON object without secrets; empty: nothing is logged.

    Returns:
        Path in the repository -> YAML text, ending in a newline.
    """
    values = {
        **_place(spec, stage),
        "use_case": spec.name,
        "replicas": stage.replicas,
        "cpu": spec.serving.cpu,
        "memory": spec.serving.memory,
        "model_uri": model_uri,
        "digest": digest,
        "version": version,
        "image": image,
        "manifest_digest": manifest_digest,
        "feature_code": feature_code,
        "run_id": run_id,
        "kafka": kafka,
    }
    files = {
        f"{path(spec, stage)}/{kind}.yaml": yaml.safe_dump(_fill(_template(kind), values), sort_keys=False)
        for kind in KINDS
    }
    return files | dict([readme(spec, stage)])


def application(spec: UseCase, stage: Stage, repo_url: str, *, server: str = IN_CLUSTER) -> dict[str, Any]:
    """The Argo CD Application that brings the stage's manifests from the repository to its cluster and namespace.

    Args:
        spec: the use case.
        stage: one of its stages.
        repo_url: of the GitOps repository, as Argo CD reaches it.
        server: URL of the cluster's API, as Argo CD knows it; by default the cluster that Argo CD runs in.
    """
    values = {**_place(spec, stage), "repo_url": repo_url, "server": server}
    filled: dict[str, Any] = _fill(_template("application"), values)
    return filled


def readme(spec: UseCase, stage: Stage) -> tuple[str, str]:
    """Path and text of the file that keeps the stage's folder, for Argo CD wants one before anything is deployed."""
    return f"{path(spec, stage)}/README.md", f"{spec.title}: {stage.name}.\n"


def paths(spec: UseCase, stage: Stage) -> set[str]:
    """All files that promotions keep in the stage's folder."""
    return {readme(spec, stage)[0], *(f"{path(spec, stage)}/{kind}.yaml" for kind in KINDS)}


def path(spec: UseCase, stage: Stage) -> str:
    """The stage's folder in the GitOps repository."""
    return f"{spec.slug}/{stage.name}"


def _place(spec: UseCase, stage: Stage) -> dict[str, Any]:
    return {
        "application": spec.application(stage.name),
        "cluster": stage.cluster,
        "namespace": stage.namespace,
        "path": path(spec, stage),
        "slug": spec.slug,
        "stage": stage.name,
    }


@cache
def _template(kind: str) -> Any:
    return yaml.safe_load((TEMPLATES / f"{kind}.yaml").read_text(encoding="utf-8"))


def _fill(node: Any, values: dict[str, Any]) -> Any:
    """A copy of `node` with the values in. Filling the parsed tree keeps a value from becoming YAML syntax."""
    if isinstance(node, dict):
        return {key: _fill(value, values) for key, value in node.items()}
    if isinstance(node, list):
        return [_fill(value, values) for value in node]
    if not isinstance(node, str):
        return node
    template = Template(node)
    names = template.get_identifiers()
    if names and node == f"${{{names[0]}}}":
        return values[names[0]]
    return template.substitute(values)
