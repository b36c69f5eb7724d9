import tracemalloc
from typing import Any

import numpy as np
import pytest

from include.foundation.http.refusal import Refusal
from include.services.serving import tensors

FEATURES = ("size", "weight")
CATEGORIES = {"size": ("S", "L")}


def _matrix(**changes: Any) -> dict[str, Any]:
    tensor = {"name": "features", "datatype": "FP32", "shape": [2, 2], "data": [1, 2.5, None, -4]}
    return {"id": "7", "inputs": [tensor | changes]}


def _columns(**changes: Any) -> dict[str, Any]:
    size = {"name": "size", "datatype": "BYTES", "shape": [2], "data": ["S", None]}
    weight = {"name": "weight", "datatype": "FP64", "shape": [2, 1], "data": [1.5, None]}
    return {"inputs": [size | changes, weight]}


def _read(payload: Any) -> tensors.InferRequest:
    return tensors.read(payload, features=FEATURES, categories=CATEGORIES, output="probability")


@pytest.mark.parametrize("data", [[1, 2.5, None, -4], [[1, 2.5], [None, -4]]])
def test_a_matrix_flat_or_nested(data: Any) -> None:
    request = _read(_matrix(data=data))
    assert request.matrix is not None
    assert request.matrix.dtype == np.float32
    np.testing.assert_array_equal(request.matrix, np.array([[1, 2.5], [np.nan, -4]], np.float32))
    assert request.id == "7"


@pytest.mark.parametrize(("datatype", "least", "most"), [("INT8", -128, 127), ("UINT64", 0, 2**64 - 1)])
def test_whole_numbers_up_to_the_ends_of_their_datatype(datatype: str, least: int, most: int) -> None:
    request = _read(_matrix(data=[least, most, None, 0], datatype=datatype, parameters={"content_type": "np"}))
    assert request.matrix is not None
    np.testing.assert_array_equal(request.matrix, np.array([[least, most], [np.nan, 0]], np.float32))


def test_columns() -> None:
    columns = _read(_columns()).columns
    assert columns["size"] == ["S", None]
    np.testing.assert_array_equal(columns["weight"], np.array([1.5, np.nan], np.float32))
    assert _read(_columns(shape=[2, 1], data=[["S"], ["XL"]])).columns["size"] == ["S", "XL"]


def test_the_answer_repeats_id_and_parameters() -> None:
    request = _read(_matrix() | {"parameters": {"a": 1}, "outputs": [{"name": "probability"}]})
    probability = np.array([0.5, 0.25], np.float32)
    answer = tensors.response(model="m", version="3", request=request, output="probability", answers=probability)
    assert (answer["model_name"], answer["model_version"]) == ("m", "3")
    assert (answer["id"], answer["parameters"]) == ("7", {"a": 1})
    output = answer["outputs"][0]
    assert (output["name"], output["datatype"], output["shape"]) == ("probability", "FP32", [2])
    assert output["data"] is probability


