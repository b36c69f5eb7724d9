"""Neural networks for every problem kind: the functions that a use case's `model` must have."""

import io
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import polars as pl
from numpy.typing import NDArray
from polars._typing import PolarsDataType

from include.foundation.problem import kind, problem
from include.foundation.progress import current
from include.models import encoding
from include.models.deep.settings import Settings
from include.models.encoding import Categories

if TYPE_CHECKING:
    import onnx

    from include.models.deep.layers import Answering
    from include.models.deep.loop import Rows

SAMPLE = 1000  # rows on which the features' importance is taken
OPSET = 17


@dataclass(frozen=True, kw_only=True)
class Model:
    """A fitted network; the other attributes are those of `boosting.Model`."""

    network: "Answering"
    features: tuple[str, ...]
    categories: Categories
    params: Mapping[str, Any]
    importance: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class NeuralNetwork:
    """The model of a use case: a `model.py` binds these methods to their names.

    Attributes:
        features: the model's columns in their order, and their types; strings are categories.
        baseline_by: features by which mean labels are the simple answer against which the gates hold the model.
        problem: the use case's problem kind, as its spec names it.
        image: height and width where the features are an image's pixels, row by row; None: a table.
    """

    features: Mapping[str, PolarsDataType]
    baseline_by: tuple[str, ...] = ()
    problem: str = "binary"
    image: tuple[int, int] | None = None

    def encode(self, frame: pl.DataFrame, categories: Categories) -> NDArray[np.float32]:
        """The frame's features as float32 [n, k] (see `encoding.encode`)."""
        return encoding.encode(frame, self.features, categories)

    def fit(
        self, train: pl.DataFrame, params: Mapping[str, Any], seed: int, valid: pl.DataFrame | None = None
    ) -> Model:
        """Fit on rows with all features and `label` (see `Problem`).

        On a CPU the same rows, parameters and seed give the same bits.

        Args:
            train: the rows.
            params: see `Settings`; `num_threads` and `device` are the machine's.
            seed: of weights, order and dropout.
            valid: rows that decide when to stop; None runs all epochs.

        Raises:
            InvalidInput: a parameter is unknown or out of its bounds.
        """
        settings = Settings.of(params)
        from include.models.deep import processes
        from include.models.deep.layers import Shape, sensitivity
        from include.models.deep.loop import Fit

        categories = encoding.categories(train, self.features)
        names = tuple(self.features)
        shape = Shape(
            width=len(names),
            categories={names.index(name): len(values) for name, values in categories.items()},
            classes=int(train["label"].n_unique()) if self.problem == "multiclass" else 1,
            problem=self.problem,
            image=self.image,
        )
        rows = self._rows(train, categories)
        others = None if valid is None else self._rows(valid, categories)
        fit = Fit(rows=rows, valid=others, shape=shape, settings=settings, seed=seed)
        network, epochs = processes.train(fit, current())
        return Model(
            network=network,
            features=names,
            categories=categories,
            params={**params, "epochs": epochs},
            importance=dict(zip(names, sensitivity(network, rows.features[:SAMPLE]), strict=True)),
        )

    def predict(self, model: Model, frame: pl.DataFrame) -> NDArray[np.float64]:
        """Answers, float64 [n] or [n, classes] (see `Problem`)."""
        import torch

        with torch.no_grad():
            answers = model.network(torch.from_numpy(self.encode(frame, model.categories)))
        return cast("NDArray[np.float64]", answers.numpy().astype(np.float64))

    def export(self, model: Model) -> "onnx.ModelProto":
        """The model as ONNX: input `features` float32 [n, k], output as the problem kind names it.

        By torch's older exporter: the newer one takes ten seconds and more, and writes paths of this machine into the
        file. It is to be taken once the older one is gone.
        """
        import onnx
        import torch

        output, file = kind(self.problem).output.name, io.BytesIO()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            torch.onnx.export(
                model.network,
                (torch.zeros(2, len(model.features)),),
                file,
                dynamo=False,
                input_names=["features"],
                output_names=[output],
                dynamic_axes={"features": {0: "n"}, output: {0: "n"}},
                opset_version=OPSET,
            )
        return onnx.load_from_string(file.getvalue())

    def baseline(self, train: pl.DataFrame, frame: pl.DataFrame) -> NDArray[np.float64]:
        """What a table would say: the mean label by the columns of `baseline_by`, as answers (see `Problem`)."""
        return problem(self.problem).baseline(train, frame, self.baseline_by)

    def _rows(self, frame: pl.DataFrame, categories: Categories) -> "Rows":
        import torch

        from include.models.deep.loop import Rows

        labels = np.array(frame["label"].to_numpy(), np.float32)
        return Rows(features=torch.tensor(self.encode(frame, categories)), labels=torch.from_numpy(labels))
