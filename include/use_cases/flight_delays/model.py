"""The model of `flight_delays`: gradient-boosted trees (LightGBM), exported to ONNX.

The machine's parameters are passed through: `num_threads`, and `device`. Of the wheel of LightGBM 4.7 this was tried,
on a machine without a GPU: `gpu` is compiled in and asks OpenCL for a device ("No OpenCL device found"), `cuda` is not
compiled in ("CUDA Tree Learner was not enabled in this build"). So a GPU node needs an OpenCL driver in the image; a
trial that cannot have its device fails, it does not quietly take the CPU.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import polars as pl
from numpy.typing import NDArray

from include.use_cases.flight_delays.features import FEATURES

if TYPE_CHECKING:
    import lightgbm
    import onnx

Categories = Mapping[str, tuple[str, ...]]
PATIENCE = 25  # rounds without a better validation AUC before boosting stops
FEW = 32  # rows
PRIOR_ROWS = 100.0  # weight of the overall rate in the baseline's rates
BASELINE = ("carrier", "hour")


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


@lru_cache(maxsize=256)
def _enum(values: tuple[str, ...]) -> pl.Enum:
    return pl.Enum(values)


@lru_cache(maxsize=256)
def _places(values: tuple[str, ...]) -> dict[str | None, float]:
    return {value: float(place) for place, value in enumerate(values)}


def encode(frame: pl.DataFrame, categories: Categories) -> NDArray[np.float32]:
    """The frame's `FEATURES` as float32 [n, k], in their order; other columns are left alone.

    A category is its place in `categories`; one that was not seen in training, like a null, is NaN. Other features are
    cast, nulls to NaN. A few rows go another way to the same bits: planning a query costs 0.3 ms, which a caller who
    waits for one answer would notice.
    """
    if frame.height <= FEW:
        matrix = np.empty((frame.height, len(FEATURES)), np.float32)
        for column, (name, dtype) in enumerate(FEATURES.items()):
            values = frame[name].to_list()
            if dtype == pl.String:
                places = _places(tuple(categories.get(name, ())))
                matrix[:, column] = [places.get(value, np.nan) for value in values]
            else:
                matrix[:, column] = [np.nan if value is None else value for value in values]
        return matrix
    columns = [
        pl.col(name).cast(_enum(tuple(categories.get(name, ()))), strict=False).to_physical().cast(pl.Float32)
        if dtype == pl.String
        else pl.col(name).cast(pl.Float32)
        for name, dtype in FEATURES.items()
    ]
    return np.ascontiguousarray(frame.select(columns).to_numpy(), np.float32)


def fit(train: pl.DataFrame, params: Mapping[str, Any], seed: int, valid: pl.DataFrame | None = None) -> Model:
    """Fit on rows with all `FEATURES` and `label` (0/1). The same rows, parameters and seed give the same trees.

    Args:
        train: the rows.
        params: LightGBM's own names; `n_estimators` is the most trees, `num_threads` and `device` are the machine's.
        seed: of sampling.
        valid: rows that decide when to stop adding trees; None adds `n_estimators`.
    """
    import lightgbm

    features = tuple(FEATURES)
    categories = {
        name: tuple(train[name].drop_nulls().unique().sort().to_list())
        for name, dtype in FEATURES.items()
        if dtype == pl.String
    }
    settings = {
        "objective": "binary",
        "metric": "auc",
        "verbosity": -1,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,  # the choice by timing would differ from run to run
        "num_threads": 1,
        **params,
    }
    rounds = int(settings.pop("n_estimators", 100))

    def dataset(frame: pl.DataFrame, reference: "lightgbm.Dataset | None" = None) -> "lightgbm.Dataset":
        return lightgbm.Dataset(
            encode(frame, categories),
            frame["label"].to_numpy(),
            reference=reference,
            feature_name=list(features),
            categorical_feature=list(categories),
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


def predict(model: Model, frame: pl.DataFrame) -> NDArray[np.float64]:
    """Probability of a late arrival, float64 [n]."""
    matrix = encode(frame, model.categories)
    trees = model.params["n_estimators"]
    return cast("NDArray[np.float64]", model.booster.predict(matrix, num_iteration=trees, num_threads=1))


def export(model: Model) -> "onnx.ModelProto":
    """The model as ONNX: input `features` float32 [n, k], output `probability` float32 [n]."""
    import lightgbm
    from onnx import TensorProto, helper
    from onnxmltools.convert import convert_lightgbm
    from onnxmltools.convert.common.data_types import FloatTensorType

    width = len(model.features)
    text = model.booster.model_to_string(num_iteration=model.params["n_estimators"])
    converted = convert_lightgbm(
        lightgbm.Booster(model_str=_float32_thresholds(text)),
        initial_types=[("features", FloatTensorType([None, width]))],
        zipmap=False,
        target_opset=15,
    )
    # The converter answers with a label and both classes' probabilities. Keep its trees, take the second class.
    trees = next(node for node in converted.graph.node if node.op_type == "TreeEnsembleClassifier")
    graph = helper.make_graph(
        [trees, helper.make_node("Gather", [trees.output[1], "late"], ["probability"], axis=1)],
        "trees",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, width])],
        [helper.make_tensor_value_info("probability", TensorProto.FLOAT, [None])],
        [helper.make_tensor("late", TensorProto.INT64, [], [1])],
    )
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 15), helper.make_opsetid("ai.onnx.ml", 1)], ir_version=8
    )


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


def baseline(train: pl.DataFrame, frame: pl.DataFrame) -> NDArray[np.float64]:
    """What a table would say: the rate of late arrivals by carrier and scheduled hour, float64 [n].

    Rates are drawn towards the overall rate as if `PRIOR_ROWS` more rows had shown it.
    """
    overall = cast("float", train["label"].mean())
    rates = train.group_by(BASELINE).agg(rate=(pl.col("label").sum() + PRIOR_ROWS * overall) / (pl.len() + PRIOR_ROWS))
    joined = frame.select(BASELINE).join(rates, on=BASELINE, how="left", nulls_equal=True, maintain_order="left")
    return joined["rate"].fill_null(overall).cast(pl.Float64).to_numpy()
