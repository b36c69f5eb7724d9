"""The graph as onnxruntime rewrites it before it runs it, written down.

https://onnxruntime.ai/docs/performance/model-optimizations/graph-optimizations.html
"""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from include.stages.export.forms.form import Matrix

if TYPE_CHECKING:
    import onnx


class Optimized:
    """Constants folded, operators fused. Layouts stay: those of level `all` fit the processor that made them only."""

    name = "optimized"

    def make(self, model: "onnx.ModelProto", rows: Matrix) -> "onnx.ModelProto | str":  # noqa: ARG002
        """See `Form`."""
        return rewritten(model, "EXTENDED")


def rewritten(model: "onnx.ModelProto", level: Literal["BASIC", "EXTENDED"]) -> "onnx.ModelProto":
    """The graph after onnxruntime's own optimization; of level `BASIC` it has ONNX's own operators only."""
    import onnx
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, f"ORT_ENABLE_{level}")
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4  # it warns of what the file is not for: other processors
    with tempfile.TemporaryDirectory() as folder:
        options.optimized_model_filepath = f"{folder}/model.onnx"
        onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        made = onnx.load_model_from_string(Path(folder, "model.onnx").read_bytes())
    # It names every domain that it knows: whoever opens the file would have to know them, too.
    used = {node.domain for node in made.graph.node} | {""}
    domains = sorted((each.domain, each.version) for each in made.opset_import if each.domain in used)
    del made.opset_import[:]
    made.opset_import.extend(onnx.helper.make_opsetid(*each) for each in domains)
    return made
