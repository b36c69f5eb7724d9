"""Boosted trees as ONNX."""

from typing import TYPE_CHECKING

import numpy as np

from include.foundation.problem.kinds import Output

if TYPE_CHECKING:
    import lightgbm
    import onnx


def export(booster: "lightgbm.Booster", trees: int, output: Output) -> "onnx.ModelProto":
    """The first `trees` trees as ONNX: input `features` float32 [n, k], and the output of a problem kind."""
    import lightgbm
    from onnx import TensorProto, helper
    from onnxmltools.convert import convert_lightgbm
    from onnxmltools.convert.common.data_types import FloatTensorType

    width, classes = booster.num_feature(), booster.num_model_per_iteration()
    text = booster.model_to_string(num_iteration=trees)
    converted = convert_lightgbm(
        lightgbm.Booster(model_str=_float32_thresholds(text)),
        initial_types=[("features", FloatTensorType([None, width]))],
        zipmap=False,
        target_opset=15,
    )
    shape = [None, classes] if output.per_class else [None]
    nodes, constants = _answering(list(converted.graph.node), output)
    graph = helper.make_graph(
        nodes,
        "trees",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, width])],
        [helper.make_tensor_value_info(output.name, TensorProto.FLOAT, shape)],
        constants,
    )
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 15), helper.make_opsetid("ai.onnx.ml", 1)], ir_version=8
    )


def _answering(nodes: "list[onnx.NodeProto]", output: Output) -> "tuple[list[onnx.NodeProto], list[onnx.TensorProto]]":
    """The converter's trees with the wanted output in the place of those that it adds, and the constants for it.

    A classifier answers with a label and all classes' probabilities: of two classes the second is taken. A regressor
    answers [n, 1], and some objectives have a link after it (`Exp`).
    """
    from onnx import TensorProto, helper

    ensemble = next(node for node in nodes if node.op_type.startswith("TreeEnsemble"))
    if ensemble.op_type == "TreeEnsembleRegressor":
        links = [node for node in nodes if node.op_type == "Exp"]
        flat = helper.make_node("Reshape", [[ensemble, *links][-1].output[0], "flat"], [output.name])
        return [ensemble, *links, flat], [helper.make_tensor("flat", TensorProto.INT64, [1], [-1])]
    if output.per_class:
        return [ensemble, helper.make_node("Identity", [ensemble.output[1]], [output.name])], []
    second = helper.make_node("Gather", [ensemble.output[1], "positive"], [output.name], axis=1)
    return [ensemble, second], [helper.make_tensor("positive", TensorProto.INT64, [], [1])]


def _float32_thresholds(text: str) -> str:
    """A LightGBM model text with thresholds that float32 can hold.

    ONNX keeps thresholds as float32. The nearest one may lie above the double, and then a value between the two goes
    the other way (seen: 40 of 27,564 flights, by up to 0.08); the next float32 below decides every float32 value as
    the double does.
    """
    lines = []
    for line in text.splitlines():
        if line.startswith("threshold="):
            exact = np.array(line.removeprefix("threshold=").split(), np.float64)
            near = exact.astype(np.float32)
            below = np.where(near > exact, np.nextafter(near, np.float32(-np.inf)), near)
            lines.append("threshold=" + " ".join(map(repr, below.astype(np.float64).tolist())))
        elif not line.startswith("tree_sizes="):  # lengths of the old texts; LightGBM reads without them too
            lines.append(line)
    return "\n".join(lines)
