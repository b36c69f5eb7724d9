from types import SimpleNamespace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from include.foundation.artifact import digest
from include.stages.export.candidates import FLOAT32, candidates


def form(name, make):
    return SimpleNamespace(name=name, make=make)


def test_the_model_comes_first_and_each_form_has_a_file_or_a_reason(model):
    data, rows = model
    found = candidates(data, rows)
    assert (found[0].name, found[0].data, found[0].scorer.digest) == (FLOAT32, data, digest(data))
    for each in found[1:]:
        assert bool(each.data) == bool(each.scorer) != bool(each.reason)
        assert not each.scorer or each.scorer.digest == digest(each.data)


def broken(graph, rows):
    raise RuntimeError("no kernel " * 99)


def beside(graph, rows):
    """Answers that depend on the mean of the batch."""
    (output,) = graph.graph.output
    end = helper.make_node("ReduceMean", ["was"], ["mean"], keepdims=0, axes=[0])
    for node in graph.graph.node:
        node.output[:] = ["was" if name == output.name else name for name in node.output]
    graph.graph.node.extend([end, helper.make_node("Sub", ["was", "mean"], [output.name])])
    return graph


def other_input(graph, rows):
    graph.graph.input[0].CopyFrom(helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, 99]))
    return graph


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda graph, rows: "it has none", "it has none"),
        (lambda graph, rows: graph, "the same bytes as float32"),
        (broken, "it cannot be made: no kernel"),
        (other_input, "it cannot be made: "),
        (beside, "a row's answer depends on the rows beside it"),
    ],
)
def test_a_form_without_a_file_that_can_ship_is_named_with_the_reason(sealed, make, reason):
    data, rows = sealed("boosting")
    _, found = candidates(data, rows, [form("strange", make)])
    assert (found.name, found.data, found.scorer) == ("strange", b"", None)
    assert found.reason.startswith(reason)
    assert len(found.reason) < 400


def test_a_form_may_change_what_it_is_given(sealed):
    data, rows = sealed("boosting")

    def spoil(graph, rows):
        del graph.graph.node[:]
        return "spoilt"

    seen = []
    candidates(data, rows, [form("first", spoil), form("second", lambda graph, rows: seen.append(graph) or "none")])
    assert seen[0] == onnx.load_model_from_string(data)
    assert np.isfinite(rows).any()
