"""What the modules of a use case must have: as types, and checked when one is loaded.

Code of a use case is the user's own: a fault of it is reported with file, function and line, and no retry helps.
"""

import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from traceback import walk_tb
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol

from include.foundation.errors import FlightlineError, InvalidInput
from include.foundation.spec.view import View

if TYPE_CHECKING:
    import numpy as np
    import onnx
    import polars as pl
    from numpy.typing import NDArray
    from polars._typing import PolarsDataType
    from pydantic import BaseModel

    Silver = Mapping[str, "pl.DataFrame"]

RESERVED = ("id", "event_date", "event_time", "known_at", "label", "label_known_at")  # columns of gold
FUNCTIONS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "contract": {},
    "features": {
        "requests": ("silver",),
        "history": ("silver",),
        "features": ("joined",),
        "labels": ("silver",),
        "mask": ("silver", "at"),
    },
    "model": {
        "encode": ("frame", "categories"),
        "fit": ("train", "params", "seed", "valid"),
        "predict": ("model", "frame"),
        "export": ("model",),
        "baseline": ("train", "frame"),
    },
}


class FeaturesModule(Protocol):
    """`features.py`. Frames are polars; `silver` is source -> its rows.

    Attributes:
        VIEWS: the kinds of history that a request is given.
        FEATURES: the model's columns in order, with their types.
        Request: what a caller sends; `event_time` says when the answer must be given.
    """

    __name__: str
    VIEWS: Mapping[str, View]
    FEATURES: Mapping[str, "PolarsDataType"]
    Request: type["BaseModel"]

    def requests(self, silver: "Silver", /) -> "pl.DataFrame":
        """`id`, `event_date`, `event_time` and `Request`'s fields of every request."""

    def history(self, silver: "Silver", /) -> Mapping[str, "pl.DataFrame"]:
        """View -> its keys, `known_at` and values."""

    def features(self, joined: "pl.DataFrame", /) -> "pl.DataFrame":
        """Exactly `FEATURES`, row for row, of requests joined with their history."""

    def labels(self, silver: "Silver", /) -> "pl.DataFrame":
        """`id`, `label`, `label_known_at`; both null where it is not known yet."""

    def mask(self, silver: "Silver", at: datetime, /) -> "Silver":
        """Silver as it was known at a moment."""


class ModelModule(Protocol):
    """`model.py`: the answers of one kind of model. `fit` returns what the other functions take.

    Attributes:
        FEATURES: as in `features.py`.
    """

    FEATURES: Mapping[str, "PolarsDataType"]

    def encode(self, frame: "pl.DataFrame", categories: Mapping[str, tuple[str, ...]], /) -> "NDArray[np.float32]":
        """The frame's features as float32 [n, k], in their order."""

    def fit(
        self, train: "pl.DataFrame", params: Mapping[str, Any], seed: int, valid: "pl.DataFrame | None" = None, /
    ) -> Any:
        """A fitted model with `features`, `categories`, `params` and `importance`."""

    def predict(self, model: Any, frame: "pl.DataFrame", /) -> "NDArray[np.float64]":
        """Answers [n]."""

    def export(self, model: Any, /) -> "onnx.ModelProto":
        """The same answers as ONNX, of `features` float32 [n, k]."""

    def baseline(self, train: "pl.DataFrame", frame: "pl.DataFrame", /) -> "NDArray[np.float64]":
        """A simple answer that the model must beat, [n]."""


def check(use_case: str, part: str, module: ModuleType) -> None:
    """See that a module has what it must have; one of another name is a challenger, and has what `model` has.

    Raises:
        InvalidInput: it lacks something, or has it of another kind; the message names all of it.
    """
    kind = part if part in FUNCTIONS else "model"
    faults = [fault for name, taken in FUNCTIONS[kind].items() for fault in _function(module, name, taken)]
    if kind == "features":
        faults += _features(module)
    elif kind == "model":
        faults += _types(getattr(module, "FEATURES", None))
    if faults:
        raise InvalidInput(f"{use_case}/{part}.py: {'; '.join(faults[:10])}")


