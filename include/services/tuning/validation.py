"""Checks of what clients send. A fault is a Refusal whose message names the field.

The rules are SigOpt's (sigopt-server, `zigopt/handlers/validate`); those about an experiment as a whole are left to
`sigoptlite`, which knows them.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeGuard

from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from jsonschema.exceptions import best_match  # type: ignore[import-untyped]

from include.services.tuning import schemas
from include.services.tuning.records import Document, Experiment
from include.services.tuning.refusal import Refusal

_FIXED = ("conditionals", "linear_constraints", "metrics", "num_solutions", "parameters", "tasks", "type")
# What the optimiser computes with: whole numbers that a double holds exactly, and numbers whose squares it holds.
_LARGEST = {"int": 2**53, "double": 1e150}
_LONGEST_GRID = 1000
_MOST_CHOICES = 200  # each is a dimension of the model: 6 s a suggestion; with 1000 it were minutes
_LEAST_SHAPE = 1e-3  # of a beta distribution, which numpy cannot draw from when 1 / shape overflows


def _checker(schema: Document) -> Callable[[Any], Document]:
    validator = Draft202012Validator(schema)

    def check(body: Any) -> Document:
        present = _present(body)
        if fault := best_match(validator.iter_errors(present)):
            path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in fault.absolute_path)
            raise Refusal(f"{path.lstrip('.') or 'the body'}: {_shortened(fault.message)}")
        return dict(present)

    return check


def _shortened(message: str) -> str:
    """It begins with the value that is at fault, and ends with what is wrong about it."""
    return message if len(message) <= 500 else f"{message[:200]} ... {message[-200:]}"


def _present(value: Any) -> Any:
    """The same without members that are null."""
    if isinstance(value, Mapping):
        return {key: _present(each) for key, each in value.items() if each is not None}
    return [_present(each) for each in value] if isinstance(value, list) else value


check_suggestion = _checker(schemas.SUGGESTION)
_check_experiment, _check_update = _checker(schemas.EXPERIMENT), _checker(schemas.UPDATE)
_check_observation, _check_batch = _checker(schemas.OBSERVATION), _checker(schemas.BATCH)


def check_experiment(body: Any) -> Document:
    """The body of a create, completed: metrics and categorical values are objects, nothing is null."""
    checked = _check_experiment(body)
    metrics = [{"name": each} if isinstance(each, str) else each for each in checked["metrics"]]
    defaults = {"objective": "maximize", "strategy": "optimize", "threshold": None}
    checked["metrics"] = [{**defaults, **_bare(metric)} for metric in metrics]
    if sum(metric["strategy"] == "constraint" for metric in checked["metrics"]) > 4:
        raise Refusal("metrics: at most 4 may be constraints")
    for metric in checked["metrics"]:
        if metric["strategy"] == "store" and metric["threshold"] is not None:
            raise Refusal(f"metrics: {metric['name']} is only stored, so it has no threshold")
    checked["parameters"] = [_check_parameter(_bare(parameter)) for parameter in checked["parameters"]]
    _check_choices(checked["parameters"], checked.get("conditionals", []))
    checked.setdefault("type", "offline")
    return checked


def check_update(body: Any) -> Document:
    """The body of an update; null is kept, it clears a field."""
    if isinstance(body, Mapping) and (fixed := sorted(set(body) & set(_FIXED))):
        raise Refusal(f"{', '.join(fixed)}: cannot be updated; create another experiment")
    _check_update(body)
    for name in ("name", "state"):
        if name in body and body[name] is None:
            raise Refusal(f"{name}: cannot be null")
    return dict(body)


def check_batch(body: Any) -> list[Any]:
    """The observations of a create_batch, each yet to be checked."""
    return list(_check_batch(body)["observations"])


def check_observation(body: Any, experiment: Experiment) -> Document:
    """The body of an observation; `values` are in the order of the experiment's metrics, absent if it failed."""
    checked = _check_observation(body)
    if ("suggestion" in checked) == ("assignments" in checked):
        raise Refusal("suggestion, assignments: exactly one of them is wanted")
    values = checked.pop("values", None)
    if checked.get("failed"):
        if values:
            raise Refusal("values: a failed observation has none")
        return checked
    if not values:
        raise Refusal("values: missing; an observation without them must say `failed`")
    metrics = [metric["name"] for metric in experiment.spec["metrics"]]
    named = {value.get("name") or (metrics[0] if len(metrics) == 1 else None): value for value in values}
    if len(named) != len(values) or set(named) != set(metrics):
        raise Refusal(
            f"values: want one for each of the metrics {', '.join(metrics)}, got {[v.get('name') for v in values]}"
        )
    checked["values"] = [
        {"name": name, "value": named[name]["value"], "value_stddev": named[name].get("value_stddev")}
        for name in metrics
    ]
    return checked


def check_task(task: Any, experiment: Experiment) -> Document | None:
    """The experiment's task that is named; None where there are no tasks."""
    tasks = experiment.spec.get("tasks") or []
    if not tasks:
        if task is not None:
            raise Refusal("task: this experiment has no tasks")
        return None
    name = task.get("name") if isinstance(task, Mapping) else task
    for each in tasks:
        if each["name"] == name and (not isinstance(task, Mapping) or task.get("cost", each["cost"]) == each["cost"]):
            return dict(each)
    raise Refusal(f"task: want one of {', '.join(each['name'] for each in tasks)}")


