"""A second use case's model, so that training is tested without `flight_delays`: logistic regression in NumPy."""

from dataclasses import dataclass, field

import numpy as np
import polars as pl
from onnx import TensorProto, helper, numpy_helper

FEATURES = {"size": pl.Float64, "colour": pl.String}


@dataclass
class Model:
    weights: np.ndarray
    params: dict
    categories: dict
    features: tuple = ("size", "colour")
    importance: dict = field(default_factory=lambda: {"size": 0.75, "colour": 0.25})


def encode(frame, categories):
    codes = frame["colour"].cast(pl.Enum(categories["colour"]), strict=False).to_physical()
    matrix = np.column_stack([frame["size"].to_numpy(), codes.fill_null(0).to_numpy()])
    return matrix.astype(np.float32)


def fit(train, params, seed, valid=None):
    categories = {"colour": tuple(train["colour"].unique().sort())}
    matrix = encode(train, categories).astype(np.float64)
    rounds = 30 if valid is not None else params.get("rounds", 100)
    weights = np.random.default_rng(seed).normal(size=3) * 0.01
    design = np.column_stack([matrix, np.ones(len(matrix))])
    for _ in range(rounds):
        error = 1 / (1 + np.exp(-design @ weights)) - train["label"].to_numpy()
        weights -= params["rate"] * design.T @ error / len(error)
    return Model(weights=weights, params={**params, "rounds": rounds}, categories=categories)


def predict(model, frame):
    matrix = encode(frame, model.categories).astype(np.float64)
    return 1 / (1 + np.exp(-(matrix @ model.weights[:2] + model.weights[2])))


def export(model):
    weights = model.weights.astype(np.float32)
    nodes = [
        helper.make_node("MatMul", ["features", "w"], ["product"]),
        helper.make_node("Add", ["product", "b"], ["sum"]),
        helper.make_node("Sigmoid", ["sum"], ["probability"]),
    ]
    graph = helper.make_graph(
        nodes,
        "logistic",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, 2])],
        [helper.make_tensor_value_info("probability", TensorProto.FLOAT, [None])],
        [numpy_helper.from_array(weights[:2], "w"), numpy_helper.from_array(weights[2:], "b")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)


def baseline(train, frame):
    return np.full(frame.height, train["label"].mean())
