"""Gradient-boosted trees for every problem kind: the functions that a use case's `model` must have."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import polars as pl
from numpy.typing import NDArray
from polars._typing import PolarsDataType

from include.foundation.problem import kind, problem
from include.models import encoding
from include.models.boosting import limits
from include.models.boosting.export import export
from include.models.boosting.objectives import goal
from include.models.encoding import Categories

if TYPE_CHECKING:
    import lightgbm
    import onnx

PATIENCE = 25  # rounds without a better validation metric before boosting stops


@dataclass(frozen=True, kw_only=True)
class Model:
    """A fitted model.

    Attributes:
        booster: the trees.
        features: names of the columns, in order.
        categories: feature -> values; value i is encoded as i.
        params: parameters as fitted; refitting with them gives as many trees, validation rows or not.
        importance: feature -> share of the total gain, in [0, 1].
    """

    booster: "lightgbm.Booster"
    features: tuple[str, ...]
    categories: Categories
    params: Mapping[str, Any]
    importance: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class BoostedTrees:
    """The model of a use case: a `model.py` binds these methods to their names.

    The machine's parameters are passed through: `num_threads`, and `device`. Of the wheel of LightGBM 4.7 this was
    tried, on a machine without a GPU: `gpu` is compiled in and asks OpenCL for a device ("No OpenCL device found"),
    `cuda` is not compiled in ("CUDA Tree Learner was not enabled in this build"). So a GPU node needs an OpenCL driver
    in the image; a trial that cannot have its device fails, it does not quietly take the CPU.

    Attributes:
        features: the model's columns in their order, and their types; strings are categories.
        baseline_by: features by which mean labels are the simple answer against which the gates hold the model.
        problem: the use case's problem kind, as its spec names it.
        objective: what is minimised, one of `OBJECTIVES`; None is the kind's first.
    """

    features: Mapping[str, PolarsDataType]
    baseline_by: tuple[str, ...]
    problem: str = "binary"
    objective: str | None = None

    def encode(self, frame: pl.DataFrame, categories: Categories) -> NDArray[np.float32]:
        """The frame's features as float32 [n, k] (see `encoding.encode`)."""
        return encoding.encode(frame, self.features, categories)

    def fit(
        self, train: pl.DataFrame, params: Mapping[str, Any], seed: int, valid: pl.DataFrame | None = None
    ) -> Model:
        """Fit on rows with all features and `label` (see `Problem`). Same rows, parameters and seed: same trees.

        Args:
            train: the rows.
            params: LightGBM's own names; `n_estimators` is the most trees, `num_threads` and `device` are the
                machine's.
            seed: of sampling.
            valid: rows that decide when to stop adding trees; None adds `n_estimators`.

        Raises:
            InvalidInput: LightGBM has no such parameter, ONNX cannot say what it does, or the objective is not
                one of the problem kind.
        """
        import lightgbm

        limits.check(params)
        features = tuple(self.features)
        categories = encoding.categories(train, self.features)
        # LightGBM takes no name with a character of JSON's, and needs none.
        columns = [f"f{place}" for place in range(len(features))]
        settings = {
            **goal(self.problem, self.objective, classes=train["label"].n_unique()),
            "verbosity": -1,
            "seed": seed,
            "deterministic": True,
            "force_row_wise": True,  # the choice by timing would differ from run to run
            "num_threads": 1,
            **params,
        }
        settings.pop("n_estimators", None)
        rounds = limits.rounds(params)

        def dataset(frame: pl.DataFrame, reference: "lightgbm.Dataset | None" = None) -> "lightgbm.Dataset":
            return lightgbm.Dataset(
                self.encode(frame, categories),
                frame["label"].to_numpy(),
                reference=reference,
                feature_name=columns,
                categorical_feature=[columns[features.index(name)] for name in categories],
                params=settings,
            )

        rows = dataset(train)
        booster = lightgbm.train(
            settings,
            rows,
            num_boost_round=rounds,
            valid_sets=[] if valid is None else [dataset(valid, rows)],
            callbacks=[] if valid is None else [lightgbm.early_stopping(PATIENCE, verbose=False)],
        )
        if booster.best_iteration > 0:
            rounds = booster.best_iteration
        gain = booster.feature_importance("gain")
        return Model(
            booster=booster,
            features=features,
            categories=categories,
            params={**params, "n_estimators": rounds},
            importance=dict(zip(features, (gain / max(gain.sum(), 1e-300)).tolist(), strict=True)),
        )

    def predict(self, model: Model, frame: pl.DataFrame) -> NDArray[np.float64]:
        """Answers, float64 [n] or [n, classes] (see `Problem`)."""
        matrix = self.encode(frame, model.categories)
        trees = model.params["n_estimators"]
        return cast("NDArray[np.float64]", model.booster.predict(matrix, num_iteration=trees, num_threads=1))

    def export(self, model: Model) -> "onnx.ModelProto":
        """The model as ONNX: input `features` float32 [n, k], output as the problem kind names it."""
        return export(model.booster, model.params["n_estimators"], kind(self.problem).output)

    def baseline(self, train: pl.DataFrame, frame: pl.DataFrame) -> NDArray[np.float64]:
        """What a table would say: the mean label by the columns of `baseline_by`, as answers (see `Problem`)."""
        return problem(self.problem).baseline(train, frame, self.baseline_by)
