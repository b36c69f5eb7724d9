"""Each kind of mistake in a use case's modules has a message that names file, function and what is wrong."""

import sys
from types import ModuleType

import pytest

import include.use_cases
from include.foundation.errors import InvalidInput, MissingInput
from include.foundation.spec import blame, module

FEATURES = """
from datetime import UTC, datetime, timedelta
import polars as pl
from pydantic import BaseModel
from include.foundation.spec import View

VIEWS = {"shop": View(keys=("shop",), max_age=timedelta(hours=1), values={"sum": pl.Float64})}
FEATURES = {"size": pl.Int64(), "kind": pl.String}

class Request(BaseModel):
    shop: str
    @property
    def event_time(self):
        return datetime.now(UTC)

def requests(silver): return silver["a"]
def history(silver): return {}
def features(joined): return joined
def labels(silver): return silver["a"]
def mask(silver, at): return silver
"""
MODEL = """
FEATURES = {"size": int}
def encode(frame, categories): return frame
def fit(train, params, seed, valid=None): return train
def predict(model, frame): return frame
def export(model): return model
def baseline(train, frame): return frame
""".replace("int", "pl.Int64").replace("\nFEATURES", "import polars as pl\nFEATURES", 1)


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write a module of the use case `shops`, to be loaded afresh."""
    monkeypatch.setattr(include.use_cases, "__path__", [*include.use_cases.__path__, str(tmp_path)])
    (tmp_path / "shops").mkdir()

    def write(part, text):
        (tmp_path / "shops" / f"{part}.py").write_text(text)
        for name in [name for name in sys.modules if name.startswith("include.use_cases.shops")]:
            monkeypatch.delitem(sys.modules, name)

    return write


def test_what_it_must_have_is_enough(write):
    write("features", FEATURES)
    write("model", MODEL)
    assert [*module("shops", "features").VIEWS] == ["shop"]
    assert callable(module("shops", "model").fit)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("def history(silver)", "def histories(silver)", r"it needs a function history\(silver\)"),
        ("def mask(silver, at)", "def mask(silver)", r"mask must be called as mask\(silver, at\)"),
        ("class Request(BaseModel)", "class Request", "it needs a class Request"),
        ("def event_time", "def asked_at", "Request needs a property event_time"),
        ("    shop: str", "    label: str", "Request: a field may not be called 'label'"),
        ("    shop: str", "    shop__sum: str", "Request: a field may not be called 'shop__sum'"),
        ('"size": pl', '"label_known_at": pl', "FEATURES: a feature may not be called 'label_known_at'"),
        ("pl.Int64()", "pl.Date()", r"FEATURES\['size'\] is Date: use a number"),
        ("pl.Int64()", "'Int64'", r"FEATURES\['size'\] is Int64: use a number"),
        ('keys=("shop",)', 'keys=("shop")', r"VIEWS\['shop'\]: keys must be a tuple"),
        ('{"shop": View', '{"a__b": View', "VIEWS: a view may not be called 'a__b'"),
        ('values={"sum"', 'values={"known_at"', r"VIEWS\['shop'\]: a value may not be called 'known_at'"),
        ('values={"sum"', 'values={"shop"', "shop: either a key or a value"),
        ("timedelta(hours=1)", "1", r"VIEWS\['shop'\]: max_age must be a time above 0"),
        ("VIEWS = {", "VIEWS = [] and {", "it needs VIEWS, a dict"),
        ("FEATURES = {", "FEATURES = {} and {", "it needs FEATURES, a dict"),
    ],
)
def test_a_mistake_in_features_is_named(write, old, new, said):
    assert old in FEATURES
    write("features", FEATURES.replace(old, new))
    with pytest.raises(InvalidInput, match=f"shops/features.py: .*{said}"):
        module("shops", "features")


@pytest.mark.parametrize("part", ["contract", "features", "model"])
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import nothing_like_it", "line 1: ModuleNotFoundError: No module named 'nothing_like_it'"),
        ("a = 1\nb = a[0]", "line 2: TypeError: 'int' object"),
        ("def a(:", "line 1: SyntaxError"),
        ("a = 1\nraise OverflowError('too much')", "line 2: OverflowError: too much"),
    ],
)
def test_a_module_that_cannot_be_imported_is_final_and_named(write, part, text, said):
    write(part, text)
    with pytest.raises(InvalidInput, match=f"shops/{part}.py, {said}"):
        module("shops", part)


def test_a_model_without_a_function_is_named(write):
    write("model", MODEL.replace("def export", "def exported"))
    with pytest.raises(InvalidInput, match=r"shops/model.py: it needs a function export\(model\)"):
        module("shops", "model")


def test_an_exception_of_the_use_case_is_final_and_named(write):
    write("features", FEATURES.replace("def history(silver): return {}", "def history(silver):\n    return 1 / 0"))
    features = module("shops", "features")
    with (
        pytest.raises(InvalidInput, match=r"shops/features.py, line \d+, in history\(\): ZeroDivisionError"),
        blame(features),
    ):
        features.history({})


@pytest.mark.parametrize(
    "error", [MissingInput("not landed"), OSError("the disk is full"), ValueError("of the platform")]
)
def test_what_is_not_of_the_use_case_stays_as_it_is(error):
    with pytest.raises(type(error)) as raised, blame(ModuleType("features")):
        raise error
    assert raised.value is error
