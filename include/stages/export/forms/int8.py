"""Weights and activations of 8 bits, quantized once with scales that rows of the fit have set ("static", QDQ).

Not "dynamic": there a scale is taken of each batch, and a row's answer would depend on its neighbours. Weights use 7
bits (`reduce_range`): with 8 sums saturate on processors without VNNI, and answers would depend on the processor.
https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from include.stages.export.forms.form import Matrix
from include.stages.export.forms.optimized import rewritten

if TYPE_CHECKING:
    import onnx

OPERATORS = ("Conv", "Gemm", "MatMul")  # where the time goes; the others' int8 forms save none
ROWS, BATCH = 512, 64  # that set the scales, evenly taken


class Int8:
    """Dense layers and convolutions in 8 bits."""

    name = "int8"

    def make(self, model: "onnx.ModelProto", rows: Matrix) -> "onnx.ModelProto | str":
        """See `Form`."""
        plain = rewritten(model, "BASIC")
        if not _weighted(plain):
            found = sorted({node.op_type for node in plain.graph.node})
            return f"no layer with int8 arithmetic ({', '.join(OPERATORS)}) among its operators: {', '.join(found)}"
        return _quantized(plain, rows[:: max(1, len(rows) // ROWS)][:ROWS])


def _weighted(model: "onnx.ModelProto") -> bool:
    """Whether some operator has weights of two dimensions or more."""
    weights = {each.name for each in model.graph.initializer if len(each.dims) > 1}
    return any(node.op_type in OPERATORS and weights & {*node.input} for node in model.graph.node)


def _quantized(model: "onnx.ModelProto", rows: Matrix) -> "onnx.ModelProto":
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.quant_utils import add_pre_process_metadata

    class Rows(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            batches = (rows[start : start + BATCH] for start in range(0, len(rows), BATCH))
            self._rows: Iterator[Matrix] = iter(batches)

        def get_next(self) -> dict[str, Matrix] | None:
            batch = next(self._rows, None)
            return None if batch is None else {model.graph.input[0].name: batch}

    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "float32.onnx"), Path(folder, "int8.onnx")
        add_pre_process_metadata(model)  # else it asks in the log for what `rewritten` has done
        source.write_bytes(model.SerializeToString())
        quantize_static(
            source,
            target,
            Rows(),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=[*OPERATORS],
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        return onnx.load_model_from_string(target.read_bytes())
