"""The shapes of what clients send, as JSON Schemas, once members that are null are dropped."""

from typing import Any

from include.services.tuning.records import Document

_NAME = {"type": "string", "minLength": 1, "maxLength": 100}
_NUMBER = {"type": "number"}
_COUNT = {"type": "integer", "minimum": 1, "maximum": 2**31 - 1}
_METADATA = {
    "type": "object",
    "maxProperties": 100,
    "propertyNames": {"maxLength": 100},
    "additionalProperties": {"type": ["string", "number"], "maxLength": 500},
}
_TASK = {"type": ["string", "object", "null"]}
_ASSIGNMENTS = {"type": "object"}


def _object(required: tuple[str, ...] = (), **properties: Any) -> Document:
    return {"type": "object", "required": list(required), "properties": properties, "additionalProperties": False}


def _list(item: Document, **more: Any) -> Document:
    return {"type": "array", "items": item, **more}


_PARAMETER = _object(
    ("name", "type"),
    name=_NAME,
    type={"enum": ["double", "int", "categorical"]},
    bounds=_object(("min", "max"), min=_NUMBER, max=_NUMBER),
    grid=_list(_NUMBER, minItems=2, uniqueItems=True),
    categorical_values=_list(
        {"anyOf": [_NAME, _object(("name",), name=_NAME, enum_index={"type": "integer"}, object={})]}, minItems=2
    ),
    transformation={"enum": ["log", "none"]},
    prior={
        "anyOf": [
            _object(("name", "mean", "scale"), name={"const": "normal"}, mean=_NUMBER, scale=_NUMBER),
            _object(("name", "shape_a", "shape_b"), name={"const": "beta"}, shape_a=_NUMBER, shape_b=_NUMBER),
        ]
    },
    conditions={"type": "object", "additionalProperties": _list(_NAME, minItems=1)},
    default_value={},
    object={},
)
_METRIC = {
    "anyOf": [
        _NAME,
        _object(
            ("name",),
            name=_NAME,
            objective={"enum": ["maximize", "minimize"]},
            strategy={"enum": ["optimize", "store", "constraint"]},
            threshold=_NUMBER,
            object={},
        ),
    ]
}
EXPERIMENT = _object(
    ("name", "parameters", "metrics"),
    name=_NAME,
    project={"type": "string", "maxLength": 100},
    type={"enum": ["offline", "random"]},
    observation_budget=_COUNT,
    parallel_bandwidth=_COUNT,
    num_solutions={"const": 1},
    parameters={"type": "array", "items": _PARAMETER, "minItems": 1, "maxItems": 100},
    metrics={"type": "array", "items": _METRIC, "minItems": 1, "maxItems": 50},
    conditionals=_list(_object(("name", "values"), name=_NAME, values=_list(_NAME, minItems=2, uniqueItems=True))),
    linear_constraints=_list(
        _object(
            ("type", "threshold", "terms"),
            type={"enum": ["less_than", "greater_than"]},
            threshold=_NUMBER,
            terms=_list(_object(("name", "weight"), name=_NAME, weight=_NUMBER), minItems=2),
        ),
        maxItems=100,
    ),
    tasks=_list(
        _object(("name", "cost"), name=_NAME, cost={"type": "number", "exclusiveMinimum": 0, "maximum": 1}), minItems=2
    ),
    metadata=_METADATA,
)
UPDATE = _object(
    name=_NAME,
    project={"type": "string", "maxLength": 100},
    state={"enum": ["active", "deleted"]},
    observation_budget=_COUNT,
    parallel_bandwidth=_COUNT,
    metadata=_METADATA,
)
SUGGESTION = _object(assignments=_ASSIGNMENTS, task=_TASK, metadata=_METADATA)
_VALUE = _object(
    ("value",),
    name={"type": "string"},
    value=_NUMBER,
    value_stddev={"type": "number", "minimum": 0, "maximum": 1e150},  # its square is finite
    object={},
)
OBSERVATION = _object(
    suggestion={"type": ["string", "integer"], "pattern": "^[0-9]{1,18}$"},
    assignments=_ASSIGNMENTS,
    values=_list(_VALUE),
    failed={"type": "boolean"},
    task=_TASK,
    metadata=_METADATA,
    no_optimize={"type": "boolean"},
)
BATCH = _object(
    ("observations",),
    observations={"type": "array", "maxItems": 2500},
    no_optimize={"type": "boolean"},
)
