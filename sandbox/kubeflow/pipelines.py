"""A compiled pipeline: its tasks in order, and the command of each."""

import json
import re
from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Any

import yaml

_PLACEHOLDER = re.compile(r"\{\{\$\.inputs\.parameters\['([^']+)'\]\}\}")
_MOST = 500  # tasks of a run
_TYPES: dict[str, type | tuple[type, ...]] = {"STRING": str, "LIST": list, "STRUCT": dict, "BOOLEAN": bool}
_TYPES |= dict.fromkeys(("NUMBER_INTEGER", "NUMBER_DOUBLE"), (int, float))


class InvalidPipeline(Exception):
    """It is no pipeline, or asks for what is left out here."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """A task: its image, command and environment with every parameter put in, and Secrets by mount path.

    Attributes:
        name: of this step alone.
        shown: what people see.
        after: names of the steps that must have succeeded before.
    """

    name: str
    shown: str
    after: frozenset[str]
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
    """The tasks in an order in which they may run; a task in a loop is a step for each item.

    Raises:
        InvalidPipeline: a task asks for what is left out here.
    """
    try:
        return _Tasks(spec, platform).of(spec["root"]["dag"], values)
    except (LookupError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise InvalidPipeline(f"the pipeline spec is not consistent: {error!r}") from error


class _Tasks:
    """The tasks of a pipeline, loops unrolled."""

    def __init__(self, spec: Mapping[str, Any], platform: Mapping[str, Any]) -> None:
        self._components, self._executors = spec["components"], spec["deploymentSpec"]["executors"]
        self._platform = platform.get("deploymentSpec", {}).get("executors", {})
        self._count = 0

    def of(
        self, dag: Mapping[str, Any], values: Mapping[str, Any], *, within: str = "", after: Set[str] = frozenset()
    ) -> list[Step]:
        """The steps of a DAG whose inputs have these values; `within` stands before their names."""
        waiting, ends, ordered = dict(dag["tasks"]), dict[str, frozenset[str]](), list[Step]()
        while waiting:
            ready = [name for name, task in waiting.items() if {*task.get("dependentTasks", [])} <= {*ends}]
            if not ready:
                raise InvalidPipeline(f"the tasks {', '.join(waiting)} depend on each other")
            for name in ready:
                task = waiting.pop(name)
                before = frozenset(after).union(*(ends[each] for each in task.get("dependentTasks", [])))
                made = self._task(f"{within}{name}", task, _inputs(name, task, values), before)
                ends[name] = before.union(step.name for step in made)
                ordered += made
        return ordered

    def _task(self, name: str, task: Mapping[str, Any], inputs: Mapping[str, Any], after: frozenset[str]) -> list[Step]:
        self._count += 1
        if self._count > _MOST:  # before loops in loops have made them all
            raise InvalidPipeline(f"left out here: more than {_MOST} tasks")
        component = self._components[task["componentRef"]["name"]]
        if "parameterIterator" in task and "dag" in component:
            loop = task["parameterIterator"]
            where = loop["items"]
            items = json.loads(where["raw"]) if "raw" in where else inputs[where["inputParameter"]]
            return [
                step
                for number, item in enumerate(items)
                for step in self.of(
                    component["dag"], {**inputs, loop["itemInput"]: item}, within=f"{name}-{number}-", after=after
                )
            ]
        label = component.get("executorLabel")
        container = self._executors.get(label, {}).get("container")
        if not container or {"triggerPolicy", "parameterIterator"} & {*task}:
            raise InvalidPipeline(f"left out here: task {name} is more than a container")

        def put_in(word: str) -> str:
            return _PLACEHOLDER.sub(lambda found: _text(inputs[found[1]]), word)

        secrets = self._platform.get(label, {}).get("secretAsVolume", [])
        step = Step(
            name=name,
            shown=task.get("taskInfo", {}).get("name", name),
            after=after,
            image=container["image"],
            command=[put_in(word) for word in [*container.get("command", []), *container.get("args", [])]],
            env={each["name"]: each["value"] for each in container.get("env", [])},
            secrets={each["mountPath"]: each["secretName"] for each in secrets},
        )
        return [step]


def _inputs(name: str, task: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    inputs = {}
    for key, source in task.get("inputs", {}).get("parameters", {}).items():
        if "componentInputParameter" in source:
            inputs[key] = values[source["componentInputParameter"]]
        elif "runtimeValue" in source:
            inputs[key] = source["runtimeValue"]["constant"]
        else:
            raise InvalidPipeline(f"left out here: task {name} reads what another task wrote")
    return inputs


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
