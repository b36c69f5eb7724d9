"""The form that ships is chosen once, and what the run says of its model is said of that file."""

from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from onnx import TensorProto, helper, numpy_helper

from include.foundation.artifact import Metadata, digest, open_model, score
from include.foundation.artifact.writer import seal
from include.foundation.errors import MissingInput
from include.foundation.problem import problem
from include.foundation.problem.bootstrap import measure
from include.foundation.spec.export import Export
from include.stages.training.fitting import Fitted, answer
from include.stages.training.holdout import Holdout
from include.steps.ship import ship

BINARY = problem("binary")
WIDTH, HIDDEN = 64, 1024


def wide():
    """A network of two wide layers."""
    rng = np.random.default_rng(0)
    shapes, nodes, weights = [(WIDTH, HIDDEN), (HIDDEN, HIDDEN), (HIDDEN, 1)], [], []
    for place, shape in enumerate(shapes):
        values = rng.normal(size=shape) / np.sqrt(shape[0])
        weights.append(numpy_helper.from_array(values.astype(np.float32), f"w{place}"))
        nodes.append(helper.make_node("MatMul", ["features" if not place else f"r{place}", f"w{place}"], [f"m{place}"]))
        nodes.append(helper.make_node("Relu" if place < 2 else "Sigmoid", [f"m{place}"], [f"r{place + 1}"]))
    flat = helper.make_node("Reshape", ["r3", "flat"], ["probability"])
    weights.append(numpy_helper.from_array(np.array([-1]), "flat"))
    return graph([*nodes, flat], weights)


def sums():
    """A model that has nothing to quantize."""
    return graph([helper.make_node("ReduceMean", ["features"], ["probability"], axes=[1], keepdims=0)], [])


def graph(nodes, weights):
    ports = {"features": [None, WIDTH], "probability": [None]}
    taken, given = (helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in ports.items())
    made = helper.make_graph(nodes, "g", [taken], [given], weights)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)


MODELS = {"wide": wide, "sums": sums}


class Store(dict):
    """Objects in memory."""

    def get(self, uri):
        if uri not in self:
            raise MissingInput(uri)
        return self[uri]

    def put_if_absent(self, uri, data):
        return self.setdefault(uri, data) is data


def rows(seed, count=300):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, count)
    matrix = rng.normal(size=(count, WIDTH)) + labels[:, None] / 4
    return pl.DataFrame({f"f{place}": matrix[:, place] for place in range(WIDTH)} | {"label": labels})


PART = SimpleNamespace(
    FEATURES={f"f{place}": pl.Float64() for place in range(WIDTH)},
    encode=lambda frame, categories: frame.select([*PART.FEATURES]).to_numpy().astype(np.float32),
)


@pytest.fixture(scope="module", params=MODELS)
def case(request):
    """A training run and what it fitted."""
    metadata = Metadata(use_case="t", features=tuple(PART.FEATURES), categories={}, created_from={})
    data, holdout = seal(MODELS[request.param](), metadata), rows(2)
    answers = score(PART, open_model(data), holdout).astype(np.float64)
    fitted = Fitted(
        data=data,
        digest=digest(data),
        metadata=metadata,
        params={"a": 1},
        importance={},
        answers=answers,
        metrics=measure(BINARY, holdout["label"].to_numpy(), answers),
        deviation=0.0,
    )
    store = Store()
    training = SimpleNamespace(
        data=SimpleNamespace(fit=rows(1), holdout=Holdout.of(holdout)),
        part=PART,
        problem=BINARY,
        spec=SimpleNamespace(metric=BINARY.kind.metric("auc"), export=Export(margin=0.02)),
        lake=SimpleNamespace(objects=lambda: store, models="s3://models"),
    )
    return request.param, training, fitted


def test_a_wide_network_ships_as_int8_and_what_has_no_layers_as_it_is(case):
    name, training, fitted = case
    shipped = ship(training, fitted)
    assert shipped.form == {"wide": "int8", "sums": "float32"}[name], shipped.table.decode()
    ours = shipped.fitted
    scorer = open_model(ours.data, ours.digest)
    np.testing.assert_array_equal(answer(training.part, scorer, training.data.holdout), ours.answers)
    assert ours.metrics == measure(BINARY, training.data.holdout.labels, ours.answers)
    assert (ours.digest == fitted.digest) == (name == "sums")
    assert (ours.metadata, ours.params) == (fitted.metadata, fitted.params)
    lines = shipped.table.decode().splitlines()
    assert [line.split(",")[0] for line in lines] == ["form", "float32", "optimized", "int8"]
    assert "no layer with int8 arithmetic" in lines[3] or name == "wide"


def test_the_same_model_ships_in_the_same_form_whatever_is_measured_later(case, monkeypatch):
    _, training, fitted = case
    first = ship(training, fitted)
    monkeypatch.setattr("include.stages.export.record.measure", lambda *_: pytest.fail("measured again"))
    again = ship(training, fitted)
    assert (again.form, again.fitted.digest, again.table) == (first.form, first.fitted.digest, first.table)


def test_a_margin_that_nothing_meets_keeps_float32(case):
    _, training, fitted = case
    strict = SimpleNamespace(**{**vars(training), "spec": SimpleNamespace(**vars(training.spec))})
    strict.spec.export = Export(margin=0, faster=100)
    assert ship(strict, fitted).fitted is fitted
