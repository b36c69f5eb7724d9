import onnx
import pytest

from include.stages.export.forms.int8 import Int8


def graph(data):
    return onnx.load_model_from_string(data)


@pytest.mark.parametrize("name", ["boosting", "linear"])
def test_trees_and_linear_models_have_no_layer_to_quantize(sealed, name):
    data, rows = sealed(name)
    reason = Int8().make(graph(data), rows)
    assert reason.startswith("no layer with int8 arithmetic (Conv, Gemm, MatMul) among its operators: ")


@pytest.mark.parametrize("name", ["table", "image"])
def test_a_network_s_weights_are_bytes(sealed, name):
    data, rows = sealed(name)
    made = Int8().make(graph(data), rows)
    assert made.ByteSize() < 0.7 * len(data)
    kinds = {weight.data_type for weight in made.graph.initializer if len(weight.dims) > 1}
    assert onnx.TensorProto.INT8 in kinds


def test_scales_come_from_the_rows(sealed):
    data, rows = sealed("image")
    assert Int8().make(graph(data), rows).SerializeToString() != Int8().make(graph(data), rows / 9).SerializeToString()
