"""A compiled pipeline: its tasks in order, and the command of each."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

_PLACEHOLDER = re.compile(r"\{\{\$\.inputs\.parameters\['([^']+)'\]\}\}")
_TYPES: dict[str, type | tuple[type, ...]] = {"STRING": str, "LIST": list, "STRUCT": dict, "BOOLEAN": bool}
_TYPES |= dict.fromkeys(("NUMBER_INTEGER", "NUMBER_DOUBLE"), (int, float))


class InvalidPipeline(Exception):
    """It is no pipeline, or asks for what is left out here."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """A task: its image, command and environment with every parameter put in, and Secrets by mount path."""

    name: str
    image: str
    command: list[str]
    env: Mapping[str, str]
    secrets: Mapping[str, str]


def read(text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The pipeline's spec and its platform's.

    Raises:
        InvalidPipeline: it has no root, or no executors.
    """
    try:
        documents = [each for each in yaml.safe_load_all(text) if each]
        spec: dict[str, Any] = documents[0]
        named = spec["root"]["dag"]["tasks"] and spec["deploymentSpec"]["executors"] and spec["pipelineInfo"]["name"]
    except (yaml.YAMLError, LookupError, TypeError, RecursionError) as error:
        raise InvalidPipeline(f"unknown template format: {error}") from error
    if not named:
        raise InvalidPipeline("unknown template format: it has no name")
    platform = documents[1] if len(documents) > 1 else {}
    return spec, platform.get("platforms", {}).get("kubernetes", {})


def parameters(spec: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a run's parameters, defaults put in.

    Raises:
        InvalidPipeline: one is unknown, missing or of another type.
    """
    known = spec["root"].get("inputDefinitions", {}).get("parameters", {})
    if unknown := sorted({*given} - {*known}):
        raise InvalidPipeline(f"parameter {unknown[0]} is not found in the pipeline spec")
    values = {}
    for name, definition in known.items():
        if name not in given and "defaultValue" not in definition and not definition.get("isOptional"):
            raise InvalidPipeline(f"parameter {name} is not optional, yet has neither a default value nor a given one")
        values[name] = given.get(name, definition.get("defaultValue"))
        kind = definition["parameterType"]
        if name in given and not isinstance(values[name], _TYPES[kind]):
            raise InvalidPipeline(f"input parameter {name} requires type {kind}, but the parameter value is not of it")
    return values


def steps(spec: Mapping[str, Any], platform: Mapping[str, Any], values: Mapping[str, Any]) -> list[Step]:
    """The tasks in an order in which they may run.

    Raises:
        InvalidPipeline: a task asks for what is left out here.
    """
    waiting, done, ordered = dict(spec["root"]["dag"]["tasks"]), set[str](), []
    while waiting:
        ready = [name for name, task in waiting.items() if {*task.get("dependentTasks", [])} <= done]
        if not ready:
            raise InvalidPipeline(f"the tasks {', '.join(waiting)} depend on each other")
        for name in ready:
            ordered.append(_step(name, waiting.pop(name), spec, platform, values))
            done.add(name)
    return ordered


def _step(
    name: str, task: Mapping[str, Any], spec: Mapping[str, Any], platform: Mapping[str, Any], values: Mapping[str, Any]
) -> Step:
    label = spec["components"][task["componentRef"]["name"]].get("executorLabel")
    container = spec["deploymentSpec"]["executors"].get(label, {}).get("container")
    if not container or {"triggerPolicy", "parameterIterator"} & {*task}:
        raise InvalidPipeline(f"left out here: task {name} is more than a container")
    inputs = {}
    for key, source in task.get("inputs", {}).get("parameters", {}).items():
        if "componentInputParameter" in source:
            inputs[key] = values[source["componentInputParameter"]]
        elif "runtimeValue" in source:
            inputs[key] = source["runtimeValue"]["constant"]
        else:
            raise InvalidPipeline(f"left out here: task {name} reads what another task wrote")

    def put_in(word: str) -> str:
        return _PLACEHOLDER.sub(lambda found: _text(inputs[found[1]]), word)

    own = platform.get("deploymentSpec", {}).get("executors", {}).get(label, {})
    return Step(
        name=name,
        image=container["image"],
        command=[put_in(word) for word in [*container.get("command", []), *container.get("args", [])]],
        env={each["name"]: each["value"] for each in container.get("env", [])},
        secrets={each["mountPath"]: each["secretName"] for each in own.get("secretAsVolume", [])},
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
