"""Seal a trained ONNX graph into a model file. Needs onnx, which only trainers have."""

from typing import TYPE_CHECKING

from include.foundation.artifact.model_file import Metadata

if TYPE_CHECKING:
    import onnx


def seal(model: "onnx.ModelProto", metadata: Metadata) -> bytes:
    """Bytes of the model file: the graph with `metadata` as its only properties.

    The same graph and metadata give the same bytes, hence the same digest: properties are sorted, protobuf serialises
    deterministically, and the free text fields that converters fill with versions and random names are cleared.
    """
    import onnx

    sealed = onnx.ModelProto()
    sealed.CopyFrom(model)
    for field in ("doc_string", "producer_name", "producer_version", "domain", "metadata_props"):
        sealed.ClearField(field)
    sealed.graph.name = metadata.use_case
    onnx.helper.set_model_props(sealed, dict(sorted(metadata.props().items())))
    onnx.checker.check_model(sealed)
    return bytes(sealed.SerializeToString(deterministic=True))
