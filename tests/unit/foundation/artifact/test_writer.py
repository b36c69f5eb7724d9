from dataclasses import replace

import onnx
import pytest
from onnx import TensorProto, helper

from include.foundation.artifact import Metadata
from include.foundation.artifact.writer import seal

METADATA = Metadata(use_case="toy", features=("a",), categories={}, created_from={"snapshot": 2**62, "seed": 1})


def graph(name="any", kind="Sigmoid"):
    ends = [helper.make_tensor_value_info(end, TensorProto.FLOAT, [None, 1]) for end in ("features", "probability")]
    made = helper.make_graph([helper.make_node(kind, ["features"], ["probability"])], name, ends[:1], ends[1:])
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)


def test_same_graph_and_metadata_are_the_same_bytes():
    shuffled = replace(METADATA, created_from={"seed": 1, "snapshot": 2**62})
    noisy = graph(name="0f2c")
    noisy.producer_name, noisy.producer_version, noisy.domain, noisy.doc_string = "trainer", "9", "here", "made at noon"
    helper.set_model_props(noisy, {"left": "over"})
    assert seal(graph(), METADATA) == seal(noisy, shuffled)


@pytest.mark.parametrize(
    "change",
    [{"use_case": "other"}, {"created_from": {"seed": 2}}, {"categories": {"a": ("x",)}}, {"features": ("b",)}],
)
def test_other_metadata_are_other_bytes(change):
    assert seal(graph(), METADATA) != seal(graph(), replace(METADATA, **change))


def test_the_metadata_are_the_only_properties_and_the_given_graph_stays_as_it_is():
    given = graph()
    helper.set_model_props(given, {"left": "over"})
    before = given.SerializeToString()
    props = {each.key: each.value for each in onnx.load_from_string(seal(given, METADATA)).metadata_props}
    assert Metadata.from_props(props) == METADATA
    assert "left" not in props
    assert given.SerializeToString() == before


def test_a_graph_that_is_not_sound_is_not_sealed():
    with pytest.raises(onnx.checker.ValidationError, match="Sigmoyd"):
        seal(graph(kind="Sigmoyd"), METADATA)
