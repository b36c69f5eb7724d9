"""A use case of the tests' own: serving must not know any column of a real one."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Literal

import numpy as np
import onnx
import polars as pl
import pytest
from onnx import TensorProto, helper
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from include.foundation.artifact import Metadata, Scorer, digest, open_model
from include.foundation.artifact.writer import seal
from include.foundation.problem import problem
from include.foundation.spec import View
from include.services.serving.batcher import Batcher
from include.services.serving.description import Description
from include.services.serving.metrics import Metrics
from include.services.serving.predictor import Predictor
from include.services.serving.readiness import Readiness
from include.services.serving.records import example
from include.services.serving.service import Service

KNOWN_AT = datetime(2024, 5, 1, 11, tzinfo=UTC)


class Request(BaseModel):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"at": "2024-05-01T12:00:00Z", "shop": "north"}]}
    )

    at: AwareDatetime
    shop: str = Field(max_length=20)
    size: Literal["S", "L"] = "S"
    weight: float | None = Field(None, ge=0)
    count: int = 1

    @property
    def event_time(self) -> datetime:
        return self.at


def _features(joined: pl.DataFrame) -> pl.DataFrame:
    return joined.select(pl.col("size"), pl.col("weight"), pl.col("count").cast(pl.Float64), past=pl.col("shop__sales"))


@pytest.fixture(scope="session")
def features() -> ModuleType:
    module = ModuleType("features")
    module.Request = Request
    module.VIEWS = {"shop": View(keys=("shop",), max_age=timedelta(days=1))}
    module.FEATURES = {"size": pl.String, "weight": pl.Float64, "count": pl.Float64, "past": pl.Int64}
    module.features = _features
    return module


def encode(frame: pl.DataFrame, categories: dict[str, tuple[str, ...]]) -> np.ndarray:
    columns = [
        pl.col(name).replace_strict(
            {value: float(place) for place, value in enumerate(categories[name])}, default=None, return_dtype=pl.Float32
        )
        if name in categories
        else pl.col(name).cast(pl.Float32)
        for name in frame.columns
    ]
    return np.ascontiguousarray(frame.select(columns).to_numpy(), np.float32)


@pytest.fixture(scope="session")
def model_file() -> bytes:
    """probability = sigmoid(sum of the features), a missing one counting as 0."""
    graph = helper.make_graph(
        [
            helper.make_node("IsNaN", ["features"], ["missing"]),
            helper.make_node("Where", ["missing", "zero", "features"], ["filled"]),
            helper.make_node("ReduceSum", ["filled", "axis"], ["sum"], keepdims=0),
            helper.make_node("Sigmoid", ["sum"], ["probability"]),
        ],
        "sum",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, 4])],
        [helper.make_tensor_value_info("probability", TensorProto.FLOAT, [None])],
        [
            helper.make_tensor("zero", TensorProto.FLOAT, [], [0.0]),
            helper.make_tensor("axis", TensorProto.INT64, [1], [1]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    metadata = Metadata(
        use_case="shops",
        features=("size", "weight", "count", "past"),
        categories={"size": ("S", "L")},
        created_from={},
    )
    onnx.checker.check_model(model)
    return seal(model, metadata)


@pytest.fixture
def scorer(model_file: bytes) -> Scorer:
    return open_model(model_file, digest(model_file))


def read(asked: pl.DataFrame) -> pl.DataFrame:
    """History as the online table joins it: sales of the shop north only."""
    north = pl.col("shop") == "north"
    return asked.with_columns(
        shop__sales=pl.when(north).then(pl.lit(2, pl.Int64)),
        shop__known_at=pl.when(north).then(pl.lit(KNOWN_AT, pl.Datetime("us", "UTC"))),
    )


@pytest.fixture
def make_predictor(features: ModuleType, scorer: Scorer) -> Callable[..., Predictor]:
    def make(**changes: object) -> Predictor:
        parts = {
            "features": features,
            "encode": lambda frame: encode(frame, scorer.metadata.categories),
            "scorer": scorer,
            "read": read,
            "metrics": Metrics(problem("binary")),
        }
        return Predictor(**parts | changes)

    return make


@pytest.fixture
def make_service(make_predictor: Callable[..., Predictor], scorer: Scorer) -> Callable[..., Service]:
    """A service that logs nothing; to be made on the event loop that uses it."""

    def make(**changes: object) -> Service:
        metrics = Metrics(problem("binary"))
        predictor = make_predictor(metrics=metrics, **changes)
        batcher = Batcher(predictor.predict, size=64)
        sample = example(predictor.request_type)
        description = Description(
            title="Shops",
            text="What shops sell.",
            version="3",
            digest=scorer.digest,
            run="run-1",
            metadata=scorer.metadata,
            example=sample,
        )
        readiness = Readiness(lambda: batcher.submit([sample]), metrics=metrics, every=0.01)
        return Service(
            predictor=predictor, batcher=batcher, readiness=readiness, description=description, metrics=metrics
        )

    return make
