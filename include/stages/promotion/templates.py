"""The templates in `deploy/gitops/`, filled: each `${name}` of a parsed YAML file with its value."""

from functools import cache
from pathlib import Path
from string import Template
from typing import Any

import yaml

from include.foundation.spec import UseCase
from include.foundation.spec.promotion import Stage

FOLDER = Path(__file__).parents[3] / "deploy" / "gitops"
PORT = 80  # of every Service


def name(spec: UseCase, version: str) -> str:
    """Of a version's Deployment and Service."""
    return f"{spec.slug}-v{version}"


def path(spec: UseCase, stage: Stage) -> str:
    """The stage's folder in the GitOps repository."""
    return f"{spec.slug}/{stage.name}"


def place(spec: UseCase, stage: Stage) -> dict[str, Any]:
    """The values that say where something is."""
    return {
        "application": spec.application(stage.name),
        "cluster": str(stage.cluster),
        "namespace": stage.namespace,
        "path": path(spec, stage),
        "slug": spec.slug,
    }


def fill(kind: str, values: dict[str, Any]) -> Any:
    """The template of a kind with the values in."""
    return filled(_template(kind), values)


@cache
def _template(kind: str) -> Any:
    return yaml.safe_load((FOLDER / f"{kind}.yaml").read_text(encoding="utf-8"))


def filled(node: Any, values: dict[str, Any]) -> Any:
    """A copy of `node` with the values in. Filling the parsed tree keeps a value from becoming YAML syntax."""
    if isinstance(node, dict):
        return {key: filled(value, values) for key, value in node.items()}
    if isinstance(node, list):
        return [filled(value, values) for value in node]
    if not isinstance(node, str):
        return node
    template = Template(node)
    names = template.get_identifiers()
    if names and node == f"${{{names[0]}}}":
        return values[names[0]]
    return template.substitute(values)