def check_assignments(assignments: Document, experiment: Experiment) -> None:
    """Assignments by hand: all parameters whose conditions hold, of their types, within bounds and constraints."""
    spec, left = experiment.spec, dict(assignments)
    for conditional in spec.get("conditionals", []):
        name = conditional["name"]
        if (value := left.pop(name, None)) not in conditional["values"]:
            raise Refusal(f"assignments.{name}: want one of {conditional['values']}, got {value!r}")
    for parameter in spec["parameters"]:
        name = parameter["name"]
        wanted = all(assignments.get(of) in values for of, values in parameter.get("conditions", {}).items())
        if wanted != (name in left):
            raise Refusal(f"assignments.{name}: " + ("missing" if wanted else "its conditions do not hold"))
        if wanted:
            _check_assignment(parameter, left.pop(name))
    if left:
        raise Refusal(f"assignments: unknown parameters {', '.join(sorted(left))}")
    for constraint in spec.get("linear_constraints", []):
        total = sum(float(term["weight"]) * assignments[term["name"]] for term in constraint["terms"])
        sign = 1 if constraint["type"] == "less_than" else -1
        if sign * total > sign * constraint["threshold"]:
            raise Refusal(f"assignments: {total} is not {constraint['type']} {constraint['threshold']}")


def _check_assignment(parameter: Document, value: Any) -> None:
    field, kind = f"assignments.{parameter['name']}", parameter["type"]
    if kind == "categorical":
        allowed = [each["name"] for each in parameter["categorical_values"]]
        if value not in allowed:
            raise Refusal(f"{field}: want one of {allowed}, got {value!r}")
        return
    if not _is_number(value) or (kind == "int" and value != int(value)):
        raise Refusal(f"{field}: want a value of type {kind}, got {value!r}")
    if abs(value) > _LARGEST[kind]:
        raise Refusal(f"{field}: want a value within {_LARGEST[kind]}, got {value!r}")
    bounds = parameter.get("bounds") or {"min": value, "max": value}
    if not bounds["min"] <= value <= bounds["max"]:
        raise Refusal(f"{field}: want a value from {bounds['min']} to {bounds['max']}, got {value!r}")
    if parameter.get("grid") and value not in parameter["grid"]:
        raise Refusal(f"{field}: want one of {parameter['grid']}, got {value!r}")


def _check_parameter(parameter: Document) -> Document:
    name, kind = parameter["name"], parameter["type"]
    if kind == "categorical":
        names = sorted(
            each if isinstance(each, str) else each["name"] for each in parameter.get("categorical_values", ())
        )
        if len(set(names)) < max(2, len(names)):
            raise Refusal(f"parameters: {name} needs categorical_values, at least two, each once")
        parameter["categorical_values"] = [{"name": each, "enum_index": n} for n, each in enumerate(names, 1)]
    elif "categorical_values" in parameter or ("bounds" in parameter) == ("grid" in parameter):
        raise Refusal(f"parameters: {name} is of type {kind} and needs either bounds or grid")
    bounds = parameter.get("bounds")
    if bounds and bounds["min"] >= bounds["max"]:
        raise Refusal(
            f"parameters: {name} has bounds from {bounds['min']} to {bounds['max']}: min must be less than max"
        )
    numbers = (*parameter.get("bounds", {}).values(), *parameter.get("grid", ()))
    if beyond := [value for value in numbers if kind in _LARGEST and abs(value) > _LARGEST[kind]]:
        raise Refusal(f"parameters: {name} is of type {kind}, {beyond[0]} is beyond {_LARGEST[kind]}")
    if len(parameter.get("grid", ())) > _LONGEST_GRID:
        raise Refusal(
            f"parameters: {name} has a grid of {len(parameter['grid'])} values, at most {_LONGEST_GRID} are taken"
        )
    prior = parameter.get("prior", {})
    if any(prior.get(shape, 1) < _LEAST_SHAPE for shape in ("shape_a", "shape_b")):
        raise Refusal(f"parameters: {name} has a prior with a shape of less than {_LEAST_SHAPE}")
    if kind == "int":
        if fractions := [value for value in numbers if value != int(value)]:
            raise Refusal(f"parameters: {name} is of type int, {fractions[0]} is not")
        if "bounds" in parameter:
            parameter["bounds"] = {end: int(value) for end, value in parameter["bounds"].items()}
        else:
            parameter["grid"] = [int(value) for value in parameter["grid"]]
    if parameter.get("transformation") == "none":
        del parameter["transformation"]
    return parameter


def _check_choices(parameters: list[Document], conditionals: list[Document]) -> None:
    if both := {each["name"] for each in parameters} & {each["name"] for each in conditionals}:
        raise Refusal(f"conditionals: {min(both)} is the name of a parameter as well")
    choices = {each["name"]: len(each["categorical_values"]) for each in parameters if "categorical_values" in each}
    choices |= {each["name"]: len(each["values"]) for each in conditionals}
    if sum(choices.values()) > _MOST_CHOICES:
        most = max(choices, key=choices.__getitem__)
        raise Refusal(
            f"parameters, conditionals: they have {sum(choices.values())} categorical values, {choices[most]} of them"
            f" {most}; at most {_MOST_CHOICES} are taken"
        )


def _bare(document: Document) -> Document:
    return {key: value for key, value in document.items() if key != "object"}


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
