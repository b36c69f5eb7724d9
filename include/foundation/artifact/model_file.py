"""Open a model file and score rows with it. Needs numpy and onnxruntime only."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from include.foundation.errors import DigestMismatch, InvalidInput
from include.foundation.problem.kinds import KINDS, Output, kind

INPUT = "features"
BINARY = "binary"  # what a file is that does not say: they were all binary before there were kinds


@dataclass(frozen=True, kw_only=True)
class Metadata:
    """What a model file says about itself, in ONNX `metadata_props`.

    Attributes:
        use_case: whose model it is.
        features: names of the input matrix' columns, in order.
        categories: feature -> its values; value i is encoded as the number i, anything else as NaN.
        created_from: what it was made from (window, seed). No ids and no times: the same rows, parameters and seed give
            the same bytes, wherever and whenever. The run manifest names the run and the snapshots.
        problem: the problem kind.
        classes: names of the output's columns, in order, where the kind has a column for each class.
    """

    use_case: str
    features: tuple[str, ...]
    categories: Mapping[str, tuple[str, ...]]
    created_from: Mapping[str, Any]
    problem: str = BINARY
    classes: tuple[str, ...] = ()

    @property
    def output(self) -> Output:
        """The file's only output. Raises InvalidInput if there is no such problem kind."""
        return kind(self.problem).output

    def props(self) -> dict[str, str]:
        """As ONNX properties: canonical text, so that equal metadata are equal bytes."""
        return {
            "categories": _canonical({name: list(values) for name, values in self.categories.items()}),
            "created_from": _canonical(dict(self.created_from)),
            "classes": _canonical(list(self.classes)),
            "features": _canonical(list(self.features)),
            "problem": self.problem,
            "use_case": self.use_case,
        }

    @classmethod
    def from_props(cls, props: Mapping[str, str]) -> "Metadata":
        """Read what `props` wrote.

        Raises:
            InvalidInput: a property is missing or malformed.
        """
        try:
            return cls(
                use_case=props["use_case"],
                features=tuple(json.loads(props["features"])),
                categories={name: tuple(values) for name, values in json.loads(props["categories"]).items()},
                created_from=dict(json.loads(props["created_from"])),
                problem=props.get("problem", BINARY),
                classes=tuple(json.loads(props.get("classes", "[]"))),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InvalidInput(f"the model file's metadata are missing or malformed: {error!r}") from error


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(data: bytes) -> str:
    """SHA-256 of a model file, 64 hex digits: its name and its identity."""
    return hashlib.sha256(data).hexdigest()


class Scorer:
    """An open model file. Safe to use from several threads; each call uses one thread."""

    def __init__(self, *, session: onnxruntime.InferenceSession, metadata: Metadata, digest: str) -> None:
        self._session, self._output = session, metadata.output.name
        self.metadata = metadata
        self.digest = digest

    def score(self, matrix: NDArray[np.float32]) -> NDArray[np.float32]:
        """Answers of encoded rows, float32 [n, len(features)]: float32 [n], or [n, classes] (see `Output`).

        Raises:
            InvalidInput: the matrix has another type or shape.
        """
        if matrix.dtype != np.float32 or matrix.ndim != 2 or matrix.shape[1] != len(self.metadata.features):
            raise InvalidInput(
                f"want float32 [n, {len(self.metadata.features)}], got {matrix.dtype} {list(matrix.shape)}"
            )
        return cast("NDArray[np.float32]", self._session.run([self._output], {INPUT: matrix})[0])


def open_model(data: bytes, expected_digest: str | None = None) -> Scorer:
    """Open a model file, after its bytes were found to be the pinned ones.

    Args:
        data: the file's bytes.
        expected_digest: what `digest(data)` must be; None opens any model file.

    Raises:
        DigestMismatch: the bytes are not the pinned ones.
        InvalidInput: not an ONNX model of the layout that docs/ARCHITECTURE.md states.
    """
    actual = digest(data)
    if expected_digest is not None and actual != expected_digest:
        raise DigestMismatch(f"the model file's SHA-256 is {actual}, pinned is {expected_digest}")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # a row takes microseconds: handing it to a thread pool takes longer
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 4  # a refused file is reported by the exception, not on stderr as well
    try:
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors share no base but Exception
        raise InvalidInput(f"not a usable ONNX model: {error}") from error
    metadata = Metadata.from_props(session.get_modelmeta().custom_metadata_map)
    inputs = [(port.name, port.type, port.shape[1:]) for port in session.get_inputs()]
    outputs = [(port.name, port.type, port.shape[1:]) for port in session.get_outputs()]
    output, width = metadata.output, [len(metadata.classes)] if metadata.output.per_class else []
    if (inputs, outputs) != (
        [(INPUT, "tensor(float)", [len(metadata.features)])],
        [(output.name, "tensor(float)", width)],
    ):
        raise InvalidInput(
            f"want one input {INPUT!r} float32 [n, {len(metadata.features)}] and one output {output.name!r} float32 "
            f"{['n', *width]}, the model has {inputs} and {outputs}{_of_another_kind(metadata, outputs)}"
        )
    return Scorer(session=session, metadata=metadata, digest=actual)


def _of_another_kind(metadata: Metadata, outputs: Sequence[tuple[str, str, object]]) -> str:
    """The remedy where a model gives the answer of another problem kind than its use case asks for."""
    given = [kind for kind in KINDS.values() if (kind.output.name,) == tuple(name for name, _, _ in outputs)]
    if not given or metadata.output in [kind.output for kind in given]:
        return ""
    return f": it answers a {given[0].name} problem; say problem={metadata.problem!r} in model.py, as in the spec"
