"""MLflow itself reads what stands beside the model file."""

import json

import mlflow.pyfunc
import numpy as np
import onnx
import pytest
from mlflow.models import Model
from onnx import TensorProto, helper

from include.foundation.artifact import Metadata
from include.stages.registry import mlmodel

FEATURES = ("a", "b")


def saved(folder, **fields):
    """A model of two features; each answer is their sum (times 1, 2, 3 where there are classes)."""
    metadata = Metadata(use_case="toy", features=FEATURES, categories={}, created_from={}, **fields)
    width = len(metadata.classes) or 1
    weights = helper.make_tensor("w", TensorProto.FLOAT, [2, width], [float(n % width + 1) for n in range(2 * width)])
    nodes = [helper.make_node("MatMul", ["features", "w"], ["sums"])]
    shape = [None, width] if metadata.output.per_class else [None]
    if metadata.output.per_class:
        nodes.append(helper.make_node("Identity", ["sums"], [metadata.output.name]))
    else:
        nodes.append(helper.make_node("Squeeze", ["sums", "last"], [metadata.output.name]))
    graph = helper.make_graph(
        nodes,
        "toy",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, 2])],
        [helper.make_tensor_value_info(metadata.output.name, TensorProto.FLOAT, shape)],
        [weights, helper.make_tensor("last", TensorProto.INT64, [1], [1])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    onnx.save(model, folder / "model.onnx")
    for name, data in mlmodel.files(metadata, run_id="r" * 32, example=[[1.0, float("nan")]]).items():
        (folder / name).write_bytes(data)
    return metadata


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, [3.0, 7.0]),
        ({"problem": "regression"}, [3.0, 7.0]),
        ({"problem": "multiclass", "classes": ("x", "y", "z")}, [[3.0, 6.0, 9.0], [7.0, 14.0, 21.0]]),
    ],
)
def test_a_stock_client_loads_it_and_gets_the_models_answers(tmp_path, fields, expected):
    metadata = saved(tmp_path, **fields)
    loaded = mlflow.pyfunc.load_model(str(tmp_path))
    answers = loaded.predict({"features": np.array([[1, 2], [3, 4]], np.float32)})
    np.testing.assert_array_equal(answers[metadata.output.name], np.array(expected, np.float32))
    with pytest.raises(mlflow.exceptions.MlflowException, match=r"float32|shape"):
        loaded.predict({"features": np.array([[1, 2, 3]], np.float32)})


def test_its_page_shows_schema_run_and_example(tmp_path):
    saved(tmp_path)
    model = Model.load(str(tmp_path))
    assert model.run_id == "r" * 32
    assert str(model.signature.inputs.inputs[0].shape) == "(-1, 2)"
    assert model.signature.outputs.input_names() == ["probability"]
    assert json.loads((tmp_path / "input_example.json").read_text()) == {"inputs": {"features": [[1.0, None]]}}
    assert model.metadata["features"] == list(FEATURES)
    assert "onnxruntime==" in (tmp_path / "requirements.txt").read_text()
