"""A scikit-learn pipeline for two classes: the functions that a use case's `model` must have, in few lines.

To use another estimator of scikit-learn, copy this file and change `_pipeline`; skl2onnx says which it can export.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import polars as pl
from numpy.typing import NDArray
from polars._typing import PolarsDataType

from include.foundation.errors import InvalidInput
from include.foundation.problem import problem
from include.models import encoding
from include.models.encoding import Categories

if TYPE_CHECKING:
    import onnx
    from sklearn.pipeline import Pipeline

PROBLEM = problem("binary")
MACHINE = {"num_threads", "device"}  # parameters that say nothing about the model
KNOWN = {"C", "max_iter", "tol"}


@dataclass(frozen=True, kw_only=True)
class Model:
    """A fitted pipeline; the other attributes are those of `boosting.Model`."""

    pipeline: "Pipeline"
    features: tuple[str, ...]
    categories: Categories
    params: Mapping[str, Any]
    importance: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class LogisticRegression:
    """The model of a use case: a `model.py` binds these methods to their names.

    Numbers are standardized, their nulls are the mean; a category is a column of its own for each value.

    Attributes:
        features: the model's columns in their order, and their types; strings are categories.
        baseline_by: features whose rates are the simple answer against which the gates hold the model.
    """

    features: Mapping[str, PolarsDataType]
    baseline_by: tuple[str, ...]

    def encode(self, frame: pl.DataFrame, categories: Categories) -> NDArray[np.float32]:
        """The frame's features as float32 [n, k] (see `encoding.encode`)."""
        return encoding.encode(frame, self.features, categories)

    def fit(
        self,
        train: pl.DataFrame,
        params: Mapping[str, Any],
        seed: int,
        valid: pl.DataFrame | None = None,  # noqa: ARG002 (nothing is settled on them)
    ) -> Model:
        """Fit on rows with all features and `label` (0/1).

        Raises:
            InvalidInput: a parameter is none of `KNOWN`.
        """
        if unknown := {*params} - KNOWN - MACHINE:
            raise InvalidInput(f"parameters: no {', '.join(sorted(unknown))}; there are: {', '.join(sorted(KNOWN))}")
        settings = {name: value for name, value in params.items() if name in KNOWN}
        categories = encoding.categories(train, self.features)
        pipeline = self._pipeline(settings, seed).fit(self.encode(train, categories), train["label"].to_numpy())
        return Model(
            pipeline=pipeline,
            features=tuple(self.features),
            categories=categories,
            params=dict(params),
            importance=self._importance(pipeline),
        )

    def predict(self, model: Model, frame: pl.DataFrame) -> NDArray[np.float64]:
        """The model's answers for the rows, float64 [n]."""
        answers = model.pipeline.predict_proba(self.encode(frame, model.categories))
        return cast("NDArray[np.float64]", answers[:, 1].astype(np.float64))

    def export(self, model: Model) -> "onnx.ModelProto":
        """The model as ONNX: input `features` float32 [n, k], and the output of the problem kind."""
        from onnx import TensorProto, helper
        from skl2onnx import to_onnx
        from skl2onnx.common.data_types import FloatTensorType

        converted = to_onnx(
            model.pipeline,
            initial_types=[("features", FloatTensorType([None, len(self.features)]))],
            options={"zipmap": False},
            target_opset={"": 15, "ai.onnx.ml": 1},
        )
        graph = converted.graph
        output = PROBLEM.kind.output.name
        second = helper.make_tensor("positive", TensorProto.INT64, [], [1])
        graph.node.append(helper.make_node("Gather", [graph.output[1].name, "positive"], [output], axis=1))
        graph.initializer.append(second)
        del graph.output[:]
        graph.output.append(helper.make_tensor_value_info(output, TensorProto.FLOAT, [None]))
        return cast("onnx.ModelProto", converted)

    def baseline(self, train: pl.DataFrame, frame: pl.DataFrame) -> NDArray[np.float64]:
        """The rate of the label by the columns of `baseline_by`, float64 [n] (see `Problem.baseline`)."""
        return PROBLEM.baseline(train, frame, self.baseline_by)

    def _pipeline(self, settings: Mapping[str, Any], seed: int) -> "Pipeline":
        from sklearn.compose import ColumnTransformer
        from sklearn.impute import SimpleImputer
        from sklearn.linear_model import LogisticRegression as Estimator
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import OneHotEncoder, StandardScaler

        texts = [place for place, dtype in enumerate(self.features.values()) if dtype == pl.String]
        numbers = [place for place in range(len(self.features)) if place not in texts]
        # A null, or a category that training never saw, is a category of its own.
        known = SimpleImputer(strategy="constant", fill_value=-1.0, keep_empty_features=True)
        number = make_pipeline(SimpleImputer(keep_empty_features=True), StandardScaler())
        text = make_pipeline(known, OneHotEncoder(handle_unknown="ignore", sparse_output=False))
        kinds = [("numbers", number, numbers), ("texts", text, texts)]
        columns = ColumnTransformer([kind for kind in kinds if kind[2]])
        return make_pipeline(columns, Estimator(**{"max_iter": 1000, **settings}, random_state=seed))

    def _importance(self, pipeline: "Pipeline") -> dict[str, float]:
        """Feature -> share of the coefficients' sizes."""
        names = pipeline[0].get_feature_names_out([f"f{place}" for place in range(len(self.features))])
        places = [int(name.split("__")[1].split("_")[0].removeprefix("f")) for name in names]
        sizes = np.bincount(places, np.abs(pipeline[-1].coef_[0]), len(self.features))
        return dict(zip(self.features, (sizes / max(sizes.sum(), 1e-300)).tolist(), strict=True))
