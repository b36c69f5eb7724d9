from dataclasses import replace

import numpy as np
import pytest
from onnx import TensorProto, helper

from include.foundation.artifact import Metadata, digest, open_model
from include.foundation.artifact.writer import seal
from include.foundation.errors import DigestMismatch, InvalidInput

METADATA = Metadata(
    use_case="toy",
    features=("a", "b"),
    categories={"b": ("x", "ü", 'q"')},
    created_from={"snapshot": 2**62, "seed": 1},
)


def graph(*, width=2, output="probability", output_type=TensorProto.FLOAT, name="any"):
    """sigmoid(sum of features)"""
    nodes = [
        helper.make_node("ReduceSum", ["features", "axes"], ["total"], keepdims=0),
        helper.make_node("Sigmoid", ["total"], [output]),
    ]
    inputs = [helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, width])]
    outputs = [helper.make_tensor_value_info(output, output_type, [None])]
    axes = helper.make_tensor("axes", TensorProto.INT64, [1], [1])
    made = helper.make_graph(nodes, name, inputs, outputs, [axes])
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)


def test_scores_and_carries_its_metadata():
    data = seal(graph(), METADATA)
    scorer = open_model(data, digest(data))
    scores = scorer.score(np.array([[0, 0], [1, 2]], np.float32))
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, [0.5, 1 / (1 + np.exp(-3))], rtol=1e-6)
    assert scorer.metadata == METADATA
    assert scorer.digest == digest(data)
    assert scorer.score(np.empty((0, 2), np.float32)).shape == (0,)


def test_one_flipped_bit_is_refused():
    data = bytearray(seal(graph(), METADATA))
    pinned = digest(bytes(data))
    data[len(data) // 2] ^= 1
    with pytest.raises(DigestMismatch, match=pinned):
        open_model(bytes(data), pinned)


@pytest.mark.parametrize("data", [b"", b"garbage", b"PK\x03\x04" * 9, b"\x80\x04."])
def test_other_files_are_refused(data):
    with pytest.raises(InvalidInput, match="not a usable ONNX"):
        open_model(data)


@pytest.mark.parametrize(
    "model", [graph(width=3), graph(output="score")], ids=["more columns than named features", "other output"]
)
def test_other_layouts_are_refused(model):
    with pytest.raises(InvalidInput, match="want one input"):
        open_model(seal(model, METADATA))


def test_missing_metadata_are_refused():
    with pytest.raises(InvalidInput, match="use_case"):
        open_model(graph().SerializeToString())


@pytest.mark.parametrize("matrix", [np.zeros((1, 2)), np.zeros((1, 3), np.float32), np.zeros(2, np.float32)])
def test_other_matrices_are_refused(matrix):
    with pytest.raises(InvalidInput, match=r"float32 \[n, 2\]"):
        open_model(seal(graph(), METADATA)).score(matrix)


def of_classes(*, width, output="probabilities"):
    """softmax(features)"""
    return helper.make_model(
        helper.make_graph(
            [helper.make_node("Softmax", ["features"], [output], axis=1)],
            "any",
            [helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, 2])],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, [None, width])],
        ),
        opset_imports=[helper.make_opsetid("", 15)],
        ir_version=8,
    )


def test_a_file_of_classes_names_its_columns():
    metadata = replace(METADATA, problem="multiclass", classes=("x", "ü"))
    scorer = open_model(seal(of_classes(width=2), metadata))
    assert scorer.metadata == metadata
    assert scorer.score(np.zeros((3, 2), np.float32)).shape == (3, 2)
    for problem, classes in (("multiclass", ("x", "ü", "z")), ("binary", ()), ("regression", ())):
        with pytest.raises(InvalidInput, match="want one input"):
            open_model(seal(of_classes(width=2), replace(METADATA, problem=problem, classes=classes)))
    with pytest.raises(InvalidInput, match="no problem kind 'ranking'"):
        open_model(seal(of_classes(width=2), replace(METADATA, problem="ranking")))


def test_a_file_from_before_there_were_kinds_is_binary():
    old = graph()
    props = {key: value for key, value in METADATA.props().items() if key not in ("problem", "classes")}
    helper.set_model_props(old, props)
    scorer = open_model(old.SerializeToString())
    assert (scorer.metadata.problem, scorer.metadata.classes) == ("binary", ())
    assert scorer.score(np.zeros((1, 2), np.float32)).tolist() == [0.5]
