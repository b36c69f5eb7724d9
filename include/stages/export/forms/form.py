"""What a form of the model file is."""

from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import onnx

Matrix = NDArray[np.float32]


class Form(Protocol):
    """A form of the model file. The same model and rows give the same bytes.

    A row's answer must not depend on the rows that are asked beside it: serving, batch scores and bundles divide rows
    into batches as it suits them, and give the same bits.
    """

    name: str

    def make(self, model: "onnx.ModelProto", rows: Matrix) -> "onnx.ModelProto | str":
        """The model in this form; or why it has none, in words.

        Args:
            model: as it was exported; it is not changed.
            rows: encoded rows that it was fitted on, [n, features].
        """