@pytest.mark.parametrize(
    ("payload", "path", "says"),
    [
        ([], "", "the body must be a JSON object"),
        ({"inputs": []}, "inputs", "at least one tensor"),
        ({"inputs": [3]}, "inputs", "at least one tensor"),
        (_matrix() | {"id": 7}, "id", "string"),
        (_matrix() | {"parameters": [1]}, "parameters", "object"),
        (_matrix() | {"outputs": [{"name": "label"}]}, "outputs[0].name", "'probability'"),
        (_matrix() | {"outputs": {"name": "probability"}}, "outputs", "list"),
        (_matrix(datatype="BYTES"), "inputs[0].datatype", "FP32"),
        (_matrix(datatype=["FP32"]), "inputs[0].datatype", "FP32"),
        (_matrix(shape=[2, 3]), "inputs[0].shape", "[n, 2]"),
        (_matrix(shape=[4]), "inputs[0].shape", "[n, 2]"),
        (_matrix(shape=[0, 2], data=[]), "inputs[0].shape", "at least 1"),
        (_matrix(shape=[2, True]), "inputs[0].shape", "whole numbers"),
        (_matrix(shape="22"), "inputs[0].shape", "whole numbers"),
        (_matrix(shape=[10**18, 2]), "inputs[0].data", "has 4 values"),
        (_matrix(data=[1, 2, 3]), "inputs[0].data", "has 3 values"),
        (_matrix(data=[[1, 2, 3, 4]]), "inputs[0].data", "lists of 2 values"),
        (_matrix(data=[[1, 2], [3]]), "inputs[0].data", "lists of 2 values"),
        (_matrix(data=[[1, 2], 3, 4]), "inputs[0].data", "lists of 2 values"),
        (_matrix(data=[[1, 2]]), "inputs[0].data", "has 2 values"),
        (_matrix(data=[[[1], [2]], [[3], [4]]]), "inputs[0].data", "numbers"),
        (_matrix(data=["1", "2", "3", "4"]), "inputs[0].data", "numbers"),
        (_matrix(data=[1, 2, None, "4"]), "inputs[0].data", "numbers"),
        (_matrix(data=[True, False, True, True]), "inputs[0].data", "numbers"),
        (_matrix(data=[True, 1, 2.5, 1]), "inputs[0].data", "numbers"),
        (_matrix(data=[[True, 1], [2, 3]]), "inputs[0].data", "numbers"),
        (_matrix(data=[{}, [], None, 1]), "inputs[0].data", "lists of 2 values"),
        (_matrix(data=None), "inputs[0].data", "list"),
        (_matrix(data=[1, 2, 3, 1e39]), "inputs[0].data", "beyond FP32"),
        (_matrix(data=[1.5, 2, 3, 4], datatype="INT64"), "inputs[0].data", "whole numbers: the datatype is INT64"),
        (_matrix(data=[-1, 2, 3, 4], datatype="UINT8"), "inputs[0].data", "beyond UINT8"),
        (_matrix(data=[0, None, 3, 300], datatype="UINT8"), "inputs[0].data", "beyond UINT8"),
        (_matrix(data=[0, 1, 2, 2**63], datatype="INT64"), "inputs[0].data", "beyond INT64"),
        (_matrix(data=[[1, 2], [3, 128]], datatype="INT8"), "inputs[0].data", "beyond INT8"),
        (_matrix(parameters={"content_type": "base64"}), "inputs[0].parameters.content_type", "one of np, pd, str"),
        (_columns(parameters={"content_type": "base64"}), "inputs[0].parameters.content_type", "one of np, pd, str"),
        (_matrix() | {"parameters": {"content_type": "hg_json"}}, "parameters.content_type", "one of np, pd, str"),
        (_matrix(name="label"), "inputs[0].name", "'features'"),
        (_matrix(name=["features"]), "inputs[0].name", "'features'"),
        (_columns(datatype="FP32"), "inputs[0].datatype", "BYTES"),
        (_columns(data=["S", 3]), "inputs[0].data", "2 strings"),
        (_columns(data=["S"]), "inputs[0].data", "2 strings"),
        (_columns(shape=[1], data=["S"]), "inputs[1].shape", "the same for all"),
        (_columns(name="weight"), "inputs[0].datatype", "FP32"),
        ({"inputs": _columns()["inputs"][:1]}, "inputs", "misses the features weight"),
        ({"inputs": _columns()["inputs"] * 2}, "inputs[2].name", "each feature once"),
    ],
)
def test_what_is_wrong_is_named(payload: Any, path: str, says: str) -> None:
    with pytest.raises(Refusal) as caught:
        _read(payload)
    assert caught.value.status == 400
    assert says in caught.value.message
    assert [fault.path for fault in caught.value.fields] == ([path] if path else [])


def test_a_text_among_numbers_costs_no_memory() -> None:
    data = [1] * 9_999 + ["x" * 10_000]
    tracemalloc.start()
    try:
        with pytest.raises(Refusal, match="must hold numbers"):
            _read(_matrix(shape=[5_000, 2], data=data))
        assert tracemalloc.get_traced_memory()[1] < 10 * len(data) * 8
    finally:
        tracemalloc.stop()


def test_whole_numbers_are_rounded_once() -> None:
    """By way of float64, this one would be rounded twice, to another neighbour."""
    number = 2**60 + 2**36 + 1
    request = _read(_matrix(data=[number] * 4, datatype="INT64"))
    assert request.matrix is not None
    assert int(request.matrix[0, 0]) == 2**60 + 2**37


def test_binary_tensors_are_named() -> None:
    body = b'{"inputs": [{"parameters": {"binary_data_size": 8}}]}\0\0\x80?\0\0\x10A'
    with pytest.raises(Refusal, match="binary tensors are not spoken") as caught:
        tensors.parse(body)
    assert caught.value.status == 400


def test_answers_with_a_column_for_each_class_are_flat() -> None:
    answers = np.array([[0.5, 0.25, 0.25], [0.0, 1.0, 0.0]], np.float32)
    body = tensors.response(model="m", version="3", request=_read(_matrix()), output="probabilities", answers=answers)
    (output,) = body["outputs"]
    assert (output["name"], output["shape"]) == ("probabilities", [2, 3])
    assert output["data"].tolist() == [0.5, 0.25, 0.25, 0.0, 1.0, 0.0]
