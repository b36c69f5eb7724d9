import numpy as np
import onnx

from include.foundation.artifact import open_model
from include.foundation.artifact.writer import seal
from include.stages.export.forms.optimized import Optimized, rewritten


def test_operators_are_fused_and_answers_stay(sealed):
    data, rows = sealed("image")
    graph = onnx.load_model_from_string(data)
    made = Optimized().make(graph, rows)
    assert "FusedConv" in {node.op_type for node in made.graph.node}
    before = open_model(data)
    np.testing.assert_allclose(
        open_model(seal(made, before.metadata)).score(rows), before.score(rows), rtol=0, atol=1e-6
    )


def test_the_basic_level_stays_with_onnx_s_own_operators(sealed):
    made = rewritten(onnx.load_model_from_string(sealed("image")[0]), "BASIC")
    assert {node.domain for node in made.graph.node} == {each.domain for each in made.opset_import} == {""}