def _function(module: ModuleType, name: str, taken: tuple[str, ...]) -> Iterator[str]:
    function = getattr(module, name, None)
    shape = f"{name}({', '.join(taken)})"
    if not callable(function):
        yield f"it needs a function {shape}"
        return
    try:
        inspect.signature(function).bind(*taken)
    except TypeError as error:
        yield f"{name} must be called as {shape}: {error}"


def _features(module: ModuleType) -> Iterator[str]:
    from pydantic import BaseModel

    views, request = getattr(module, "VIEWS", None), getattr(module, "Request", None)
    if isinstance(views, Mapping):
        for name, view in views.items():
            yield from _view(name, view)
    else:
        yield "it needs VIEWS, a dict of views (it may be empty)"
    if isinstance(request, type) and issubclass(request, BaseModel):
        yield from _names("Request: a field", request.model_fields)
        if not hasattr(request, "event_time"):
            yield "Request needs a property event_time, when the answer must be given"
    else:
        yield "it needs a class Request, a pydantic model of what a caller sends"
    yield from _types(getattr(module, "FEATURES", None))


def _view(name: str, view: Any) -> Iterator[str]:
    if not isinstance(view, View):
        yield f"VIEWS[{name!r}] must be a View"
        return
    yield from _names("VIEWS: a view", [name])
    if not isinstance(view.keys, tuple) or not view.keys:
        yield f"VIEWS[{name!r}]: keys must be a tuple of names, such as ('origin',)"
        return
    if not isinstance(view.max_age, timedelta) or view.max_age <= timedelta(0):
        yield f"VIEWS[{name!r}]: max_age must be a time above 0"
    yield from _names(f"VIEWS[{name!r}]: a value", view.values)
    if both := {*view.keys} & {*view.values}:
        yield f"VIEWS[{name!r}]: {', '.join(sorted(both))}: either a key or a value"


def _types(features: Any) -> Iterator[str]:
    import polars as pl

    if not isinstance(features, Mapping) or not features:
        yield "it needs FEATURES, a dict of the model's columns and their polars types"
        return
    yield from _names("FEATURES: a feature", features)
    for name, dtype in features.items():
        kind = dtype() if isinstance(dtype, type) and issubclass(dtype, pl.DataType) else dtype
        if not isinstance(kind, pl.DataType) or not (kind.is_numeric() or kind in (pl.Boolean, pl.String)):
            yield f"FEATURES[{name!r}] is {str(dtype)[:100]}: use a number, pl.Boolean, or pl.String for categories"


def _names(what: str, names: Any) -> Iterator[str]:
    for name in names:
        if name in RESERVED or "__" in name:
            yield f"{what} may not be called {name[:100]!r}: {', '.join(RESERVED)} and names with __ are the platform's"


@contextmanager
def blame(code: Any) -> Iterator[None]:
    """Tell an exception of a use case's code as one: it is final, and named by file, line and function.

    Args:
        code: a module of the use case, or the path of one.

    Raises:
        InvalidInput: the exception came out of that file, or of one beside it.
    """
    try:
        yield
    except (FlightlineError, MemoryError, OSError):
        raise
    except Exception as error:
        file = code if isinstance(code, Path) else Path(getattr(code, "__file__", None) or "/")
        if place := _place(error, file.parent):
            raise InvalidInput(f"{place}: {type(error).__name__}: {str(error)[:500]}") from error
        raise


def _place(error: BaseException, folder: Path) -> str | None:
    """Where in the folder's files an exception arose: `rain/features.py, line 7, in history()`."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{folder.name}/{Path(error.filename).name}, line {error.lineno}"
    frames = [(frame.f_code, line) for frame, line in walk_tb(error.__traceback__)]
    inside = [(code, line) for code, line in frames if Path(code.co_filename).parent == folder]
    if not inside:
        return None
    code, line = inside[-1]
    where = "" if code.co_name == "<module>" else f", in {code.co_name}()"
    return f"{folder.name}/{Path(code.co_filename).name}, line {line}{where}"
