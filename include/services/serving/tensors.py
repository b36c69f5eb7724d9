"""Tensors of the Open Inference Protocol, v2, over REST: a request's inputs to a feature matrix, a result to outputs.

Protocol: https://github.com/open-inference/open-inference-protocol (inference_rest). Not spoken: the binary tensor
extension, and texts that a client has encoded (`content_type: base64`). Beyond it: `null` stands for a missing value,
which JSON has no number for.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from types import NoneType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from include.foundation.http import body as json_body
from include.foundation.http.refusal import Refusal

INPUT = "features"
NUMBERS = ("FP32", "FP64", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64")
CONTENT_TYPES = ("np", "pd", "str")  # MLServer's names of plain values; under any other, data are not what they look
Columns = Mapping[str, list[str | None] | NDArray[np.float32]]


@dataclass(frozen=True, kw_only=True)
class InferRequest:
    """An inference request.

    Attributes:
        matrix: encoded rows, float32 [n, features]; None when the caller sent columns.
        columns: feature -> n values, to be encoded as training does; None when the caller sent a matrix.
        id: the caller's name of the request, repeated in the answer.
        parameters: the caller's parameters, repeated in the answer; none changes the answer.
    """

    matrix: NDArray[np.float32] | None = None
    columns: Columns | None = None
    id: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)


def parse(body: bytes) -> Any:
    """Parsed JSON of a request. Raises Refusal: 400, which tells of binary tensors when they are in the way."""
    try:
        return json_body.parse(body)
    except Refusal as refusal:
        if b'"binary_data_size"' in body:
            binary = "binary tensors are not spoken: send the data as JSON (Triton's client: binary_data=False)"
            raise Refusal(400, binary) from refusal
        raise


def read(
    payload: Any, *, features: Sequence[str], categories: Mapping[str, Sequence[str]], output: str
) -> InferRequest:
    """Check a parsed request body against the model's inputs.

    Either one input `features`, numbers of shape [n, len(features)], encoded by the caller; or one input for each
    feature, shape [n] or [n, 1]: BYTES for those in `categories`, numbers for the others.

    Raises:
        Refusal: 400, naming the part at fault.
    """
    if not isinstance(payload, dict):
        raise Refusal(400, "the body must be a JSON object")
    name = payload.get("id")
    if name is not None and not isinstance(name, str):
        raise Refusal.at(400, "id", "must be a string")
    parameters = payload.get("parameters") or {}
    if not isinstance(parameters, dict):
        raise Refusal.at(400, "parameters", "must be an object")
    _check_content_type(payload, "")
    _check_outputs(payload.get("outputs") or [], output)
    inputs = payload.get("inputs")
    if not isinstance(inputs, list) or not inputs or not all(isinstance(item, dict) for item in inputs):
        raise Refusal.at(400, "inputs", "must be a list of at least one tensor object")
    if len(inputs) == 1 and inputs[0].get("name") == INPUT:
        matrix = _numbers(inputs[0], "inputs[0]", width=len(features))
        return InferRequest(matrix=matrix, id=name, parameters=parameters)
    columns = _columns(inputs, features=features, categories=categories)
    return InferRequest(columns=columns, id=name, parameters=parameters)


def response(
    *, model: str, version: str, request: InferRequest, output: str, answers: NDArray[np.float32]
) -> dict[str, Any]:
    """The response body for `answers`, float32 [n] or [n, classes], as the tensor `output`: row after row."""
    body: dict[str, Any] = {"model_name": model, "model_version": version}
    if request.id is not None:
        body["id"] = request.id
    if request.parameters:
        body["parameters"] = request.parameters
    data = answers if answers.ndim == 1 else answers.ravel()
    tensor = {"name": output, "datatype": "FP32", "shape": list(answers.shape), "data": data}
    return {**body, "outputs": [tensor]}


def _check_outputs(outputs: Any, name: str) -> None:
    if not isinstance(outputs, list):
        raise Refusal.at(400, "outputs", "must be a list")
    for index, output in enumerate(outputs):
        if not isinstance(output, dict) or output.get("name") != name:
            raise Refusal.at(400, f"outputs[{index}].name", f"the model's only output is {name!r}")


def _check_content_type(part: Mapping[str, Any], path: str) -> None:
    parameters = part.get("parameters")
    if isinstance(parameters, dict) and parameters.get("content_type", "np") not in CONTENT_TYPES:
        where = f"{path}.parameters.content_type".lstrip(".")
        raise Refusal.at(400, where, f"must be one of {', '.join(CONTENT_TYPES)}: send the values as they are")


def _shape(tensor: Mapping[str, Any], path: str) -> list[int]:
    shape = tensor.get("shape")
    if not isinstance(shape, list) or not all(type(size) is int and size >= 0 for size in shape):
        raise Refusal.at(400, f"{path}.shape", "must be a list of whole numbers")
    return shape


def _data(tensor: Mapping[str, Any], path: str) -> list[Any]:
    _check_content_type(tensor, path)
    data = tensor.get("data")
    if not isinstance(data, list):
        raise Refusal.at(400, f"{path}.data", "must be a list")
    return data


def _numbers(tensor: Mapping[str, Any], path: str, *, width: int) -> NDArray[np.float32]:
    """A tensor of numbers as float32 [n, width]."""
    datatype = tensor.get("datatype")
    if datatype not in NUMBERS:
        raise Refusal.at(400, f"{path}.datatype", f"must be FP32 (or one of {', '.join(NUMBERS[1:])})")
    shape = _shape(tensor, path)
    if len(shape) != 2 or shape[1] != width or shape[0] < 1:
        raise Refusal.at(400, f"{path}.shape", f"must be [n, {width}] with n of at least 1")
    data = _data(tensor, path)
    # Types first: of a text among numbers, numpy would make texts of that length of all of them.
    types = set(map(type, data))
    if list in types:
        if any(type(row) is not list or len(row) != width for row in data):
            raise Refusal.at(400, f"{path}.data", f"must be a flat list, or a list of lists of {width} values")
        data = list(chain.from_iterable(data))
        types = set(map(type, data))
    if len(data) != shape[0] * width:
        raise Refusal.at(400, f"{path}.data", f"has {len(data)} values, its shape {shape} wants {shape[0] * width}")
    if not types <= {int, float, NoneType}:
        raise Refusal.at(400, f"{path}.data", "must hold numbers, or null for a missing value")
    if not datatype.startswith("FP"):
        _check_whole(data, types, datatype, path)
    # None becomes NaN. Whole numbers are not made float64 first, which would round them twice.
    values = np.array(data, dtype=None if types == {int} else np.float64)
    with np.errstate(over="ignore"):
        matrix = values.astype(np.float32).reshape(shape)
    if np.isinf(matrix).any():
        raise Refusal.at(400, f"{path}.data", "holds a number beyond FP32")
    return matrix


def _check_whole(data: Sequence[Any], types: set[type], datatype: str, path: str) -> None:
    if float in types:
        raise Refusal.at(400, f"{path}.data", f"must hold whole numbers: the datatype is {datatype}")
    numbers = data if NoneType not in types else [value for value in data if value is not None]
    limits = np.iinfo(datatype.lower())
    if numbers and not (limits.min <= min(numbers) and max(numbers) <= limits.max):
        raise Refusal.at(400, f"{path}.data", f"holds a number beyond {datatype}")


def _columns(
    inputs: Sequence[Mapping[str, Any]], *, features: Sequence[str], categories: Mapping[str, Sequence[str]]
) -> Columns:
    columns: dict[str, list[str | None] | NDArray[np.float32]] = {}
    rows = None
    for index, tensor in enumerate(inputs):
        path = f"inputs[{index}]"
        name = tensor.get("name")
        if not isinstance(name, str) or name not in features or name in columns:
            raise Refusal.at(400, f"{path}.name", f"must be {INPUT!r} (as the only input), or each feature once")
        shape = _shape(tensor, path)
        if len(shape) not in (1, 2) or shape[1:] not in ([], [1]) or shape[0] < 1 or shape[0] != (rows or shape[0]):
            raise Refusal.at(400, f"{path}.shape", "must be [n] or [n, 1], n of at least 1 and the same for all inputs")
        rows = shape[0]
        if name in categories:
            columns[name] = _strings(tensor, path, rows=rows)
        else:
            columns[name] = _numbers({**tensor, "shape": [rows, 1]}, path, width=1)[:, 0]
    if missing := [name for name in features if name not in columns]:
        raise Refusal.at(400, "inputs", f"misses the features {', '.join(missing)}")
    return columns


def _strings(tensor: Mapping[str, Any], path: str, *, rows: int) -> list[str | None]:
    if tensor.get("datatype") != "BYTES":
        raise Refusal.at(400, f"{path}.datatype", "must be BYTES: the feature is a category")
    data = [item[0] if isinstance(item, list) and len(item) == 1 else item for item in _data(tensor, path)]
    if len(data) != rows or not all(item is None or isinstance(item, str) for item in data):
        raise Refusal.at(400, f"{path}.data", f"must hold {rows} strings, or null for a missing value")
    return data
